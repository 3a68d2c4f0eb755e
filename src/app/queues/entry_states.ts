/** Where each submission queue entry is on its way, learnt from the trace. */
import { TraceKind, type TraceRecord } from "../../trace/trace_ring.ts";

export type EntryState =
  /** Nothing is known: not seen since observation began. */
  | "unknown"
  /** Fetched by the controller; its data is on the way. */
  | "fetched"
  /** Its data has moved; the completion waits to be posted. */
  | "done"
  /** Its completion queue entry is written. */
  | "posted";

/** Which command a completion queue entry answers. */
export interface CompletedEntry {
  readonly sqid: number;
  readonly sqIndex: number;
}

/** By number, so that a queue's states fit into a byte each. */
const states = ["unknown", "fetched", "done", "posted"] as const satisfies readonly EntryState[];
const [UNKNOWN, FETCHED, DONE, POSTED] = [0, 1, 2, 3];

/** Indexes, identifiers and queue numbers have 16 bits. */
const ALL = 0x10000;
const NONE = -1;
/** More than any controller here has: a broken file that is played may name all of 65,536. */
const MAX_QUEUES = 64;

/** Arrays rather than maps: ten thousands of commands a second come by. */
class Queue {
  /** Of the submission queue's entries. */
  readonly states = new Uint8Array(ALL);
  /** Commands that are under way: identifier → entry. */
  readonly underWay = new Int32Array(ALL).fill(NONE);
  /** Of the completion queue's entries: the command that they answer, submission queue 31:16 and entry 15:0. */
  readonly completed = new Uint32Array(ALL);
  /** Is it known? */
  readonly isCompleted = new Uint8Array(ALL);
}

/** Follows commands through the records of both threads, in the order in which they happened. */
export class EntryStates {
  readonly #queues = new Map<number, Queue>();

  add({ kind, a, b, c }: TraceRecord): void {
    const cid = c >>> 16;
    switch (kind) {
      case TraceKind.fetched: {
        const queue = this.#queue(a);
        if (!queue) return;
        // The driver uses an identifier again only once its command was answered: we have missed that.
        const before = queue.underWay[cid];
        if (before !== NONE) queue.states[before] = POSTED;
        queue.underWay[cid] = b & 0xffff;
        queue.states[b & 0xffff] = FETCHED;
        return;
      }
      case TraceKind.done: {
        const queue = this.#queue(a);
        const index = queue?.underWay[cid] ?? NONE;
        if (queue && index !== NONE) queue.states[index] = DONE;
        return;
      }
      case TraceKind.posted: {
        const sqid = c & 0xffff;
        const submission = this.#queue(sqid);
        const completion = this.#queue(a);
        if (!submission || !completion) return;
        const index = submission.underWay[cid];
        completion.isCompleted[b & 0xffff] = index === NONE ? 0 : 1;
        if (index === NONE) return;
        submission.underWay[cid] = NONE;
        submission.states[index] = POSTED;
        completion.completed[b & 0xffff] = (sqid << 16) | index;
        return;
      }
    }
  }

  stateOf(qid: number, index: number): EntryState {
    return states[this.#queues.get(qid)?.states[index] ?? UNKNOWN];
  }

  /** The command that a completion queue entry answers; undefined if it was posted before observation began. */
  completedBy(cqid: number, index: number): CompletedEntry | undefined {
    const queue = this.#queues.get(cqid);
    if (!queue?.isCompleted[index]) return undefined;
    const command = queue.completed[index];
    return { sqid: command >>> 16, sqIndex: command & 0xffff };
  }

  #queue(id: number): Queue | undefined {
    let queue = this.#queues.get(id);
    if (!queue && this.#queues.size < MAX_QUEUES) {
      queue = new Queue();
      this.#queues.set(id, queue);
    }
    return queue;
  }
}
