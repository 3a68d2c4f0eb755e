/** A machine of one's own: what is in its drives, beside the settings that all machines have. Types and checks only. */
import type { BootDevice } from "../v86/media.ts";

export type { BootDevice } from "../v86/media.ts";

/** Which controller the machine's disks hang on. Old systems know IDE alone. */
export type DiskBus = "nvme" | "virtio" | "ide";

/** Where an image comes from: a file of this computer, or the absolute address of one on a web server. */
export type ImageSource =
  | { readonly kind: "file"; readonly name: string; readonly blob: Blob }
  | { readonly kind: "url"; readonly url: string };

export type OwnDisk =
  /** A disk of the catalogue, which the machine writes to. */
  | { readonly kind: "kept"; readonly id: string; readonly name: string }
  /** An image on a server; what is written stays in memory. */
  | { readonly kind: "url"; readonly url: string };

export interface OwnMachine {
  /** By which this browser keeps it, and snapshots know it; absent for one that a link describes. */
  readonly id?: string | undefined;
  readonly name: string;
  /** Read as the guest asks for it. */
  readonly cdrom?: ImageSource | undefined;
  /** Loaded at each boot. What the guest writes to it is gone with the boot. */
  readonly floppy?: ImageSource | undefined;
  /** A Linux kernel (bzImage) that is put into the guest's memory: then nothing else is booted. */
  readonly kernel?: ImageSource | undefined;
  readonly initrd?: ImageSource | undefined;
  /** Of the kernel. */
  readonly commandLine: string;
  readonly disks: readonly OwnDisk[];
  readonly bus: DiskBus;
  /** Where the firmware looks first, in this order. */
  readonly bootOrder: readonly BootDevice[];
}

/** Disks that a machine can have on a controller. */
export const MOST_DISKS: Readonly<Record<DiskBus, number>> = { nvme: 8, virtio: 1, ide: 2 };

/** v86 puts an initrd here, in bytes. */
const INITRD_ADDRESS = 64 * 2 ** 20;
/** Sizes of floppy disks in KiB, as PCs had them; and those that an image of another size is padded to. */
const FLOPPY_KIB: readonly number[] = [160, 180, 320, 360, 640, 720, 800, 1200, 1440, 1680, 1722, 1920, 2880];
const PADDED_KIB: readonly number[] = [1440, 2880];

/** Most bytes of a floppy disk's image. */
export const MAX_FLOPPY_BYTES = 2880 * 1024;
/** Most bytes of a kernel or an initrd: they go through memory twice. */
export const MAX_KERNEL_BYTES = 512 * 2 ** 20;

export function sourceName(source: ImageSource): string {
  return source.kind === "file" ? source.name : source.url;
}

/** What is wrong with a machine as a whole, as a sentence; undefined if nothing is. */
export function problemOf(machine: OwnMachine): string | undefined {
  const { cdrom, floppy, kernel, initrd, disks, bus, commandLine } = machine;
  const most = MOST_DISKS[bus];
  if (disks.length > most) {
    const names = { nvme: "NVMe", virtio: "virtio", ide: "IDE" };
    return `A machine can have ${most === 1 ? "one disk" : `${most} disks`} on ${names[bus]}, and this one has ${disks.length}. Take some out, or choose another controller.`;
  }
  if (initrd && !kernel)
    return "An initrd goes with a kernel: add the kernel (bzImage), or leave the initrd out.";
  if (commandLine !== "" && !kernel)
    return "A command line goes with a kernel: add the kernel (bzImage), or leave it out.";
  if (!cdrom && !floppy && !kernel && disks.length === 0) {
    return "There is nothing to boot from: add a CD image (ISO), a disk, a floppy image, or a kernel.";
  }
  return undefined;
}

/** Throws a sentence if these bytes are not what Linux's boot protocol calls a bzImage. */
export function checkKernel(name: string, image: ArrayBuffer): void {
  const bytes = new Uint8Array(image);
  const magic = String.fromCharCode(...bytes.subarray(0x202, 0x206));
  if (magic === "HdrS" && bytes[0x1fe] === 0x55 && bytes[0x1ff] === 0xaa) return;
  const is =
    bytes[0] === 0x7f && bytes[1] === 0x45
      ? "an ELF file (a vmlinux?)"
      : bytes[0] === 0x1f && bytes[1] === 0x8b
        ? "packed with gzip"
        : "something else";
  throw new Error(
    `${name} is no Linux kernel that can be booted: it is ${is}. Give the bzImage (Debian calls it vmlinuz).`,
  );
}

/** Throws a sentence if an initrd of so many bytes does not fit. */
export function checkInitrdFits(initrdBytes: number, memoryMiB: number): void {
  // The kernel unpacks it beside itself.
  const needed = Math.ceil((INITRD_ADDRESS + 2 * initrdBytes) / 2 ** 20);
  if (initrdBytes === 0 || memoryMiB >= needed) return;
  throw new Error(
    `This initrd needs a machine with at least ${needed} MiB of memory; this one has ${memoryMiB}.`,
  );
}

/** The floppy's bytes as a disk that a drive knows: padded up to the next size. Throws a sentence if it is too large. */
export function asFloppy(name: string, image: ArrayBuffer): ArrayBuffer {
  if (FLOPPY_KIB.includes(image.byteLength / 1024)) return image;
  const size = PADDED_KIB.map(kib => kib * 1024).find(bytes => bytes >= image.byteLength);
  if (size === undefined || image.byteLength === 0) {
    throw new Error(
      `${name} has ${image.byteLength} bytes, which is no size of a floppy disk (up to ${MAX_FLOPPY_BYTES} bytes; mostly 1474560).`,
    );
  }
  const padded = new Uint8Array(size);
  padded.set(new Uint8Array(image));
  return padded.buffer;
}
