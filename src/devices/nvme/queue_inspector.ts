import type { SavedQueue } from "../../trace/saved_trace.ts";
import type { GuestMemory } from "../guest_memory.ts";
import {
  Control,
  CqWord,
  MAX_IO_QUEUES,
  type SharedState,
  SqState,
  SqWord,
  sqShadowOffset,
} from "./shared_state.ts";
import { CQE_BYTES, SQE_BYTES } from "./spec/entries.ts";

/** The shadow doorbell buffer's words for a queue (NVMe 1.4, section 5.7 and annex B.5). */
export interface ShadowWords {
  /** What the guest has written in place of a doorbell. */
  readonly doorbell: number;
  /** The guest rings the real one when its value passes this. */
  readonly eventIdx: number;
}

export interface SubmissionQueueState {
  /** Guest physical address. */
  readonly base: number;
  readonly entries: number;
  /** Next entry that the controller fetches. */
  readonly head: number;
  /** As of the last doorbell, or of the shadow where that is newer. */
  readonly tail: number;
  /** As of the last doorbell written to the register. */
  readonly rungTail: number;
  /** Undefined while shadow doorbells are off, and for the admin queue, which never uses them in Linux. */
  readonly shadow: ShadowWords | undefined;
  /** Commands fetched and not yet posted. */
  readonly inFlight: number;
}

export interface CompletionQueueState {
  readonly id: number;
  readonly base: number;
  readonly entries: number;
  /** As the guest has told. */
  readonly head: number;
  /** Where the controller writes next. */
  readonly tail: number;
  /** Phase tag of the entry that is written next; undefined where that is not known (a saved trace). */
  readonly phase: number | undefined;
  readonly shadow: ShadowWords | undefined;
  /** Completions that wait because the queue is full. */
  readonly waiting: number;
}

export interface QueuePairState {
  /** 0 is the admin queue. */
  readonly qid: number;
  readonly sq: SubmissionQueueState;
  /** Undefined for a moment while queues come and go. */
  readonly cq: CompletionQueueState | undefined;
}

/** The queues as they are seen from outside. */
export interface QueueLook {
  /** The queue pairs that exist, the admin queue first. Calls refresh() for the next time. */
  queuePairs(): readonly QueuePairState[];
  /**
   * Has the vCPU thread write down, at its next safe point and so within milliseconds, what only it knows: completion queues and
   * the admin queue. For who calls queuePairs() seldom; it tells of them as of the last refresh.
   */
  refresh(): void;
  /** A copy of an SQE: 16 words. Undefined if there is no such entry. */
  sqe(qid: number, index: number): Uint32Array | undefined;
  /** A copy of a CQE: 4 words. Undefined if there is no such entry. */
  cqe(id: number, index: number): Uint32Array | undefined;
  /** The fields of entries that are known (src/devices/nvme/spec/decode.ts), where that is not all of them. */
  readonly knownFields?: ReadonlySet<string>;
}

/** The queue pairs that exist, as a trace names them. */
export const savedQueues = (queues: QueueLook): SavedQueue[] =>
  queues
    .queuePairs()
    .flatMap(({ qid, sq, cq }) =>
      cq ? [{ qid, entries: sq.entries, cqid: cq.id, cqEntries: cq.entries }] : [],
    );

/**
 * Looks at the queues from outside, out of shared memory, without disturbing the device. Each word is true, but two of
 * a submission queue may be of different moments. Completion queues and the admin queue are as of one safe point, that after
 * the last refresh() (queue_publication.ts).
 */
export class QueueInspector implements QueueLook {
  readonly #shared: SharedState;
  readonly #memory: GuestMemory;

  constructor(shared: SharedState, memory: GuestMemory) {
    this.#shared = shared;
    this.#memory = memory;
  }

  queuePairs(): QueuePairState[] {
    const pairs: QueuePairState[] = [];
    for (let qid = 0; qid <= MAX_IO_QUEUES; qid++) {
      if (this.#shared.getSq(qid, SqWord.STATE) === SqState.ABSENT) continue;
      pairs.push({
        qid,
        sq: this.#submissionQueue(qid),
        cq: this.#completionQueue(this.#shared.getSq(qid, SqWord.CQID)),
      });
    }
    this.refresh();
    return pairs;
  }

  refresh(): void {
    this.#shared.signals.look();
  }

  sqe(qid: number, index: number): Uint32Array | undefined {
    if (!isQueueId(qid) || this.#shared.getSq(qid, SqWord.STATE) === SqState.ABSENT) return undefined;
    return this.#entry(qid, SqWord.BASE, SqWord.ENTRIES, index, SQE_BYTES);
  }

  cqe(id: number, index: number): Uint32Array | undefined {
    if (!isQueueId(id)) return undefined;
    return this.#entry(id, CqWord.BASE, CqWord.ENTRIES, index, CQE_BYTES);
  }

  #submissionQueue(qid: number): SubmissionQueueState {
    const shared = this.#shared;
    const entries = shared.getSq(qid, SqWord.ENTRIES);
    const rungTail = shared.getSq(qid, qid === 0 ? SqWord.TAIL : SqWord.RUNG_TAIL);
    const shadow = qid === 0 ? undefined : this.#shadow(sqShadowOffset(qid));
    const tail = shadow && shadow.doorbell < entries ? shadow.doorbell : shared.getSq(qid, SqWord.TAIL);
    return {
      base: shared.getSq(qid, SqWord.BASE) >>> 0,
      entries,
      head: shared.getSq(qid, SqWord.HEAD),
      tail,
      rungTail,
      shadow,
      inFlight: qid === 0 ? 0 : Math.max(0, shared.inFlight(qid)),
    };
  }

  #completionQueue(id: number): CompletionQueueState | undefined {
    const shared = this.#shared;
    if (!isQueueId(id)) return undefined;
    const entries = shared.getSq(id, CqWord.ENTRIES);
    if (entries === 0) return undefined;
    return {
      id,
      base: shared.getSq(id, CqWord.BASE) >>> 0,
      entries,
      head: shared.getSq(id, CqWord.HEAD),
      tail: shared.getSq(id, CqWord.TAIL),
      phase: shared.getSq(id, CqWord.PHASE),
      shadow:
        id === 0 || !this.#hasShadows
          ? undefined
          : { doorbell: shared.getSq(id, CqWord.SHADOW), eventIdx: shared.getSq(id, CqWord.EVENT_IDX) },
      waiting: shared.getSq(id, CqWord.WAITING),
    };
  }

  get #hasShadows(): boolean {
    return this.#shared.getControl(Control.SHADOW_ENABLED) !== 0;
  }

  #shadow(offset: number): ShadowWords | undefined {
    const shared = this.#shared;
    if (!this.#hasShadows) return undefined;
    const word = (page: number) => {
      const at = (shared.getControl(page) >>> 0) + offset;
      return at + 4 <= this.#memory.byteLength ? Atomics.load(this.#memory.words, at >>> 2) & 0xffff : 0;
    };
    return { doorbell: word(Control.SHADOW_PAGE), eventIdx: word(Control.EVENT_IDX_PAGE) };
  }

  #entry(
    id: number,
    baseWord: number,
    entriesWord: number,
    index: number,
    bytes: number,
  ): Uint32Array | undefined {
    const shared = this.#shared;
    if (!(index >= 0 && index < shared.getSq(id, entriesWord))) return undefined;
    const at = (shared.getSq(id, baseWord) >>> 0) + index * bytes;
    if (at + bytes > this.#memory.byteLength) return undefined;
    return Uint32Array.from(this.#memory.words.subarray(at >>> 2, (at + bytes) >>> 2));
  }
}

const isQueueId = (id: number): boolean => Number.isInteger(id) && id >= 0 && id <= MAX_IO_QUEUES;
