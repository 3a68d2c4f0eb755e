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
  return new View(memory);
}

class View implements GuestView {
  readonly #memory: GuestMemory;
  #bytes: Uint8Array | undefined;
  #halves: Uint16Array = new Uint16Array();
  #data: DataView = new DataView(new ArrayBuffer());

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  get byteLength(): number {
    return this.#memory.byteLength;
  }

  get bytes(): Uint8Array {
    return this.#memory.bytes;
  }

  get words(): Int32Array {
    return this.#memory.words;
  }

  get halves(): Uint16Array {
    this.#follow();
    return this.#halves;
  }

  get data(): DataView {
    this.#follow();
    return this.#data;
  }

  /** The RAM's bytes may have come to lie in another buffer. */
  #follow(): void {
    const { bytes, byteLength } = this.#memory;
    if (bytes === this.#bytes) return;
    this.#bytes = bytes;
    this.#halves = new Uint16Array(bytes.buffer, bytes.byteOffset, byteLength >>> 1);
    this.#data = new DataView(bytes.buffer, bytes.byteOffset, byteLength);
  }
}

/** A sequentially consistent load of the 16-bit word at an even address. */
export function load16(memory: GuestView, address: number): number {
  return Atomics.load(memory.halves, address >>> 1);
}

export function store16(memory: GuestView, address: number, value: number): void {
  Atomics.store(memory.halves, address >>> 1, value);
}
