import type { GuestMemory } from "../guest_memory.ts";

/**
 * Guest RAM as virtqueues need it. Rings are only 2-byte aligned and indirect tables not at all, so neither can be
 * read in 32-bit words.
 */
export interface GuestView extends GuestMemory {
  /** In 16-bit words; index = address / 2. */
  readonly halves: Uint16Array;
  /** For anything of any alignment, little-endian. */
  readonly data: DataView;
}

export function guestView(memory: GuestMemory): GuestView {
  const { bytes, words, byteLength } = memory;
  return {
    bytes,
    words,
    byteLength,
    halves: new Uint16Array(bytes.buffer, bytes.byteOffset, byteLength >>> 1),
    data: new DataView(bytes.buffer, bytes.byteOffset, byteLength),
  };
}

/** A sequentially consistent load of the 16-bit word at an even address. */
export function load16(memory: GuestView, address: number): number {
  return Atomics.load(memory.halves, address >>> 1);
}

export function store16(memory: GuestView, address: number, value: number): void {
  Atomics.store(memory.halves, address >>> 1, value);
}
