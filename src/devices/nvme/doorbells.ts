import { addCounter, Counter } from "../../trace/counters.ts";
import { TraceKind } from "../../trace/trace_ring.ts";
import { Step } from "../pace.ts";
import type { AdminQueue } from "./admin/admin_queue.ts";
import { AsyncEvent } from "./admin/async_events.ts";
import type { CompletionQueues } from "./completion_queues.ts";
import type { ShadowDoorbells } from "./shadow_doorbells.ts";
import { type SharedState, SqWord } from "./shared_state.ts";
import { DOORBELL_STRIDE } from "./spec/registers.ts";
import type { SubmissionQueues } from "./submission_queues.ts";

/** Seen from the head of a queue of so many entries, does a tail lie before the last one? It has jumped over the head. */
export const isTailBehind = (tail: number, last: number, head: number, entries: number): boolean =>
  (tail - head + entries) % entries < (last - head + entries) % entries;

export interface DoorbellsOptions {
  readonly shared: SharedState;
  readonly shadows: ShadowDoorbells;
  readonly completionQueues: CompletionQueues;
  readonly submissionQueues: SubmissionQueues;
  /** Undefined while the controller is not enabled: doorbells do nothing then. */
  readonly adminQueue: () => AdminQueue | undefined;
  readonly notifyServer: () => void;
  /** Entries were freed: what waited may be posted, and the pin may fall. */
  readonly headMoved: () => void;
  /** A write that no driver should make (section 5.2, figure 149). */
  readonly bad: (qid: number, event: AsyncEvent) => void;
}

/** Doorbell writes (NVMe 1.4, sections 3.1.24 and 3.1.25). They come in the middle of guest code. */
export class Doorbells {
  readonly #options: DoorbellsOptions;

  constructor(options: DoorbellsOptions) {
    this.#options = options;
  }

  /** `offset` in bytes from the first doorbell. */
  ring(offset: number, value: number): void {
    const { shared, adminQueue } = this.#options;
    const index = offset / DOORBELL_STRIDE;
    const qid = index >> 1;
    const isTail = (index & 1) === 0;
    const admin = adminQueue();
    if (!admin || !Number.isInteger(index)) return;
    const trace = shared.vcpuTrace;
    if (trace.isOn) trace.record(isTail ? TraceKind.tailRung : TraceKind.headRung, qid, value);
    if (qid === 0) this.#ringAdmin(admin, isTail, value);
    else if (isTail) this.#ringTail(qid, value);
    else this.#ringHead(qid, value);
  }

  #ringAdmin(admin: AdminQueue, isTail: boolean, value: number): void {
    if (isTail ? !admin.ring(value) : !admin.cq.advanceHead(value)) {
      this.#options.bad(0, AsyncEvent.invalidDoorbellValue);
    } else if (isTail) {
      this.#endStep();
    }
    if (!isTail) this.#options.headMoved();
  }

  #ringTail(qid: number, tail: number): void {
    const { shared, shadows, submissionQueues, bad, notifyServer } = this.#options;
    if (!submissionQueues.exists(qid)) {
      bad(qid, AsyncEvent.invalidDoorbellRegister);
      return;
    }
    if (tail >= shared.getSq(qid, SqWord.ENTRIES)) {
      bad(qid, AsyncEvent.invalidDoorbellValue);
      return;
    }
    if (!shadows.enabled && this.#isOverfull(qid, tail)) {
      bad(qid, AsyncEvent.invalidDoorbellValue);
      return;
    }
    addCounter(shared.counters, Counter.doorbellsRung);
    // Before the server can see it: it must not be fetched in the same step.
    this.#endStep();
    shared.setSq(qid, SqWord.RUNG_TAIL, tail);
    shared.setSq(qid, SqWord.TAIL, tail);
    notifyServer();
  }

  #endStep(): void {
    const { pace } = this.#options.shared.signals;
    if (!pace.isFull) pace.take(Step.doorbell);
  }

  /** Would this tail be more entries than there is room for? It then lies behind the one that was rung before. */
  #isOverfull(qid: number, tail: number): boolean {
    const { shared } = this.#options;
    const entries = shared.getSq(qid, SqWord.ENTRIES);
    // The head may move on meanwhile, up to the last tail: it is never further than the host may know.
    const head = shared.getSq(qid, SqWord.HEAD);
    return isTailBehind(tail, shared.getSq(qid, SqWord.TAIL), head, entries);
  }

  #ringHead(qid: number, head: number): void {
    const { completionQueues, shadows, bad, headMoved } = this.#options;
    const cq = completionQueues.get(qid);
    if (!cq) {
      bad(qid, AsyncEvent.invalidDoorbellRegister);
      return;
    }
    if (!cq.advanceHead(head)) {
      bad(qid, AsyncEvent.invalidDoorbellValue);
      return;
    }
    if (shadows.enabled) shadows.armHead(cq);
    headMoved();
  }
}
