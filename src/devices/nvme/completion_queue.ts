import { TraceKind, type Tracer } from "../../trace/trace_ring.ts";
import type { GuestMemory } from "../guest_memory.ts";
import type { CompletionQueueState } from "./controller_state.ts";
import { CQE_BYTES } from "./spec/entries.ts";
import type { StatusCode } from "./spec/status.ts";

/** A completion that waits because its queue is full. */
interface PendingCompletion {
  readonly sqid: number;
  readonly sqHead: number;
  readonly cid: number;
  readonly status: StatusCode;
  readonly result: number;
}

/** A completion queue, as the vCPU thread keeps it (NVMe 1.4, section 4.1 and 4.6). Only that thread writes CQEs. */
export class CompletionQueue {
  readonly id: number;
  readonly base: number;
  readonly entries: number;
  readonly interruptsEnabled: boolean;
  readonly vector: number;
  readonly #memory: GuestMemory;
  readonly #trace: Tracer | undefined;
  /** Completions that found the queue full, oldest first. Bounded by the commands that may be under way. */
  readonly #waiting: PendingCompletion[] = [];
  /** Submission queues that complete here. */
  submissionQueues = 0;
  head = 0;
  tail = 0;
  #unsignalled = 0;
  /** Since when an interrupt is held back (interrupt coalescing), in milliseconds; NaN if none is. */
  heldSince = Number.NaN;
  /** Phase tag of the next entry: 1 in the first lap. */
  #phase = 1;

  constructor(
    memory: GuestMemory,
    id: number,
    base: number,
    entries: number,
    interruptsEnabled: boolean,
    vector: number,
    trace?: Tracer,
  ) {
    this.#trace = trace;
    this.#memory = memory;
    this.id = id;
    this.base = base;
    this.entries = entries;
    this.interruptsEnabled = interruptsEnabled;
    this.vector = vector;
  }

  /** Phase tag of the entry that is written next (section 4.6.1). */
  get phase(): number {
    return this.#phase;
  }

  get isEmpty(): boolean {
    return this.head === this.tail;
  }

  get isFull(): boolean {
    return this.#next(this.tail) === this.head;
  }

  /** Entries that the host has not consumed and was not told of by an interrupt. */
  get unsignalled(): number {
    return this.#unsignalled;
  }

  /** The host is told of all entries. */
  signal(): void {
    this.#unsignalled = 0;
    this.heldSince = Number.NaN;
  }

  /** The way of interrupts has changed: the host is to be told anew of what it has not consumed. */
  unsignal(): void {
    this.#unsignalled = this.used;
  }

  /** Entries that the host has not consumed. */
  get used(): number {
    return (this.tail - this.head + this.entries) % this.entries;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Is `head` between the present head and the tail? */
  mayAdvanceTo(head: number): boolean {
    if (head < 0 || head >= this.entries) return false;
    const freed = (head - this.head + this.entries) % this.entries;
    return freed <= this.used;
  }

  /** The consumer has freed entries up to `head`. False, and nothing happens, if it cannot have. */
  advanceHead(head: number): boolean {
    if (!this.mayAdvanceTo(head)) return false;
    this.head = head;
    // What the host has found by itself needs no interrupt any more.
    if (this.used < this.#unsignalled) this.#unsignalled = this.used;
    return true;
  }

  /** Posts a completion and returns true; a full queue keeps it until postWaiting() and returns false. */
  post(sqid: number, sqHead: number, cid: number, status: StatusCode, result: number): boolean {
    if (this.isFull || this.#waiting.length > 0) {
      this.#waiting.push({ sqid, sqHead, cid, status, result });
      return false;
    }
    this.#write(sqid, sqHead, cid, status, result);
    return true;
  }

  /** Posts what waited for room. Calls back with the submission queue of each completion that was posted. */
  postWaiting(posted: (sqid: number) => void): void {
    while (!this.isFull) {
      const completion = this.#waiting.shift();
      if (!completion) return;
      const { sqid, sqHead, cid, status, result } = completion;
      this.#write(sqid, sqHead, cid, status, result);
      posted(sqid);
    }
  }

  /** For a snapshot of the machine. That an interrupt is held back is not kept: it is held back anew. */
  save(): CompletionQueueState {
    const { id, base, entries, interruptsEnabled, vector, head, tail, phase, unsignalled } = this;
    const waiting = this.#waiting.map(
      ({ sqid, sqHead, cid, status, result }) => [sqid, sqHead, cid, status, result] as const,
    );
    return { id, base, entries, interruptsEnabled, vector, head, tail, phase, unsignalled, waiting };
  }

  static restore(memory: GuestMemory, state: CompletionQueueState, trace?: Tracer): CompletionQueue {
    const { id, base, entries, interruptsEnabled, vector } = state;
    const queue = new CompletionQueue(memory, id, base, entries, interruptsEnabled, vector, trace);
    queue.head = state.head;
    queue.tail = state.tail;
    queue.#phase = state.phase;
    queue.#unsignalled = state.unsignalled;
    for (const [sqid, sqHead, cid, status, result] of state.waiting) {
      queue.#waiting.push({ sqid, sqHead, cid, status, result });
    }
    return queue;
  }

  /** How many of the completions that wait for room are of this submission queue. */
  waitingOf(sqid: number): number {
    return this.#waiting.reduce((count, completion) => count + Number(completion.sqid === sqid), 0);
  }

  #write(sqid: number, sqHead: number, cid: number, status: StatusCode, result: number): void {
    const w = (this.base + this.tail * CQE_BYTES) >>> 2;
    const words = this.#memory.words;
    words[w] = result;
    words[w + 1] = 0;
    words[w + 2] = sqHead | (sqid << 16);
    // The word with the phase bit comes last: it is what tells the driver that the entry is valid.
    Atomics.store(words, w + 3, cid | (this.#phase << 16) | (status << 17));
    if (this.#trace?.isOn) {
      this.#trace.record(TraceKind.posted, this.id, this.tail, sqid | (cid << 16), status);
    }
    this.tail = this.#next(this.tail);
    if (this.tail === 0) this.#phase ^= 1;
    this.#unsignalled += 1;
  }

  #next(index: number): number {
    return index + 1 === this.entries ? 0 : index + 1;
  }
}
