import { expect, it } from "vitest";
import { BlobImage } from "../../storage/overlay/blob_image.ts";
import { refusePacked } from "./packed.ts";

const image = (...bytes: number[]) => new BlobImage("an image.iso", new Blob([Uint8Array.from(bytes)]));

it.each([
  ["gzip", [0x1f, 0x8b, 8]],
  ["qcow2", [0x51, 0x46, 0x49, 0xfb]],
  ["ZIP", [0x50, 0x4b, 3, 4]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
])("says that an image is %s, and what to do", async (name, bytes) => {
  await expect(refusePacked(image(...bytes), "disk")).rejects.toThrow(name);
  await expect(refusePacked(image(...bytes), "CD")).rejects.toThrow(/an image\.iso is .* unpack it first/);
});

it("takes everything else as it is, but nothing at all", async () => {
  await refusePacked(image(0xfa, 0x33), "disk");
  await refusePacked(image(0x1f), "CD");
  await expect(refusePacked(image(), "CD")).rejects.toThrow("empty");
});
