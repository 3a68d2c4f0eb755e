/**
 * A single-producer, single-consumer ring of fixed-size records in shared memory: how the iothread hands completions
 * to the vCPU thread. The producer writes a record with plain stores and publishes it with one atomic store of the
 * head; the consumer frees it with one atomic store of the tail. Indices run freely and wrap at 2^32.
 */
const HEAD = 0;
const TAIL = 16;
const RECORDS = 32;

export class CompletionRing {
  readonly capacity: number;
  readonly recordWords: number;
  readonly #words: Int32Array;
  readonly #mask: number;

  /** Bytes for a ring of `capacity` (a power of two) records of `recordWords` 32-bit words. */
  static byteLength(capacity: number, recordWords: number): number {
    return (RECORDS + capacity * recordWords) * 4;
  }

  constructor(buffer: SharedArrayBuffer, byteOffset: number, capacity: number, recordWords: number) {
    if ((capacity & (capacity - 1)) !== 0)
      throw new RangeError(`ring capacity ${capacity} is no power of two`);
    this.capacity = capacity;
    this.recordWords = recordWords;
    this.#mask = capacity - 1;
    this.#words = new Int32Array(buffer, byteOffset, RECORDS + capacity * recordWords);
  }

  /** The words that all records lie in. */
  get words(): Int32Array {
    return this.#words;
  }

  /** Records that wait for the consumer. Either side may ask. */
  get length(): number {
    return (Atomics.load(this.#words, HEAD) - Atomics.load(this.#words, TAIL)) | 0;
  }

  /** Producer: index of the word where the next record goes, or -1 if the ring is full. publish() hands it over. */
  reserve(): number {
    const head = this.#words[HEAD];
    if (((head - Atomics.load(this.#words, TAIL)) | 0) >= this.capacity) return -1;
    return RECORDS + (head & this.#mask) * this.recordWords;
  }

  /** Producer: makes the reserved record visible. */
  publish(): void {
    Atomics.store(this.#words, HEAD, (this.#words[HEAD] + 1) | 0);
  }

  /** Consumer: index of the first word of the oldest record, or -1 if there is none. release() frees it. */
  peek(): number {
    const tail = this.#words[TAIL];
    if (Atomics.load(this.#words, HEAD) === tail) return -1;
    return RECORDS + (tail & this.#mask) * this.recordWords;
  }

  /** Consumer: frees the record that peek() showed. */
  release(): void {
    Atomics.store(this.#words, TAIL, (this.#words[TAIL] + 1) | 0);
  }

  /** Consumer: drops all records, after a reset. */
  clear(): void {
    Atomics.store(this.#words, TAIL, Atomics.load(this.#words, HEAD));
  }
}
