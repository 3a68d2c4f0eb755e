import { describe, expect, it } from "vitest";
import { GuestDiskNames } from "./guest_disk_names.ts";

/** A Linux with these block devices, by namespace id. */
function linux(devices: Record<string, number>) {
  const asked: string[] = [];
  const names = new GuestDiskNames(async command => {
    asked.push(command);
    return Object.entries(devices)
      .map(([name, nsid]) => `/sys/block/${name}/nsid:${nsid}\n`)
      .join("");
  });
  return { names, asked, devices };
}

describe("GuestDiskNames", () => {
  it("leaves Linux alone until a namespace has come or gone, and then asks once", async () => {
    const { names, asked, devices } = linux({ nvme0n1: 1, nvme0n2: 2 });
    await names.refresh([1, 2]);
    await names.refresh([2, 1]);
    expect([asked.length, names.pathOf(1)]).toEqual([0, undefined]);
    devices.nvme0n3 = 5;
    await names.refresh([1, 2, 5]);
    await names.refresh([1, 2, 5]);
    expect([asked.length, names.pathOf(5)]).toEqual([1, "/dev/nvme0n3"]);
    names.forget();
    await names.refresh([1, 2, 5]);
    expect([asked.length, names.pathOf(5)]).toEqual([1, undefined]);
  });

  it("asks again while Linux has not found one yet, but not for ever", async () => {
    const { names, asked, devices } = linux({ nvme0n1: 1 });
    await names.refresh([1]);
    await names.refresh([1, 4]);
    expect(names.pathOf(4)).toBeUndefined();
    devices.nvme0n2 = 4;
    await names.refresh([1, 4]);
    expect([asked.length, names.pathOf(4)]).toEqual([2, "/dev/nvme0n2"]);
    for (let i = 0; i < 50; i++) await names.refresh([1, 4, 9]);
    expect(asked.length).toBeLessThan(20);
  });

  it("waits for a namespace to be found, and gives up on a guest that does not answer", async () => {
    const { names, devices } = linux({ nvme0n1: 1 });
    setTimeout(() => {
      devices.nvme0n2 = 7;
    }, 250);
    expect(await names.find(7)).toBe("/dev/nvme0n2");
    expect(await new GuestDiskNames(async () => undefined).find(7)).toBeUndefined();
  });

  it("tells the first use of a disk", async () => {
    const names = (said: string | undefined) => new GuestDiskNames(async () => said);
    expect(await names("/dev/nvme0n3p1 /mnt\n/dev/nvme0n3p2 /srv\n").useOf(3)).toBe("/dev/nvme0n3p1 /mnt");
    expect(await names("").useOf(3)).toBeUndefined();
    expect(await names(undefined).useOf(3)).toBeUndefined();
  });
});
