/**
 * A flight recorder in shared memory: one thread writes small records, the page reads them some times a second. The
 * writer never waits: what the reader was too slow for is overwritten, and the reader counts it as lost.
 */
const HEAD = 0;
const RECORDS = 16;

/** Words of a record. */
export const TraceWord = {
  /** Written last: the number of the record, so that a reader knows a half-written or overwritten one. */
  NUMBER: 0,
  KIND: 1,
  /** Microseconds on a clock that all threads share, modulo 2^32. */
  TIME: 2,
  /** What the kind says: see TraceKind. */
  A: 3,
  B: 4,
  C: 5,
  D: 6,
  E: 7,
} as const;
export const RECORD_WORDS = 8;

/** Records that a ring holds: at 100,000 events a second half a dozen looks a second lose nothing. */
export const TRACE_RECORDS = 16384;

/** What happened, and what the words A to E of its record mean. */
export const TraceKind = {
  /** A tail doorbell was written: A queue, B tail. */
  tailRung: 1,
  /** A head doorbell was written: A queue, B head. */
  headRung: 2,
  /** The sweep handed a tail over: A queue, B tail. */
  swept: 3,
  /**
   * An SQE was fetched: A queue, B its index, C opcode 7:0 and CID 31:16, D lower half of the namespace 15:0 and of
   * CDW12 31:16 (in I/O commands the number of blocks, 0's based), E CDW10 (the lower half of the LBA).
   */
  fetched: 4,
  /** The command is done, its data moved, and waits to be posted: A queue, C CID, D status. */
  done: 5,
  /** A CQE was written: A completion queue, B its index, C submission queue 15:0 and CID 31:16, D status. */
  posted: 6,
  /** An interrupt was raised: A vector, or -1 for the pin. */
  interrupt: 7,
  /** The iothread's state has changed: A the state (IothreadState), B its poll time in microseconds. */
  state: 8,
  /**
   * A fault was injected: A queue, B the rule's number, C opcode 7:0 and CID 31:16 or -1 where no command is hit, D the
   * action (tracedActions in src/devices/nvme/faults), E CDW10.
   */
  fault: 9,
  /** In slow motion only: the server has found a tail in the shadow buffer for which no doorbell came: A queue, B tail. */
  shadowSeen: 10,
  /** The vCPU thread has found a head in the shadow buffer: the guest has read what lies before. A completion queue, B head. */
  headSeen: 11,
  /** Storage has what a command waited for; what is left is to move its data: A queue, C CID 31:16. */
  ready: 12,
} as const;

export type TraceKindName = keyof typeof TraceKind;

export const traceRingBytes = (RECORDS + TRACE_RECORDS * RECORD_WORDS) * 4;

/** Browsers and Node both have it; this code is compiled without the types of either. */
declare const performance: { readonly timeOrigin: number; now(): number };

// Once: the getter takes as long as half a look at the clock.
const origin = (performance.timeOrigin * 1000) % 2 ** 32;

/** Microseconds since the Unix epoch modulo 2^32: the same in each thread of a page, within what its clock resolves. */
export const traceClock = (): number => traceTime(performance.now());

/** The same of a moment that performance.now() has told. */
const traceTime = (ms: number): number => (origin + ms * 1000) >>> 0;

/** The writing end; one thread at a time. */
export class Tracer {
  readonly #words: Int32Array;
  readonly #isOn: () => boolean;
  readonly #clock: () => number;
  /** All that is recorded now counts as one moment, and when that was, once the clock has been read. */
  #inMoment = false;
  #moment: number | undefined;

  constructor(words: Int32Array, isOn: () => boolean, clock: () => number = traceClock) {
    this.#words = words;
    this.#isOn = isOn;
    this.#clock = clock;
  }

  /** Does anybody look? Ask before calling record(), so that an unobserved event costs one load. */
  get isOn(): boolean {
    return this.#isOn();
  }

  /** What is recorded until endMoment() happens at once, as far as anybody could tell: the clock is read once, or not at all. */
  beginMoment(): void {
    this.#inMoment = true;
    this.#moment = undefined;
  }

  endMoment(): void {
    this.#inMoment = false;
  }

  /** Reads the clock (200 ns, most of what a record costs) and writes one record. */
  record(kind: number, a: number, b = 0, c = 0, d = 0, e = 0): void {
    const time = this.#inMoment ? (this.#moment ?? this.#clock()) : this.#clock();
    this.#moment = time;
    this.#write(time, kind, a, b, c, d, e);
  }

  /** The same for a thread that has just read the clock: `ms` is what performance.now() said. */
  recordAt(ms: number, kind: number, a: number, b = 0): void {
    this.#write(traceTime(ms), kind, a, b, 0, 0, 0);
  }

  #write(time: number, kind: number, a: number, b: number, c: number, d: number, e: number): void {
    const words = this.#words;
    const number = words[HEAD];
    const at = slotOf(number);
    // Invalid while it is being written, for a reader that is a lap behind.
    Atomics.store(words, at + TraceWord.NUMBER, ~number);
    words[at + TraceWord.KIND] = kind;
    words[at + TraceWord.TIME] = time;
    words[at + TraceWord.A] = a;
    words[at + TraceWord.B] = b;
    words[at + TraceWord.C] = c;
    words[at + TraceWord.D] = d;
    words[at + TraceWord.E] = e;
    Atomics.store(words, at + TraceWord.NUMBER, number);
    Atomics.store(words, HEAD, (number + 1) | 0);
  }
}

const slotOf = (number: number): number => RECORDS + (number & (TRACE_RECORDS - 1)) * RECORD_WORDS;

/** One record, as the reader hands it out; reused for the next one. */
export interface TraceRecord {
  kind: number;
  /** Microseconds modulo 2^32. */
  time: number;
  a: number;
  b: number;
  c: number;
  d: number;
  e: number;
}

/** Copies the record that begins at word `at` of what TraceReader.take() gave. */
export function loadRecord(words: Int32Array, at: number, record: TraceRecord): void {
  record.kind = words[at + TraceWord.KIND];
  record.time = words[at + TraceWord.TIME] >>> 0;
  record.a = words[at + TraceWord.A];
  record.b = words[at + TraceWord.B];
  record.c = words[at + TraceWord.C];
  record.d = words[at + TraceWord.D];
  record.e = words[at + TraceWord.E];
}

/** Calls back with each of the records in `words`, RECORD_WORDS words each. The record is reused: copy what is kept. */
export function eachRecord(words: Int32Array, call: (record: TraceRecord) => void): void {
  const record: TraceRecord = { kind: 0, time: 0, a: 0, b: 0, c: 0, d: 0, e: 0 };
  for (let at = 0; at < words.length; at += RECORD_WORDS) {
    loadRecord(words, at, record);
    call(record);
  }
}

/** The same records as objects. */
export function toRecords(words: Int32Array): TraceRecord[] {
  const records: TraceRecord[] = [];
  eachRecord(words, record => records.push({ ...record }));
  return records;
}

/** The reading end. It starts with what is written after it was made. */
export class TraceReader {
  readonly #words: Int32Array;
  #copy = new Int32Array(0);
  #next: number;
  #lost = 0;

  constructor(words: Int32Array) {
    this.#words = words;
    this.#next = Atomics.load(words, HEAD);
  }

  /** Records that were overwritten before they were read. */
  get lost(): number {
    return this.#lost;
  }

  /** The records since the last call, oldest first, RECORD_WORDS each: a copy, which the next call overwrites. */
  take(): Int32Array<ArrayBuffer> {
    const ring = this.#words;
    const head = Atomics.load(ring, HEAD);
    const behind = (head - this.#next) | 0;
    const count = Math.min(behind, TRACE_RECORDS);
    let first = (head - count) | 0;
    this.#lost += behind - count;
    this.#next = head;
    const length = count * RECORD_WORDS;
    // One for all calls: it would be megabytes a second of garbage.
    if (this.#copy.length < length) this.#copy = new Int32Array(length);
    const copy = this.#copy.subarray(0, length);
    const untilEnd = Math.min(count, TRACE_RECORDS - (first & (TRACE_RECORDS - 1))) * RECORD_WORDS;
    copy.set(ring.subarray(slotOf(first), slotOf(first) + untilEnd));
    copy.set(ring.subarray(RECORDS, RECORDS + length - untilEnd), untilEnd);
    // The writer may have come round meanwhile, and have begun with the slots of the oldest.
    let at = 0;
    for (
      ;
      at < length && Atomics.load(ring, slotOf(first) + TraceWord.NUMBER) !== first;
      at += RECORD_WORDS
    ) {
      first = (first + 1) | 0;
      this.#lost += 1;
    }
    return copy.subarray(at);
  }

  /** The last `count` records that were taken will be taken again. */
  giveBack(count: number): void {
    this.#next = (this.#next - count) | 0;
  }
}
