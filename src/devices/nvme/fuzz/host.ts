import {
  type Command,
  type Cqe,
  headDoorbell,
  needEvent,
  putCommand,
  type Rig,
  tailDoorbell,
} from "../testing/driver.ts";
import type { Template } from "./template.ts";

/** A submission queue as its host keeps it. */
export interface HostSq {
  readonly qid: number;
  readonly base: number;
  readonly entries: number;
  readonly cqid: number;
  tail: number;
  /** As of the last completion. */
  head: number;
  /** Commands that were announced and are not answered, by identifier. */
  readonly outstanding: Map<number, Template | undefined>;
}

/** A completion queue as its host keeps it. */
export interface HostCq {
  readonly qid: number;
  readonly base: number;
  readonly entries: number;
  head: number;
  phase: number;
}

export const isFull = ({ tail, head, entries }: HostSq): boolean => (tail + 1) % entries === head;

/** A completion, and the command that it is of. */
export interface Answer {
  readonly cqe: Cqe;
  readonly sq: HostSq;
  readonly template: Template | undefined;
}

/** The host's side of all queues, with the accounts: each command is answered once, by the queue that it was given to. */
export class Host {
  readonly #rig: Rig;
  readonly sqs = new Map<number, HostSq>();
  readonly cqs = new Map<number, HostCq>();
  /** Guest pages of the shadow doorbells, from when the controller is told of them. Not `inUse`, both are written. */
  shadow: { readonly page: number; readonly eventIdx: number; inUse: boolean } | undefined;
  #nextCid = 0;

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  addCq(qid: number, base: number, entries: number): void {
    this.#rig.memory.bytes.fill(0, base, base + entries * 16);
    this.cqs.set(qid, { qid, base, entries, head: 0, phase: 1 });
  }

  addSq(qid: number, base: number, entries: number, cqid: number): void {
    this.sqs.set(qid, { qid, base, entries, cqid, tail: 0, head: 0, outstanding: new Map() });
  }

  /** All queues are gone, and nothing that was under way may be answered any more. */
  forget(): void {
    this.sqs.clear();
    this.cqs.clear();
    this.shadow = undefined;
  }

  /** Writes a command into the next slot, which must be free. Not announced yet. */
  push(sq: HostSq, command: Command, template?: Template): number {
    const { words } = this.#rig.memory;
    let cid = this.#nextCid++ & 0xffff;
    while (sq.outstanding.has(cid)) cid = this.#nextCid++ & 0xffff;
    putCommand(words, sq.base + sq.tail * 64, command, cid);
    sq.tail = (sq.tail + 1) % sq.entries;
    sq.outstanding.set(cid, template);
    return cid;
  }

  /** Announces what was pushed since the tail was `before`. */
  ring(sq: HostSq, before: number): void {
    if (this.#mustRing(sq.qid, sq.qid * 8, sq.tail, before)) this.#rig.write(tailDoorbell(sq.qid), sq.tail);
  }

  /** Takes at most so many completions from each queue. Throws where one is wrong. */
  reap(most: number): Answer[] {
    const answers: Answer[] = [];
    for (const cq of this.cqs.values()) {
      const before = cq.head;
      for (let left = most; left > 0; left--) {
        const answer = this.#take(cq);
        if (!answer) break;
        answers.push(answer);
      }
      if (cq.head !== before && this.#mustRing(cq.qid, cq.qid * 8 + 4, cq.head, before)) {
        this.#rig.write(headDoorbell(cq.qid), cq.head);
      }
    }
    return answers;
  }

  #take(cq: HostCq): Answer | undefined {
    const { words } = this.#rig.memory;
    const w = (cq.base + cq.head * 16) / 4;
    const last = words[w + 3];
    if (((last >>> 16) & 1) !== cq.phase) return undefined;
    cq.head = (cq.head + 1) % cq.entries;
    if (cq.head === 0) cq.phase ^= 1;
    const [sqHead, sqid] = [words[w + 2] & 0xffff, words[w + 2] >>> 16];
    const cqe = { result: words[w] >>> 0, sqHead, sqid, cid: last & 0xffff, status: last >>> 17 };
    const sq = this.sqs.get(sqid);
    if (sq?.cqid !== cq.qid) throw new Error(`queue ${cq.qid} has a completion of queue ${sqid}`);
    if (!sq.outstanding.has(cqe.cid)) {
      throw new Error(`queue ${sqid}: command ${cqe.cid} is answered that is not under way`);
    }
    if (sqHead >= sq.entries) throw new Error(`queue ${sqid}: its head is said to be ${sqHead}`);
    if (words[w + 1] !== 0) throw new Error("dword 1 of a completion is not zero");
    const template = sq.outstanding.get(cqe.cid);
    sq.outstanding.delete(cqe.cid);
    sq.head = sqHead;
    return { cqe, sq, template };
  }

  #mustRing(qid: number, offset: number, now: number, before: number): boolean {
    const { shadow } = this;
    if (qid === 0 || !shadow) return true;
    const { words } = this.#rig.memory;
    Atomics.store(words, (shadow.page + offset) / 4, now);
    return (
      !shadow.inUse || needEvent(Atomics.load(words, (shadow.eventIdx + offset) / 4) & 0xffff, now, before)
    );
  }
}
