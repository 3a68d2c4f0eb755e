import { commandKey } from "./command_spans.ts";
import { TraceKind, type TraceReader, type TraceRecord, traceClock } from "./trace_ring.ts";

/**
 * Microseconds by which the clocks of two threads may differ: 5 that they resolve, and what lies between their time
 * origins. Records younger than that wait for the next call, as the other thread may still write older ones.
 */
const SKEW = 1000;

interface Read {
  readonly reader: TraceReader;
  readonly record: TraceRecord;
}

/** Reads the records of several threads as one sequence, in the order in which they happened. */
export class MergedReader {
  readonly #readers: readonly TraceReader[];
  readonly #clock: () => number;
  /** Read, and not handed out. */
  #waiting: Read[] = [];
  /** I/O commands that are done and not posted. */
  readonly #done = new Set<number>();

  constructor(readers: readonly TraceReader[], clock: () => number = traceClock) {
    this.#readers = readers;
    this.#clock = clock;
  }

  /** Records that were overwritten before they were read. */
  get lost(): number {
    return this.#readers.reduce((sum, { lost }) => sum + lost, 0);
  }

  /** The records since the last call that are old enough to be in order, copied. The order of each thread is kept. */
  read(): TraceRecord[] {
    const horizon = this.#clock() - SKEW;
    const waiting = this.#waiting;
    for (const reader of this.#readers)
      reader.read(record => waiting.push({ reader, record: { ...record } }));
    // Signed difference: the clock wraps. Sorting is stable.
    waiting.sort((a, b) => (a.record.time - b.record.time) | 0);
    let taken = 0;
    for (; taken < waiting.length && ((waiting[taken].record.time - horizon) | 0) <= 0; taken++) {
      this.#putCauseFirst(waiting, taken);
    }
    return waiting.splice(0, taken).map(({ record }) => record);
  }

  /** A command is done before its completion is posted, whatever the clocks of the two threads say. */
  #putCauseFirst(list: Read[], at: number): void {
    const { kind, a, c, time } = list[at].record;
    if (kind === TraceKind.done) this.#done.add(commandKey(a, c >>> 16));
    if (kind !== TraceKind.posted || (c & 0xffff) === 0) return;
    const key = commandKey(c & 0xffff, c >>> 16);
    if (this.#done.delete(key)) return;
    const end = list.findIndex(
      ({ record }, i) =>
        i > at && record.kind === TraceKind.done && commandKey(record.a, record.c >>> 16) === key,
    );
    // It was lost, or was before the trace.
    if (end < 0 || ((list[end].record.time - time) | 0) > SKEW) return;
    const behind = list.splice(at, end + 1 - at);
    const { reader } = behind[behind.length - 1];
    const causes = behind.filter(each => each.reader === reader);
    for (const { record } of causes) record.time = time;
    list.splice(at, 0, ...causes, ...behind.filter(each => each.reader !== reader));
    this.#putCauseFirst(list, at);
  }
}
