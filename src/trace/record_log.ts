import { RECORD_WORDS, type TraceRecord, TraceWord } from "./trace_ring.ts";

/** Keeps the latest records, in one block of memory: as objects they would keep the garbage collector busy. */
export class RecordLog {
  readonly #capacity: number;
  #words = new Int32Array(0);
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Copies the record; when there is no room, the oldest one goes. */
  add(record: TraceRecord): void {
    // Not before something happens: most of it is never touched by who only looks at an idle machine.
    if (this.#words.length === 0) this.#words = new Int32Array(this.#capacity * RECORD_WORDS);
    const words = this.#words;
    const at = (this.#count++ % this.#capacity) * RECORD_WORDS;
    words[at + TraceWord.KIND] = record.kind;
    words[at + TraceWord.TIME] = record.time;
    words[at + TraceWord.A] = record.a;
    words[at + TraceWord.B] = record.b;
    words[at + TraceWord.C] = record.c;
    words[at + TraceWord.D] = record.d;
    words[at + TraceWord.E] = record.e;
  }

  clear(): void {
    this.#count = 0;
  }

  /** A copy of all, oldest first, RECORD_WORDS words each. */
  get words(): Int32Array<ArrayBuffer> {
    const [oldest, kept] = [this.#count % this.#capacity, Math.min(this.#count, this.#capacity)];
    if (kept < this.#capacity) return this.#words.slice(0, kept * RECORD_WORDS);
    const words = new Int32Array(this.#words.length);
    words.set(this.#words.subarray(oldest * RECORD_WORDS));
    words.set(this.#words.subarray(0, oldest * RECORD_WORDS), (kept - oldest) * RECORD_WORDS);
    return words;
  }
}
