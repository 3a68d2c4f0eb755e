import { commandKey } from "./command_spans.ts";
import {
  loadRecord,
  RECORD_WORDS,
  TraceKind,
  type TraceReader,
  type TraceRecord,
  TraceWord,
  traceClock,
} from "./trace_ring.ts";

/**
 * Microseconds by which the clocks of two threads may differ: 5 that they resolve, and what lies between their time
 * origins. Records younger than that wait for the next call, as the other thread may still write older ones.
 */
const SKEW = 1000;

/** Records of one thread that were taken and are not handed out. */
class Waiting {
  readonly #reader: TraceReader;
  words = new Int32Array(0);
  at = 0;

  constructor(reader: TraceReader) {
    this.#reader = reader;
  }

  get isEmpty(): boolean {
    return this.at === this.words.length;
  }

  /** Of the oldest of them; there must be one. */
  get time(): number {
    return this.words[this.at + TraceWord.TIME];
  }

  take(): void {
    this.words = this.#reader.take();
    this.at = 0;
  }

  /** Those that are left wait in the ring. */
  giveBack(): void {
    this.#reader.giveBack((this.words.length - this.at) / RECORD_WORDS);
  }

  /** Where the end of the command lies that is said to have ended before `time`; -1 if it is not there. */
  findDone(key: number, time: number): number {
    for (let at = this.at; at < this.words.length; at += RECORD_WORDS) {
      if (((this.words[at + TraceWord.TIME] - time) | 0) > SKEW) break;
      if (this.words[at + TraceWord.KIND] !== TraceKind.done) continue;
      if (commandKey(this.words[at + TraceWord.A], this.words[at + TraceWord.C] >>> 16) === key) return at;
    }
    return -1;
  }
}

/** Reads the records of several threads as one sequence, in the order in which they happened. */
export class MergedReader {
  readonly #readers: readonly TraceReader[];
  readonly #clock: () => number;
  readonly #waiting: readonly Waiting[];
  /** I/O commands that are done and not posted. */
  readonly #done = new Set<number>();
  // Hundreds of thousands a second come by: an object for each would keep the garbage collector busy.
  readonly #record: TraceRecord = { kind: 0, time: 0, a: 0, b: 0, c: 0, d: 0, e: 0 };

  constructor(readers: readonly TraceReader[], clock: () => number = traceClock) {
    this.#readers = readers;
    this.#waiting = readers.map(reader => new Waiting(reader));
    this.#clock = clock;
  }

  /** Records that were overwritten before they were read. */
  get lost(): number {
    return this.#readers.reduce((sum, { lost }) => sum + lost, 0);
  }

  /**
   * Calls back with the records since the last call that are old enough to be in order. The order of each thread is kept.
   * The record is reused: copy what is kept.
   */
  read(each: (record: TraceRecord) => void): void {
    const horizon = this.#clock() - SKEW;
    for (const waiting of this.#waiting) waiting.take();
    for (;;) {
      const oldest = this.#oldest();
      // Signed difference: the clock wraps.
      if (!oldest || ((oldest.time - horizon) | 0) > 0) break;
      this.#putCauseFirst(oldest, each);
      this.#handOut(oldest, oldest.time, each);
    }
    for (const waiting of this.#waiting) waiting.giveBack();
  }

  /** The same records, as copies. */
  take(): TraceRecord[] {
    const records: TraceRecord[] = [];
    this.read(record => records.push({ ...record }));
    return records;
  }

  #oldest(): Waiting | undefined {
    let oldest: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if (waiting.isEmpty) continue;
      if (!oldest || ((waiting.time - oldest.time) | 0) < 0) oldest = waiting;
    }
    return oldest;
  }

  #handOut(from: Waiting, time: number, each: (record: TraceRecord) => void): void {
    const record = this.#record;
    loadRecord(from.words, from.at, record);
    record.time = time >>> 0;
    from.at += RECORD_WORDS;
    if (record.kind === TraceKind.done) this.#done.add(commandKey(record.a, record.c >>> 16));
    each(record);
  }

  /** A command is done before its completion is posted, whatever the clocks of the two threads say. */
  #putCauseFirst({ words, at, time }: Waiting, each: (record: TraceRecord) => void): void {
    if (words[at + TraceWord.KIND] !== TraceKind.posted) return;
    const command = words[at + TraceWord.C];
    if ((command & 0xffff) === 0) return;
    const key = commandKey(command & 0xffff, command >>> 16);
    if (!this.#done.delete(key)) {
      for (const waiting of this.#waiting) {
        const end = waiting.findDone(key, time);
        // Where there is none, it was lost, or was before the trace.
        while (waiting.at <= end) this.#handOut(waiting, time, each);
      }
      this.#done.delete(key);
    }
  }
}
