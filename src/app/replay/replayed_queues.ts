/** The queues as far as a trace tells: positions and the main fields of entries. It has no shadow doorbells and no memory. */
import type { QueueLook, QueuePairState } from "../../devices/nvme/queue_inspector.ts";
import { NSID_ALL, Sqe } from "../../devices/nvme/spec/entries.ts";
import type { SavedQueue } from "../../trace/saved_trace.ts";
import { TraceKind, type TraceRecord } from "../../trace/trace_ring.ts";
import type { Follower } from "../watched.ts";

/** Names as in src/devices/nvme/spec/decode.ts. */
const knownFields: ReadonlySet<string> = new Set([
  "Opcode",
  "Command identifier",
  "Namespace",
  "Starting LBA",
  "Logical blocks",
  "Queue identifier",
  "Queue size",
  "CNS",
  "Log page",
  "Feature",
  "Abort queue",
  "Abort command",
  "Ranges",
  "SQ identifier",
  "Status",
]);

interface Ring {
  readonly entries: number;
  head: number;
  tail: number;
  /** Completion queues: has the trace told of a head in the shadow buffer? */
  hasShadowHeads: boolean;
  readonly words: Map<number, Uint32Array>;
}

interface Pair {
  readonly sq: Ring & { rungTail: number; inFlight: number };
  readonly cqid: number;
}

export class ReplayedQueues implements QueueLook {
  readonly knownFields = knownFields;
  readonly #pairs = new Map<number, Pair>();
  readonly #completion = new Map<number, Ring>();
  readonly #reader: Follower;
  readonly #hasShadow: boolean;

  /** With shadow doorbells (`hasShadow`) the driver rings no head doorbell. */
  constructor(queues: readonly SavedQueue[], hasShadow: boolean, reader: Follower) {
    this.#reader = reader;
    this.#hasShadow = hasShadow;
    for (const { qid, entries, cqid, cqEntries } of queues) {
      this.#pairs.set(qid, { sq: { ...ring(entries), rungTail: 0, inFlight: 0 }, cqid });
      this.#completion.set(cqid, ring(cqEntries));
    }
  }

  queuePairs(): QueuePairState[] {
    this.#follow();
    return [...this.#pairs].map(([qid, { sq, cqid }]) => {
      const { entries, head, tail, rungTail, inFlight } = sq;
      const cq = this.#completion.get(cqid);
      return {
        qid,
        sq: { base: 0, entries, head, tail, rungTail, shadow: undefined, inFlight },
        cq: cq && {
          id: cqid,
          base: 0,
          entries: cq.entries,
          head: cq.head,
          tail: cq.tail,
          phase: undefined,
          shadow: undefined,
          waiting: 0,
        },
      };
    });
  }

  /** Nothing to ask for: all is in the trace. */
  refresh(): void {}

  sqe(qid: number, index: number): Uint32Array | undefined {
    return this.#entry(this.#pairs.get(qid)?.sq, index, 16);
  }

  cqe(id: number, index: number): Uint32Array | undefined {
    return this.#entry(this.#completion.get(id), index, 4);
  }

  #entry(of: Ring | undefined, index: number, words: number): Uint32Array | undefined {
    this.#follow();
    if (!of || !(index >= 0 && index < of.entries)) return undefined;
    return of.words.get(index) ?? new Uint32Array(words);
  }

  /** Older traces do not tell shadow heads: answers are shown as read then rather than as waiting for ever. */
  #isTaken(cqid: number, cq: Ring): boolean {
    return this.#hasShadow && cqid !== 0 && !cq.hasShadowHeads;
  }

  #follow(): void {
    this.#reader.read(record => this.#add(record));
  }

  #add({ kind, a, b, c, d, e }: TraceRecord): void {
    switch (kind) {
      case TraceKind.tailRung:
      case TraceKind.swept: {
        const sq = this.#pairs.get(a)?.sq;
        if (!sq || b >= sq.entries) return;
        // Where the head was before the first fetch is not known.
        if (sq.words.size === 0) sq.head = (b + sq.entries - 1) % sq.entries;
        sq.tail = b;
        sq.rungTail = b;
        return;
      }
      case TraceKind.headRung:
      case TraceKind.headSeen: {
        const cq = this.#completion.get(a);
        if (!cq || b >= cq.entries) return;
        if (kind === TraceKind.headSeen) cq.hasShadowHeads = true;
        if (!this.#isTaken(a, cq)) cq.head = b;
        return;
      }
      case TraceKind.fetched: {
        const sq = this.#pairs.get(a)?.sq;
        if (!sq || b >= sq.entries) return;
        const next = (b + 1) % sq.entries;
        // A command that no doorbell announced: the tail is at least behind it.
        if (sq.head === sq.tail) sq.tail = next;
        sq.head = next;
        sq.inFlight += 1;
        const words = new Uint32Array(16);
        words[Sqe.CDW0] = c;
        words[Sqe.NSID] = (d & 0xffff) === 0xffff ? NSID_ALL : d & 0xffff;
        words[Sqe.CDW10] = e;
        words[Sqe.CDW12] = d >>> 16;
        sq.words.set(b, words);
        return;
      }
      case TraceKind.posted: {
        const sq = this.#pairs.get(c & 0xffff)?.sq;
        if (sq) sq.inFlight = Math.max(0, sq.inFlight - 1);
        const cq = this.#completion.get(a);
        if (!cq || b >= cq.entries) return;
        cq.tail = (b + 1) % cq.entries;
        if (this.#isTaken(a, cq)) cq.head = cq.tail;
        // The phase tag is not in the trace; one of them says that the entry is not empty.
        cq.words.set(b, Uint32Array.of(0, 0, (c & 0xffff) << 16, (c >>> 16) | (1 << 16) | (d << 17)));
        return;
      }
    }
  }
}

const ring = (entries: number): Ring => ({
  entries,
  head: 0,
  tail: 0,
  hasShadowHeads: false,
  words: new Map(),
});
