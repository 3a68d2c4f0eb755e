/** Offset of a segment that is no memory: what is read into it is dropped. */
export const DISCARD = Number.NEGATIVE_INFINITY;

/** A memory whose bytes may come to lie in another buffer, as those of a WebAssembly memory do when it grows. */
export interface MemorySource {
  readonly bytes: Uint8Array;
}

/**
 * A scatter/gather list over one memory, like QEMU's QEMUIOVector: where the data of one request lies in guest RAM.
 * Filled by the device's PRP or SGL walker, read by the block cache. One vector is reused for every request, so that
 * serving I/O allocates nothing; it grows when a request has more segments than any before.
 */
export class IoVector {
  readonly #memory: MemorySource;
  #offsets: Float64Array;
  #lengths: Uint32Array;
  /** Segments in use. */
  count = 0;
  /** Sum of the lengths. */
  byteLength = 0;
  /** Is there a segment that drops what is read into it? */
  hasDiscards = false;

  constructor(memory: MemorySource | Uint8Array, segments: number) {
    this.#memory = memory instanceof Uint8Array ? { bytes: memory } : memory;
    this.#offsets = new Float64Array(segments);
    this.#lengths = new Uint32Array(segments);
  }

  /** Guest RAM, from guest physical address 0. */
  get memory(): Uint8Array {
    return this.#memory.bytes;
  }

  /** Start of each segment: a byte offset into `memory`, or DISCARD. */
  get offsets(): Float64Array {
    return this.#offsets;
  }

  /** Length of each segment in bytes. */
  get lengths(): Uint32Array {
    return this.#lengths;
  }

  clear(): void {
    this.count = 0;
    this.byteLength = 0;
    this.hasDiscards = false;
  }

  /** Appends a segment; one that continues the last segment is merged into it. */
  add(offset: number, length: number): void {
    const last = this.count - 1;
    if (last >= 0 && this.#offsets[last] + this.#lengths[last] === offset) this.#lengths[last] += length;
    else this.#append(offset, length);
    this.byteLength += length;
  }

  /** Appends a segment that drops what is read into it. Not for writes, which it has nothing for. */
  addDiscard(length: number): void {
    this.#append(DISCARD, length);
    this.hasDiscards = true;
    this.byteLength += length;
  }

  #append(offset: number, length: number): void {
    if (this.count === this.#offsets.length) this.#grow();
    this.#offsets[this.count] = offset;
    this.#lengths[this.count] = length;
    this.count += 1;
  }

  #grow(): void {
    const offsets = new Float64Array(this.count * 2);
    const lengths = new Uint32Array(this.count * 2);
    offsets.set(this.#offsets);
    lengths.set(this.#lengths);
    this.#offsets = offsets;
    this.#lengths = lengths;
  }
}
