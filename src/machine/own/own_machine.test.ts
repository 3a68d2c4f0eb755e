import { describe, expect, it } from "vitest";
import { bootOrderDigits } from "../v86/media.ts";
import { ownDiskConfigs } from "./own_disks.ts";
import { asFloppy, checkInitrdFits, checkKernel, type OwnMachine, problemOf } from "./own_machine.ts";

const empty: OwnMachine = { name: "a", commandLine: "", disks: [], bus: "ide", bootOrder: ["disk"] };
const url = (name: string) => ({ kind: "url", url: `https://a.test/${name}` }) as const;

describe("a machine of one's own", () => {
  it("needs something to boot, and disks that its controller takes", () => {
    expect(problemOf(empty)).toContain("nothing to boot");
    expect(problemOf({ ...empty, initrd: url("i") })).toContain("goes with a kernel");
    expect(problemOf({ ...empty, disks: [url("a"), url("b"), url("c")] })).toContain("2 disks on IDE");
    expect(problemOf({ ...empty, disks: [url("a"), url("b"), url("c")], bus: "nvme" })).toBeUndefined();
    expect(problemOf({ ...empty, kernel: url("k"), initrd: url("i"), commandLine: "quiet" })).toBeUndefined();
  });

  it("has its disks where its controller has them", () => {
    const disks = [{ kind: "kept", id: "a-1", name: "a" }, url("b")] as const;
    const roles = (bus: OwnMachine["bus"]) =>
      ownDiskConfigs({ ...empty, disks, bus }).map(({ role }) => role);
    expect(roles("ide")).toEqual([
      { on: "ide", drive: 0 },
      { on: "ide", drive: 1 },
    ]);
    expect(roles("nvme")).toEqual([
      { on: "nvme", nsid: 1 },
      { on: "nvme", nsid: 2 },
    ]);
    expect(ownDiskConfigs({ ...empty, disks }).map(({ name }) => name)).toEqual(["a-1", "image 2"]);
  });

  it("tells the firmware its boot order as a PC's CMOS does", () => {
    expect(bootOrderDigits(["cdrom", "disk", "floppy"])).toBe(0x123);
    expect(bootOrderDigits(["floppy", "disk"])).toBe(0x21);
    expect(bootOrderDigits([])).toBe(0);
  });

  it("pads floppy images to what drives know, and refuses what is none", () => {
    expect(asFloppy("a", new ArrayBuffer(512)).byteLength).toBe(1440 * 1024);
    expect(asFloppy("a", new ArrayBuffer(360 * 1024)).byteLength).toBe(360 * 1024);
    expect(asFloppy("a", new ArrayBuffer(1441 * 1024)).byteLength).toBe(2880 * 1024);
    expect(new Uint8Array(asFloppy("a", Uint8Array.of(1, 2, 3).buffer)).subarray(0, 4)).toEqual(
      Uint8Array.of(1, 2, 3, 0),
    );
    expect(() => asFloppy("big.img", new ArrayBuffer(3_000_000))).toThrow("big.img");
    expect(() => asFloppy("empty.img", new ArrayBuffer(0))).toThrow("0 bytes");
  });

  it("says what a kernel is that cannot be booted", () => {
    const image = new Uint8Array(1024);
    image.set(new TextEncoder().encode("HdrS"), 0x202);
    image.set([0x55, 0xaa], 0x1fe);
    expect(() => checkKernel("vmlinuz", image.buffer)).not.toThrow();
    expect(() => checkKernel("a", new ArrayBuffer(4))).toThrow("bzImage");
    expect(() => checkKernel("a", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46).buffer)).toThrow("ELF");
    expect(() => checkKernel("a", Uint8Array.of(0x1f, 0x8b).buffer)).toThrow("gzip");
  });

  it("says how much memory an initrd needs", () => {
    expect(() => checkInitrdFits(30 * 2 ** 20, 128)).not.toThrow();
    expect(() => checkInitrdFits(40 * 2 ** 20, 128)).toThrow("at least 144 MiB");
    expect(() => checkInitrdFits(0, 16)).not.toThrow();
  });
});
