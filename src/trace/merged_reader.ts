import type { TraceReader, TraceRecord } from "./trace_ring.ts";

/** Reads the records of several threads as one sequence, in the order in which they happened. */
export class MergedReader {
  readonly #readers: readonly TraceReader[];

  constructor(readers: readonly TraceReader[]) {
    this.#readers = readers;
  }

  /** Records that were overwritten before they were read. */
  get lost(): number {
    return this.#readers.reduce((sum, { lost }) => sum + lost, 0);
  }

  /**
   * The records since the last call, copied. A clock differs from thread to thread by what it resolves (5 µs), so that
   * neighbours of different threads may be exchanged; those of one thread never are.
   */
  read(): TraceRecord[] {
    const records: TraceRecord[] = [];
    for (const reader of this.#readers) reader.read(record => records.push({ ...record }));
    // Signed difference: the clock wraps. Sorting is stable.
    return records.sort((a, b) => (a.time - b.time) | 0);
  }
}
