/** What can be put into the drives of v86's PC. */
import type { DiskBuffer } from "./disk_buffer.ts";

/** v86's own idea of a medium (its SyncBuffer): what its IDE drives call. Offsets and lengths in bytes. */
export interface V86Buffer {
  readonly byteLength: number;
  onload?: (event: object) => void;
  load(): void;
  get(start: number, length: number, done: (data: Uint8Array) => void): void;
  /** As get(), after which get_from_cache() has it. */
  get_and_cache(start: number, length: number, done: (data: Uint8Array) => void): void;
  /** Undefined where that would have to wait. */
  get_from_cache(start: number, length: number): Uint8Array | undefined;
  set(start: number, data: Uint8Array, done: () => void): void;
  get_buffer(done: (buffer?: ArrayBuffer) => void): void;
  get_state(): unknown[];
  set_state(state: unknown[]): void;
}

/** Where the firmware looks for something to boot. */
export type BootDevice = "floppy" | "cdrom" | "disk";

export interface Media {
  readonly cdrom?: V86Buffer | undefined;
  /** Bytes of a floppy disk. What the guest writes is gone with the boot. */
  readonly floppy?: ArrayBuffer | undefined;
  /** Master and slave of the first IDE channel. */
  readonly ideDisks: readonly DiskBuffer[];
  readonly bootOrder: readonly BootDevice[];
}

/** As the firmware finds it in the PC's CMOS memory: a digit for each device, the first one lowest. */
export function bootOrderDigits(order: readonly BootDevice[]): number {
  const digits = { floppy: 1, disk: 2, cdrom: 3 } as const;
  return order.reduce((number, device, index) => number | (digits[device] << (4 * index)), 0);
}

/** v86's options for them. */
export function mediaOptions({ cdrom, floppy, ideDisks, bootOrder }: Media): object {
  const [hda, hdb] = ideDisks;
  return {
    ...(cdrom && { cdrom }),
    ...(floppy && { fda: { buffer: floppy } }),
    ...(hda && { hda }),
    ...(hdb && { hdb }),
    ...(bootOrder.length > 0 && { boot_order: bootOrderDigits(bootOrder) }),
  };
}
