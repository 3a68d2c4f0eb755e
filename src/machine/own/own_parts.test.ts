import { describe, expect, it } from "vitest";
import { fingerprint } from "./fingerprint.ts";
import type { OwnMachine } from "./own_machine.ts";
import { ownParts } from "./own_parts.ts";

const MIB = 2 ** 20;
const file = (name: string, bytes: Uint8Array<ArrayBuffer>) =>
  ({ kind: "file", name, blob: new Blob([bytes]) }) as const;
const cd = new Uint8Array(64 * 1024).fill(7);
const machine: OwnMachine = {
  id: "a1b2",
  name: "old",
  commandLine: "",
  cdrom: file("a.iso", cd),
  disks: [],
  bus: "ide",
  bootOrder: ["cdrom", "disk"],
};

describe("what a snapshot of a machine of one's own stands on", () => {
  it("is the machine, and what is in its drives by content", async () => {
    const parts = await ownParts(machine);
    expect(parts).toMatchObject({ machine: "a1b2", bus: "ide", boot: "cdrom,disk" });
    // By whatever name the same content is chosen again, and however the machine is called.
    expect(await ownParts({ ...machine, name: "new", cdrom: file("b.iso", cd.slice()) })).toEqual(parts);
    const other = cd.slice();
    other[5] = 8;
    expect((await ownParts({ ...machine, cdrom: file("a.iso", other) })).cdrom).not.toBe(parts.cdrom);
    expect(await ownParts({ ...machine, cdrom: undefined })).not.toHaveProperty("cdrom");
    const kernel = { kind: "url", url: "https://a.test/vmlinuz" } as const;
    expect(await ownParts({ ...machine, kernel, commandLine: "quiet" })).toEqual({
      ...parts,
      kernel: kernel.url,
      commandLine: "quiet",
    });
  });

  it("of a large image is told from its size, its ends and pieces between them", async () => {
    const image = new Uint8Array(40 * MIB);
    const of = (bytes: Uint8Array<ArrayBuffer>) => fingerprint("large.iso", new Blob([bytes]));
    const first = await of(image);
    expect(first).toMatch(/^41943040 bytes, [0-9a-f]{16}$/);
    for (const at of [0, MIB - 1, MIB, image.length - MIB, image.length - 1]) {
      const changed = image.slice();
      changed[at] = 1;
      expect(await of(changed), String(at)).not.toBe(first);
    }
    expect(await of(image.slice(0, -512))).not.toBe(first);
  });
});
