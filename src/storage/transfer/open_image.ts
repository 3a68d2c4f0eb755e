import { ImageError, type ImageSource, readSlice } from "./image_source.ts";
import { openQcow2 } from "./qcow2_image.ts";
import { gzipImage, rawImage } from "./raw_image.ts";
import { checkCancelled, type TransferControl } from "./transfer_control.ts";

/** Formats that are known only to refuse them: as raw disks their bytes would be nonsense. */
const foreign: readonly { readonly name: string; readonly at: number; readonly magic: string }[] = [
  { name: "VMDK", at: 0, magic: "KDMV" },
  { name: "VHDX", at: 0, magic: "vhdxfile" },
  { name: "VHD", at: 0, magic: "conectix" },
  { name: "VDI", at: 64, magic: "\x7f\x10\xda\xbe" },
  { name: "xz", at: 0, magic: "\xfd7zXZ\0" },
  { name: "zstd", at: 0, magic: "\x28\xb5\x2f\xfd" },
  { name: "bzip2", at: 0, magic: "BZh9" },
  { name: "ZIP", at: 0, magic: "PK\x03\x04" },
];
const packers = ["xz", "zstd", "bzip2", "ZIP"];

/**
 * Recognises a disk image by its first bytes: qcow2, gzip (of a raw image), else raw. Rejects with ImageError for
 * what cannot be imported, and with TransferCancelled.
 */
export async function openImage(
  file: Blob,
  maxBytes: number,
  control: TransferControl,
): Promise<ImageSource> {
  const head = await readSlice(file, 0, 512);
  checkCancelled(control);
  if (head.length === 0) throw new ImageError("The image file is empty.");
  const alien = foreign.find(({ at, magic }) => hasMagic(head, at, magic));
  if (alien !== undefined) {
    throw new ImageError(
      packers.includes(alien.name)
        ? `The image is packed with ${alien.name}. Unpack it first; only gzip is unpacked here.`
        : `This is a ${alien.name} image. Convert it first: qemu-img convert -O raw IMAGE disk.img`,
    );
  }
  const image = hasMagic(head, 0, "QFI\xfb")
    ? await openQcow2(file)
    : hasMagic(head, 0, "\x1f\x8b")
      ? await openGzip(file, maxBytes, control)
      : rawImage(file);
  if (image.byteLength > maxBytes) {
    throw new ImageError(
      `The disk in the image has ${image.byteLength} bytes; a disk here has at most ${maxBytes}.`,
    );
  }
  return image;
}

async function openGzip(file: Blob, maxBytes: number, control: TransferControl): Promise<ImageSource> {
  const image = await gzipImage(file, maxBytes, control);
  const pieces = image.pieces();
  const { value } = await pieces.next();
  await pieces.return();
  if (value === undefined) throw new ImageError("The image file is empty once it is unpacked.");
  if (hasMagic(value.data, 0, "QFI\xfb")) {
    throw new ImageError("This is a qcow2 image packed with gzip. Unpack it first (gunzip), then import it.");
  }
  return image;
}

function hasMagic(bytes: Uint8Array, at: number, magic: string): boolean {
  return Array.from(magic).every((char, i) => bytes[at + i] === char.charCodeAt(0));
}
