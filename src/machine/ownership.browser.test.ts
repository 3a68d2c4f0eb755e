import { afterEach, describe, expect, it, vi } from "vitest";
import { Ownership, ownersOf } from "./ownership.ts";

const claimed: Ownership[] = [];
let disks = 0;
const freshDisk = () => `ownership-test-${Date.now()}-${disks++}`;

function owner(disk: string, release: () => Promise<void>): Ownership {
  const made = new Ownership(release);
  made.claim([disk]);
  claimed.push(made);
  return made;
}

afterEach(() => {
  vi.useRealTimers();
  for (const made of claimed.splice(0)) made.unclaim();
});

const nobody = () => new Ownership(() => Promise.reject(new Error("asked by mistake")));

describe("Ownership", () => {
  it("tells who has a disk, as long as they have it", async () => {
    const disk = freshDisk();
    expect(await ownersOf([disk])).toEqual([]);
    const before = Date.now();
    const made = owner(disk, async () => {});
    await expect.poll(() => ownersOf(["other", disk])).toHaveLength(1);
    const [found] = await ownersOf([disk]);
    expect(found).toEqual({ url: location.href.slice(0, 200), since: expect.any(Number), disks: [disk] });
    expect(found.since).toBeGreaterThanOrEqual(before);
    expect(await ownersOf(["other"])).toEqual([]);
    made.unclaim();
    await expect.poll(() => ownersOf([disk])).toEqual([]);
  });

  it("asks the owner of the disk alone, and waits as long as that gives signs of life", async () => {
    const disk = freshDisk();
    const release = vi.fn(() => new Promise<void>(resolve => setTimeout(resolve, 6000)));
    owner(disk, release);
    const other = vi.fn(async () => {});
    owner(freshDisk(), other);
    expect(await nobody().ask([disk])).toBe(true);
    expect(release).toHaveBeenCalledTimes(1);
    expect(other).not.toHaveBeenCalled();
  });

  it("lets go once, though two ask at the same time", async () => {
    const disk = freshDisk();
    const release = vi.fn(() => new Promise<void>(resolve => setTimeout(resolve, 50)));
    owner(disk, release);
    expect(await Promise.all([nobody().ask([disk]), nobody().ask([disk])])).toEqual([true, true]);
    expect(release).toHaveBeenCalledTimes(1);
  });

  it("hands on why the owner does not let go", async () => {
    const disk = freshDisk();
    owner(disk, () => Promise.reject(new Error("no room")));
    await expect(nobody().ask([disk])).rejects.toMatchObject({
      name: "ReleaseRefusedError",
      message: "no room",
    });
  });

  it("gives up on an owner that does not answer", async () => {
    const started = performance.now();
    expect(await nobody().ask([freshDisk()])).toBe(false);
    expect(performance.now() - started).toBeGreaterThan(3000);
  });
});
