import { addCounter, Counter } from "../../trace/counters.ts";
import { TraceKind } from "../../trace/trace_ring.ts";
import { type GuestMemory, isRam } from "../guest_memory.ts";
import type { CompletionQueue } from "./completion_queue.ts";
import type { ControllerState } from "./controller_state.ts";
import {
  Control,
  cqShadowOffset,
  MAX_IO_QUEUES,
  type SharedState,
  SqState,
  SqWord,
  sqShadowOffset,
} from "./shared_state.ts";
import { PAGE_BYTES, PAGE_MASK } from "./spec/registers.ts";
import { Status, type StatusCode } from "./spec/status.ts";

/** What shadow doorbells need of their controller. */
export interface ShadowDoorbellHost {
  /** With MSI-X nothing has to be told of each move of a head; the pin has to fall. */
  msixEnabled(): boolean;
  notifyServer(): void;
  /** The guest has announced a tail that is none. */
  badTail(qid: number): void;
}

/** In the list of unfetched tails: this one was reported as bad, once is enough. */
const BAD_TAIL = 0x10000;

/**
 * The vCPU thread's side of shadow doorbells (NVMe 1.4, section 5.7 and annex B.5): where the pages are, the heads
 * that the guest writes there, and the sweep that saves lost doorbells. The tails are the serving side's (IoServer).
 */
export class ShadowDoorbells {
  readonly #memory: GuestMemory;
  readonly #shared: SharedState;
  readonly #host: ShadowDoorbellHost;
  /** Unfetched tails as of the last safe point, by queue: -1 where there was none, BAD_TAIL + what was reported. */
  readonly #unfetched = new Int32Array(MAX_IO_QUEUES + 1).fill(-1);

  constructor(memory: GuestMemory, shared: SharedState, host: ShadowDoorbellHost) {
    this.#memory = memory;
    this.#shared = shared;
    this.#host = host;
  }

  get enabled(): boolean {
    return this.#shared.control[Control.SHADOW_ENABLED] !== 0;
  }

  /** The tail that the guest has written for a submission queue, unchecked. */
  tail(qid: number): number {
    return this.#shadow(sqShadowOffset(qid));
  }

  /** The head that the guest has written for a completion queue, unchecked, and its EventIdx; 0 while they are off. */
  headWords(cqid: number): { readonly shadow: number; readonly eventIdx: number } {
    if (!this.enabled) return { shadow: 0, eventIdx: 0 };
    const eventIdxPage = this.#shared.control[Control.EVENT_IDX_PAGE] >>> 0;
    const eventIdx = Atomics.load(this.#memory.words, (eventIdxPage + cqShadowOffset(cqid)) >>> 2) & 0xffff;
    return { shadow: this.#shadow(cqShadowOffset(cqid)), eventIdx };
  }

  /** All of it dies with a controller reset (museum 3). */
  disable(): void {
    this.#shared.setControl(Control.SHADOW_ENABLED, 0);
    this.#unfetched.fill(-1);
  }

  /** A queue that is created while shadow doorbells are on starts with shadow and EventIdx 0. */
  resetQueue(kind: "sq" | "cq", qid: number): void {
    if (kind === "sq") this.#unfetched[qid] = -1;
    if (!this.enabled) return;
    // Whatever an earlier queue of this id left behind must not be taken for a tail or head (museum 5).
    const offset = kind === "sq" ? sqShadowOffset(qid) : cqShadowOffset(qid);
    const { control } = this.#shared;
    this.#store(control[Control.SHADOW_PAGE] >>> 0, offset, 0);
    this.#store(control[Control.EVENT_IDX_PAGE] >>> 0, offset, 0);
  }

  /** The command; a second one while one is in force moves the buffers (museum 7). */
  enable(
    shadowPage: number,
    eventIdxPage: number,
    completionQueues: readonly CompletionQueue[],
    submissionQueueExists: (qid: number) => boolean,
  ): StatusCode {
    const usable = (page: number) =>
      page !== 0 && (page & PAGE_MASK) === 0 && isRam(this.#memory, page, PAGE_BYTES);
    if (!usable(shadowPage) || !usable(eventIdxPage)) return Status.invalidField;
    const shared = this.#shared;
    // Where a queue that exists starts from. Linux re-enables a controller, starts its queues with the cleared pages of
    // the time before, and only then sends this command: what it has elided until now stands in the new page alone. A
    // page that says nothing (0) is told where the doorbells stand, or the shadows in force until now, which are never
    // off in between: the doorbell words lie behind them.
    const adopt = (offset: number, known: number, isValid: (value: number) => boolean) => {
      const theirs = Atomics.load(this.#memory.words, (shadowPage + offset) >>> 2);
      const value = theirs !== 0 && isValid(theirs) ? theirs : known;
      this.#store(shadowPage, offset, value);
      this.#store(eventIdxPage, offset, value);
    };
    for (let qid = 1; qid <= MAX_IO_QUEUES; qid++) {
      if (!submissionQueueExists(qid)) continue;
      const known = this.enabled ? this.tail(qid) : shared.getSq(qid, SqWord.TAIL);
      const entries = shared.getSq(qid, SqWord.ENTRIES);
      adopt(sqShadowOffset(qid), known, tail => tail > 0 && tail < entries);
    }
    for (const cq of completionQueues) adopt(cqShadowOffset(cq.id), cq.head, head => cq.mayAdvanceTo(head));
    shared.setControl(Control.EVENT_IDX_PAGE, eventIdxPage);
    shared.setControl(Control.SHADOW_PAGE, shadowPage);
    shared.setControl(Control.SHADOW_ENABLED, 1);
    return Status.success;
  }

  /** For a snapshot of the machine: the doorbells themselves are in guest memory. */
  save(): ControllerState["shadow"] {
    if (!this.enabled) return undefined;
    const { control } = this.#shared;
    return {
      shadowPage: control[Control.SHADOW_PAGE] >>> 0,
      eventIdxPage: control[Control.EVENT_IDX_PAGE] >>> 0,
    };
  }

  restore(state: ControllerState["shadow"]): void {
    if (!state) return;
    this.#shared.setControl(Control.EVENT_IDX_PAGE, state.eventIdxPage | 0);
    this.#shared.setControl(Control.SHADOW_PAGE, state.shadowPage | 0);
    this.#shared.setControl(Control.SHADOW_ENABLED, 1);
  }

  /** Learns from the guest's shadows which CQ entries are free. */
  readHeads(completionQueues: readonly CompletionQueue[]): void {
    for (const cq of completionQueues) {
      if (cq.isEmpty && cq.waiting === 0) continue;
      const head = this.#shadow(cqShadowOffset(cq.id));
      if (head === cq.head || !cq.advanceHead(head)) continue;
      this.armHead(cq);
      const { vcpuTrace } = this.#shared;
      if (vcpuTrace.isOn) vcpuTrace.record(TraceKind.headSeen, cq.id, head);
    }
  }

  /**
   * EventIdx of a completion queue: the head itself, so that the next move of the head rings (never the tail: then a
   * full queue's guest would never tell, museum 2). The pin needs to know of each move, to fall when the queue is
   * empty. With MSI-X nothing depends on it, and the EventIdx stays behind: a full queue's shadow head is read at each
   * safe point.
   */
  armHead(cq: CompletionQueue): void {
    if (this.#host.msixEnabled()) return;
    this.#store(this.#shared.control[Control.EVENT_IDX_PAGE] >>> 0, cqShadowOffset(cq.id), cq.head);
  }

  /**
   * Hands over shadow tails that the serving side has not fetched (rule 2 of the design). A guest's mb() is no fence
   * for the other thread, so "write shadow, read EventIdx" may miss a serving side that is just falling asleep. Only
   * this thread sees the guest's stores in order.
   *
   * A tail is handed over when it is still unfetched at a second safe point, because at the first one the guest may
   * be about to ring by itself; or at once, when the guest goes idle.
   */
  sweep(idle: boolean): void {
    const highest = this.#shared.control[Control.HIGHEST_SQ];
    for (let qid = 1; qid <= highest; qid++) {
      if (this.#shared.getSq(qid, SqWord.STATE) === SqState.ACTIVE) this.#sweepQueue(qid, idle);
    }
  }

  #sweepQueue(qid: number, idle: boolean): void {
    const shared = this.#shared;
    const tail = this.tail(qid);
    if (tail === shared.getSq(qid, SqWord.HEAD)) {
      this.#unfetched[qid] = -1;
      return;
    }
    // Rung and not yet looked at, or reported as no tail at all. (That TAIL has the same value says nothing: it may
    // be a doorbell of a lap ago.)
    if (shared.serverNotifier.isSet || this.#unfetched[qid] === BAD_TAIL + tail) return;
    if (!idle && this.#unfetched[qid] !== tail) {
      this.#unfetched[qid] = tail;
      return;
    }
    if (tail >= shared.getSq(qid, SqWord.ENTRIES)) {
      this.#unfetched[qid] = BAD_TAIL + tail;
      this.#host.badTail(qid);
      return;
    }
    this.#unfetched[qid] = -1;
    shared.setSq(qid, SqWord.TAIL, tail);
    // An awake server finds it by itself; one that sleeps has missed it.
    if (shared.serverNotifier.ownerIsAsleep) {
      addCounter(shared.counters, Counter.doorbellsSwept);
      if (shared.vcpuTrace.isOn) shared.vcpuTrace.record(TraceKind.swept, qid, tail);
    }
    this.#host.notifyServer();
  }

  #shadow(offset: number): number {
    const page = this.#shared.control[Control.SHADOW_PAGE] >>> 0;
    return Atomics.load(this.#memory.words, (page + offset) >>> 2) & 0xffff;
  }

  #store(page: number, offset: number, value: number): void {
    Atomics.store(this.#memory.words, (page + offset) >>> 2, value);
  }
}
