/**
 * Which blocks of each chunk have changed since they were last handed to the backend: a bitmap. A chunk that has such
 * blocks is not yet durable.
 */
export class DirtyBlocks {
  readonly blockBytes: number;
  readonly #perChunk: number;
  /** Words a chunk. */
  readonly #stride: number;
  readonly #bits: Uint32Array;

  /** `blockBytes` divides `chunkBytes`. */
  constructor(chunkBytes: number, chunkCount: number, blockBytes: number) {
    this.blockBytes = blockBytes;
    this.#perChunk = chunkBytes / blockBytes;
    this.#stride = Math.ceil(this.#perChunk / 32);
    this.#bits = new Uint32Array(chunkCount * this.#stride);
  }

  has(chunk: number): boolean {
    const first = chunk * this.#stride;
    for (let word = first; word < first + this.#stride; word++) if (this.#bits[word] !== 0) return true;
    return false;
  }

  /** Notes a change of the bytes from `start` to before `end` of the chunk. */
  mark(chunk: number, start: number, end: number): void {
    const last = Math.floor((end - 1) / this.blockBytes);
    for (let block = Math.floor(start / this.blockBytes); block <= last; block++) this.#mark(chunk, block);
  }

  clear(chunk: number): void {
    this.#bits.fill(0, chunk * this.#stride, (chunk + 1) * this.#stride);
  }

  /** The changed blocks, ascending; they count as unchanged from now on. */
  take(chunk: number): number[] {
    const blocks: number[] = [];
    for (let word = 0; word < this.#stride; word++) {
      const bits = this.#bits[chunk * this.#stride + word];
      for (let bit = 0; bits >>> bit !== 0 && bit < 32; bit++) {
        if ((bits >>> bit) & 1) blocks.push(word * 32 + bit);
      }
    }
    this.clear(chunk);
    return blocks;
  }

  /** Takes back a take(): these blocks did not arrive. */
  restore(chunk: number, blocks: readonly number[]): void {
    for (const block of blocks) this.#mark(chunk, block);
  }

  #mark(chunk: number, block: number): void {
    this.#bits[chunk * this.#stride + (block >>> 5)] |= 1 << (block & 31);
  }
}
