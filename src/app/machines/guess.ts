/** What an image file is to be in a machine, told from its first bytes and its name. */
export type ImageRole = "cdrom" | "floppy" | "kernel" | "initrd" | "disk";

const ISO_9660_AT = 32_769;
const SETUP_HEADER_AT = 0x202;
const MAX_FLOPPY_BYTES = 2880 * 1024;

export async function guessRole(file: Blob, name: string): Promise<ImageRole> {
  const head = new Uint8Array(await file.slice(0, 1024).arrayBuffer());
  const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
  const descriptor = new Uint8Array(await file.slice(ISO_9660_AT, ISO_9660_AT + 5).arrayBuffer());
  // Before the disk: images for both have a partition table too.
  if (text(descriptor) === "CD001" || /\.iso$/i.test(name)) return "cdrom";
  if (text(head.subarray(SETUP_HEADER_AT, SETUP_HEADER_AT + 4)) === "HdrS") return "kernel";
  if (text(head.subarray(0, 5)) === "07070") return "initrd";
  if (/initrd|initramfs|\.cpio/i.test(name)) return "initrd";
  const isPacked = (head[0] === 0x1f && head[1] === 0x8b) || text(head.subarray(0, 3)) === "QFI";
  if (file.size <= MAX_FLOPPY_BYTES && file.size > 0 && !isPacked) return "floppy";
  return "disk";
}
