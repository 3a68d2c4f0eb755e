import { CompletionRing } from "../eventloop/completion_ring.ts";
import { DISCARD, type IoVector } from "../storage/io_vector.ts";

/** Words of a record: [start, end) of guest memory. */
const START = 0;
const END = 1;
const RECORD_WORDS = 2;
const RECORDS = 16384;
/** The word behind the ring: records that did not fit, wrapping. */
const DROPPED_BYTES = 64;

/**
 * Ranges of guest memory that DMA has written, on their way from the serving side to the vCPU thread, where v86's JIT
 * must forget the code that it compiled from them. A range is published before the completion that it belongs to, so
 * whoever takes completions takes all ranges first.
 */
export class DmaRanges {
  static readonly byteLength = CompletionRing.byteLength(RECORDS, RECORD_WORDS) + DROPPED_BYTES;

  readonly #ring: CompletionRing;
  readonly #dropped: Int32Array;
  #droppedSeen = 0;

  constructor(buffer: SharedArrayBuffer, byteOffset: number) {
    this.#dropped = new Int32Array(buffer, byteOffset, 1);
    this.#ring = new CompletionRing(buffer, byteOffset + DROPPED_BYTES, RECORDS, RECORD_WORDS);
  }

  /** Serving side. */
  add(start: number, end: number): void {
    const record = this.#ring.reserve();
    if (record < 0) {
      Atomics.add(this.#dropped, 0, 1);
      return;
    }
    this.#ring.words[record + START] = start;
    this.#ring.words[record + END] = end;
    this.#ring.publish();
  }

  /** Serving side: all segments of a vector. */
  addVector(vector: IoVector): void {
    const { offsets, lengths, count } = vector;
    for (let i = 0; i < count; i++) {
      if (offsets[i] !== DISCARD) this.add(offsets[i], offsets[i] + lengths[i]);
    }
  }

  /**
   * vCPU thread: calls back once for each run of ranges that follow on one another. If ranges were dropped because the
   * ring was full, any of the `ramBytes` bytes may have been written.
   */
  take(ramBytes: number, written: (start: number, end: number) => void): void {
    const ring = this.#ring;
    const dropped = Atomics.load(this.#dropped, 0);
    if (dropped !== this.#droppedSeen) {
      this.#droppedSeen = dropped;
      ring.clear();
      written(0, ramBytes);
      return;
    }
    let start = 0;
    let end = 0;
    for (let record = ring.peek(); record >= 0; record = ring.peek()) {
      const nextStart = ring.words[record + START] >>> 0;
      const nextEnd = ring.words[record + END] >>> 0;
      ring.release();
      if (nextStart !== end) {
        if (end > start) written(start, end);
        start = nextStart;
      }
      end = nextEnd;
    }
    if (end > start) written(start, end);
  }
}
