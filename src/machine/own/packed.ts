import type { ReadOnlyImage } from "../../storage/overlay/read_only_image.ts";

const packings: readonly (readonly [name: string, magic: readonly number[]])[] = [
  ["packed with gzip", [0x1f, 0x8b]],
  ["packed with xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ["packed with bzip2", [0x42, 0x5a, 0x68]],
  ["packed with zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["a ZIP archive", [0x50, 0x4b, 0x03, 0x04]],
  ["a 7z archive", [0x37, 0x7a, 0xbc, 0xaf]],
  ["a qcow2 image", [0x51, 0x46, 0x49, 0xfb]],
  ["a VMDK image", [0x4b, 0x44, 0x4d, 0x56]],
  ["a web page", [...new TextEncoder().encode("<!DOCTYPE")]],
];

/** Rejects with a sentence for an image that would not be what the guest sees, byte by byte; nothing of it is unpacked here. */
export async function refusePacked(image: ReadOnlyImage, what: "CD" | "disk"): Promise<void> {
  if (image.byteLength === 0) throw new Error(`The ${what} image ${image.identity.url} is empty.`);
  const head = (await image.read(0)) ?? new Uint8Array(0);
  const found = packings.find(([, magic]) => magic.every((byte, index) => head[index] === byte));
  if (!found) return;
  throw new Error(
    `${decodeURIComponent(image.identity.url)} is ${found[0]}. What is read in pieces must be a raw ${what} image: unpack it first` +
      `${what === "disk" ? ", or import it into the list of disks (Disks…)" : ""}.`,
  );
}
