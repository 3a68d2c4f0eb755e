import { expect, it } from "vitest";
import { guessRole } from "./guess.ts";

function file(size: number, ...parts: readonly (readonly [at: number, text: string])[]): Blob {
  const bytes = new Uint8Array(size);
  for (const [at, text] of parts) bytes.set(new TextEncoder().encode(text), at);
  return new Blob([bytes]);
}

it.each([
  [
    "a CD by its volume descriptor, partition table or not",
    file(65_536, [32_769, "CD001"], [510, "U\xaa"]),
    "x.img",
    "cdrom",
  ],
  ["a CD by its name", file(100), "Some.ISO", "cdrom"],
  ["a kernel", file(9_000_000, [0x202, "HdrS"]), "vmlinuz", "kernel"],
  ["a cpio archive", file(5_000_000, [0, "070701"]), "a", "initrd"],
  ["an initrd by its name", file(5_000_000, [0, "\x1f"]), "initrd.img-6.1", "initrd"],
  ["a floppy", file(1_474_560), "boot.img", "floppy"],
  ["a boot sector alone", file(512), "a.bin", "floppy"],
  ["a large image", file(4_000_000), "a.img", "disk"],
  ["a small qcow2", file(200_000, [0, "QFI"]), "a.qcow2", "disk"],
  ["an empty file", file(0), "a", "disk"],
] as const)("takes %s for what it is", async (_what, blob, name, role) => {
  expect(await guessRole(blob, name)).toBe(role);
});

it("takes something packed for a disk, which the import unpacks", async () => {
  expect(await guessRole(new Blob([Uint8Array.of(0x1f, 0x8b, 8, 0)]), "a.img.gz")).toBe("disk");
});
