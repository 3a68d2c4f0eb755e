/**
 * Guest physical memory as a device on the bus sees it: RAM from address 0, shared with the vCPU thread. Addresses are
 * plain numbers (guest physical addresses reach at most 2^64, RAM ends far below 2^53). Do not keep `bytes` and `words`:
 * where the RAM is not shared they change when the memory that it lies in grows.
 */
export interface GuestMemory {
  readonly bytes: Uint8Array;
  /** The same RAM in little-endian words; index = address / 4. */
  readonly words: Int32Array;
  readonly byteLength: number;
}

/** The VGA window: addresses in it are not RAM, though RAM lies underneath. */
const VGA_START = 0xa0000;
const VGA_END = 0xc0000;

export function createGuestMemory(
  buffer: SharedArrayBuffer | ArrayBuffer,
  byteOffset: number,
  byteLength: number,
): GuestMemory {
  return {
    bytes: new Uint8Array(buffer, byteOffset, byteLength),
    words: new Int32Array(buffer, byteOffset, byteLength >>> 2),
    byteLength,
  };
}

/** May a device read and write all of this range? */
export function isRam(memory: GuestMemory, address: number, byteLength: number): boolean {
  const end = address + byteLength;
  return end <= memory.byteLength && (end <= VGA_START || address >= VGA_END);
}

/** Joins the halves of a 64-bit address. Inexact above 2^53, which is outside any RAM. */
export function address64(low: number, high: number): number {
  return (low >>> 0) + (high >>> 0) * 0x1_0000_0000;
}
