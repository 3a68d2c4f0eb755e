import { afterEach, describe, expect, it, vi } from "vitest";
import { IndexedDbBackend } from "../indexeddb/indexeddb_backend.ts";
import { read, write } from "../testing/test_support.ts";
import { Disk, wipeDisk } from "./disk.ts";
import { seedDisk } from "./seed.ts";

const CHUNK = 65536;
const CAPACITY = 64 * CHUNK;
const create = { capacityBytes: CAPACITY, chunkBytes: CHUNK };
const opened: Disk[] = [];
let disks = 0;
const freshName = () => `disk-test-${Date.now()}-${disks++}`;

async function open(name: string): Promise<Disk> {
  const disk = await Disk.open(name, { create });
  opened.push(disk);
  return disk;
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const disk of opened.splice(0)) await disk.close();
});

/** An image with a hole in it and an odd end. */
function image(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(10 * CHUNK + 1000);
  bytes.fill(1, 0, CHUNK);
  bytes.fill(2, 5 * CHUNK + 7, 5 * CHUNK + 8);
  bytes.fill(3, 10 * CHUNK);
  return bytes;
}

/** The image in pieces that fit no chunk. */
function streamOf(bytes: Uint8Array<ArrayBuffer>, pieceBytes = 50_001): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + pieceBytes));
      at += pieceBytes;
    },
  });
}

describe("Disk", () => {
  it("keeps what was written when it is opened again", async () => {
    const name = freshName();
    const disk = await open(name);
    await write(disk.cache, 5000, new Uint8Array([1, 2, 3]));
    await disk.close();
    const again = await open(name);
    expect(await read(again.cache, 4999, 5)).toEqual(new Uint8Array([0, 1, 2, 3, 0]));
    expect(again.describe()).toEqual({
      name,
      capacityBytes: CAPACITY,
      allocatedBytes: CHUNK,
      chunkBytes: CHUNK,
      lbaBytes: 512,
      seededSha256: undefined,
    });
  });

  it("belongs to one owner at a time", async () => {
    const name = freshName();
    const disk = await open(name);
    await expect(Disk.open(name)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("another tab"),
    });
    await expect(wipeDisk(name)).rejects.toMatchObject({ kind: "unavailable" });
    await disk.close();
    await open(name);
  });

  it("can be taken away: the loser is told, serves nothing any more, and its unsaved data never arrives", async () => {
    const name = freshName();
    const onStolen = vi.fn();
    const loser = await Disk.open(name, { create, onStolen });
    await write(loser.cache, 0, new Uint8Array([1]));
    await loser.cache.flush();
    await write(loser.cache, 0, new Uint8Array([2]));
    const thief = await Disk.open(name, { steal: true });
    opened.push(thief);
    await vi.waitFor(() => expect(onStolen).toHaveBeenCalledTimes(1));
    expect(loser.isOpen).toBe(false);
    await expect(loser.cache.flush()).rejects.toMatchObject({ kind: "unavailable" });
    await expect(read(loser.cache, 0, 1)).rejects.toThrow("taken");
    await loser.close();
    expect((await read(thief.cache, 0, 1))[0]).toBe(1);
    // The loser's close() has not freed the thief's lock.
    await expect(Disk.open(name)).rejects.toMatchObject({ name: "DiskInUseError" });
  });

  it("can be copied while another has it; writes to the copy stay there", async () => {
    const name = freshName();
    const disk = await open(name);
    await write(disk.cache, 5000, new Uint8Array([1, 2, 3]));
    await disk.cache.flush();
    const copy = await Disk.openCopy(name, { create });
    expect(await read(copy.cache, 4999, 5)).toEqual(new Uint8Array([0, 1, 2, 3, 0]));
    await write(copy.cache, 5000, new Uint8Array([9]));
    await copy.cache.flush();
    await write(disk.cache, 5001, new Uint8Array([8]));
    expect(await read(copy.cache, 5000, 3)).toEqual(new Uint8Array([9, 2, 3]));
    expect(await read(disk.cache, 5000, 3)).toEqual(new Uint8Array([1, 8, 3]));
    await copy.close();
  });

  it("is not copied when it holds more than the limit; a disk that there is not yet is an empty copy", async () => {
    const name = freshName();
    const disk = await open(name);
    await write(disk.cache, 0, new Uint8Array(2 * CHUNK).fill(1));
    await disk.cache.flush();
    await expect(Disk.openCopy(name, { create, limitBytes: CHUNK })).rejects.toMatchObject({
      name: "SnapshotTooLargeError",
    });
    const none = freshName();
    const empty = await Disk.openCopy(none, { create });
    expect(empty.describe()).toMatchObject({ capacityBytes: CAPACITY, allocatedBytes: 0 });
    await empty.close();
    await expect(Disk.open(none)).rejects.toThrow("no disk");
  });

  it("lets go of the lock when opening fails", async () => {
    const name = freshName();
    await expect(Disk.open(name)).rejects.toThrow("no disk");
    await open(name);
  });

  it("is gone after wipeDisk", async () => {
    const name = freshName();
    const disk = await open(name);
    await write(disk.cache, 0, new Uint8Array([1]));
    await disk.close();
    await wipeDisk(name);
    await expect(Disk.open(name)).rejects.toThrow("no disk");
    await wipeDisk(name); // nothing there: fine
  });
});

describe("seedDisk", () => {
  for (const form of ["array", "stream"] as const) {
    it(`writes an image given as ${form}; its holes take no room`, async () => {
      const name = freshName();
      const disk = await open(name);
      expect(await seedDisk(disk, form === "array" ? image() : streamOf(image()), "sha-1")).toBe(true);
      await disk.close();
      const again = await open(name);
      expect(again.describe()).toMatchObject({ seededSha256: "sha-1", allocatedBytes: 3 * CHUNK });
      const back = await read(again.cache, 0, 11 * CHUNK);
      const expected = new Uint8Array(11 * CHUNK);
      expected.set(image());
      expect(back.findIndex((byte, i) => byte !== expected[i])).toBe(-1);
    });
  }

  it("never seeds a second time, and keeps what the user wrote", async () => {
    const disk = await open(freshName());
    await seedDisk(disk, image(), "sha-1");
    await write(disk.cache, 0, new Uint8Array([42]));
    expect(await seedDisk(disk, image(), "sha-1")).toBe(false);
    expect(await seedDisk(disk, image(), "sha-2")).toBe(false);
    expect(disk.seededSha256).toBe("sha-1");
    expect((await read(disk.cache, 0, 1))[0]).toBe(42);
  });

  it("starts afresh after a crash in the middle", async () => {
    const name = freshName();
    const disk = await open(name);
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new Uint8Array(3 * CHUNK).fill(9));
      },
      pull() {
        throw new Error("network");
      },
    });
    await expect(seedDisk(disk, broken, "sha-old")).rejects.toThrow("network");
    await disk.close();
    const again = await open(name);
    expect(again.seededSha256).toBeUndefined();
    expect(again.cache.allocatedBytes).toBe(3 * CHUNK); // the rest of the first try
    expect(await seedDisk(again, image(), "sha-1")).toBe(true);
    expect((await read(again.cache, 2 * CHUNK, 1))[0]).toBe(0);
    expect(again.describe()).toMatchObject({ seededSha256: "sha-1", allocatedBytes: 3 * CHUNK });
  });

  it("records the seed only after all of it is durable", async () => {
    const disk = await open(freshName());
    const commit = vi.spyOn(IndexedDbBackend.prototype, "commit").mockRejectedValue(new Error("power cut"));
    await expect(seedDisk(disk, image(), "sha-1")).rejects.toThrow("power cut");
    expect(disk.seededSha256).toBeUndefined();
    commit.mockRestore();
  });

  it("does not overwrite a disk that holds something else", async () => {
    const disk = await open(freshName());
    await write(disk.cache, 0, new Uint8Array([42]));
    await expect(seedDisk(disk, image(), "sha-1")).rejects.toThrow("already holds data");
    expect((await read(disk.cache, 0, 1))[0]).toBe(42);
  });

  it("refuses an image that is larger than the disk", async () => {
    const disk = await open(freshName());
    await expect(seedDisk(disk, new Uint8Array(CAPACITY + 1).fill(1), "sha-1")).rejects.toThrow(
      "larger than",
    );
    expect(disk.seededSha256).toBeUndefined();
  });
});
