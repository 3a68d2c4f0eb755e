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

interface Queue {
  readonly states: Map<number, EntryState>;
  /** Commands that are under way: identifier → entry. */
  readonly underWay: Map<number, number>;
}

/** Follows commands through the records of both threads, in the order in which they happened. */
export class EntryStates {
  readonly #queues = new Map<number, Queue>();
  /** "cq:index" → the command that it answers. */
  readonly #completed = new Map<string, CompletedEntry>();

  add({ kind, a, b, c }: TraceRecord): void {
    const cid = c >>> 16;
    switch (kind) {
      case TraceKind.fetched: {
        const { states, underWay } = this.#queue(a);
        // The driver uses an identifier again only once its command was answered: we have missed that.
        const before = underWay.get(cid);
        if (before !== undefined) states.set(before, "posted");
        underWay.set(cid, b);
        states.set(b, "fetched");
        return;
      }
      case TraceKind.done: {
        const { states, underWay } = this.#queue(a);
        const index = underWay.get(cid);
        if (index !== undefined) states.set(index, "done");
        return;
      }
      case TraceKind.posted: {
        const sqid = c & 0xffff;
        const { states, underWay } = this.#queue(sqid);
        const index = underWay.get(cid);
        if (index === undefined) {
          this.#completed.delete(`${a}:${b}`);
          return;
        }
        underWay.delete(cid);
        states.set(index, "posted");
        this.#completed.set(`${a}:${b}`, { sqid, sqIndex: index });
        return;
      }
    }
  }

  stateOf(qid: number, index: number): EntryState {
    return this.#queues.get(qid)?.states.get(index) ?? "unknown";
  }

  /** The command that a completion queue entry answers; undefined if it was posted before observation began. */
  completedBy(cqid: number, index: number): CompletedEntry | undefined {
    return this.#completed.get(`${cqid}:${index}`);
  }

  #queue(qid: number): Queue {
    let queue = this.#queues.get(qid);
    if (!queue) {
      queue = { states: new Map(), underWay: new Map() };
      this.#queues.set(qid, queue);
    }
    return queue;
  }
}
