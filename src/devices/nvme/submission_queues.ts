import { MAX_IN_FLIGHT } from "../shared_device_state.ts";
import type { CompletionQueues } from "./completion_queues.ts";
import type { SubmissionQueueState } from "./controller_state.ts";
import type { ShadowDoorbells } from "./shadow_doorbells.ts";
import { Control, MAX_IO_QUEUES, type SharedState, SqState, SqWord } from "./shared_state.ts";

/** The I/O submission queues as the vCPU thread sees them: it makes and unmakes them, the serving side fetches. */
export class SubmissionQueues {
  readonly #shared: SharedState;
  readonly #notifyServer: () => void;
  /** Delete I/O SQ commands that wait for the serving side: queue id → command id. */
  readonly #deletions = new Map<number, number>();

  constructor(shared: SharedState, notifyServer: () => void) {
    this.#shared = shared;
    this.#notifyServer = notifyServer;
  }

  exists(qid: number): boolean {
    if (qid < 1 || qid > MAX_IO_QUEUES) return false;
    // A queue is there until its deletion has been answered.
    return this.#shared.getSq(qid, SqWord.STATE) !== SqState.ABSENT || this.#deletions.has(qid);
  }

  start(qid: number, base: number, entries: number, cqid: number): void {
    const shared = this.#shared;
    shared.setSq(qid, SqWord.BASE, base);
    shared.setSq(qid, SqWord.ENTRIES, entries);
    shared.setSq(qid, SqWord.CQID, cqid);
    shared.setSq(qid, SqWord.TAIL, 0);
    shared.setSq(qid, SqWord.RUNG_TAIL, 0);
    shared.setSq(qid, SqWord.POSTED, shared.getSq(qid, SqWord.FETCHED));
    shared.setSq(qid, SqWord.STATE, SqState.ACTIVE);
    shared.setControl(Control.HIGHEST_SQ, Math.max(qid, shared.getControl(Control.HIGHEST_SQ)));
    this.#notifyServer();
  }

  /** The Delete command `cid` completes when the queue is gone. False if it is being deleted already. */
  stop(qid: number, cid: number): boolean {
    if (this.#shared.getSq(qid, SqWord.STATE) !== SqState.ACTIVE) return false;
    this.#deletions.set(qid, cid);
    this.#shared.setSq(qid, SqWord.STATE, SqState.DELETING);
    this.#notifyServer();
    return true;
  }

  /** Delete I/O SQ completes when the queue is gone and all its completions are posted. */
  takeDeletions(completionQueues: CompletionQueues, complete: (cid: number) => void): void {
    for (const [qid, cid] of this.#deletions) {
      const shared = this.#shared;
      // Completions may still lie on the ring, or wait for room in their queue.
      if (shared.getSq(qid, SqWord.STATE) !== SqState.ABSENT || shared.inFlight(qid) !== 0) continue;
      this.#deletions.delete(qid);
      const cq = completionQueues.get(shared.getSq(qid, SqWord.CQID));
      if (cq) cq.submissionQueues -= 1;
      complete(cid);
    }
  }

  /** A completion of the queue was posted. */
  posted(qid: number): void {
    if (qid === 0) return; // only I/O queues are served elsewhere
    this.#shared.setSq(qid, SqWord.POSTED, (this.#shared.getSq(qid, SqWord.POSTED) + 1) | 0);
  }

  /** Are commands under way, or announced, or a queue's deletion? */
  isBusy(shadows: ShadowDoorbells): boolean {
    const shared = this.#shared;
    const highest = shared.control[Control.HIGHEST_SQ];
    for (let qid = 1; qid <= highest; qid++) {
      // A queue that a reset took away may have left commands that will never be posted.
      if (shared.getSq(qid, SqWord.STATE) === SqState.ABSENT) continue;
      if (shared.inFlight(qid) > 0 || this.#isAnnounced(qid, shadows)) return true;
    }
    return this.#deletions.size > 0;
  }

  /** Are commands announced that are not fetched yet? */
  hasUnfetched(shadows: ShadowDoorbells): boolean {
    const shared = this.#shared;
    const highest = shared.control[Control.HIGHEST_SQ];
    for (let qid = 1; qid <= highest; qid++) {
      if (shared.getSq(qid, SqWord.STATE) === SqState.ACTIVE && this.#isAnnounced(qid, shadows)) return true;
    }
    return false;
  }

  #isAnnounced(qid: number, shadows: ShadowDoorbells): boolean {
    const tail = shadows.enabled ? shadows.tail(qid) : this.#shared.getSq(qid, SqWord.TAIL);
    return tail !== this.#shared.getSq(qid, SqWord.HEAD);
  }

  /**
   * Is nothing under way but completions that wait for room, of which `waitingOf` tells how many a queue has? For snapshots.
   * A tail that is none is nobody's to fetch, and a queue at its limit is not fetched from before the host has made room.
   */
  isQuiet(shadows: ShadowDoorbells, waitingOf: (qid: number) => number): boolean {
    if (this.#deletions.size > 0) return false;
    const shared = this.#shared;
    const highest = shared.control[Control.HIGHEST_SQ];
    for (let qid = 1; qid <= highest; qid++) {
      if (shared.getSq(qid, SqWord.STATE) !== SqState.ACTIVE) continue;
      const inFlight = shared.inFlight(qid);
      if (inFlight !== waitingOf(qid)) return false;
      if (this.#isAnnounced(qid, shadows) && inFlight < MAX_IN_FLIGHT - 1 && this.#isTail(qid, shadows))
        return false;
    }
    return true;
  }

  #isTail(qid: number, shadows: ShadowDoorbells): boolean {
    return !shadows.enabled || shadows.tail(qid) < this.#shared.getSq(qid, SqWord.ENTRIES);
  }

  /** For a snapshot of the machine, while it is quiet. */
  save(): SubmissionQueueState[] {
    const shared = this.#shared;
    const queues: SubmissionQueueState[] = [];
    for (let id = 1; id <= MAX_IO_QUEUES; id++) {
      if (shared.getSq(id, SqWord.STATE) !== SqState.ACTIVE) continue;
      queues.push({
        id,
        base: shared.getSq(id, SqWord.BASE) >>> 0,
        entries: shared.getSq(id, SqWord.ENTRIES),
        cqid: shared.getSq(id, SqWord.CQID),
        head: shared.getSq(id, SqWord.HEAD),
        tail: shared.getSq(id, SqWord.TAIL),
        rungTail: shared.getSq(id, SqWord.RUNG_TAIL),
      });
    }
    return queues;
  }

  /**
   * Before the serving side has looked at the queues for the first time: until then this thread may write its words too.
   * `waitingOf` tells how many completions of a queue were made and not posted.
   */
  restore(queues: readonly SubmissionQueueState[], waitingOf: (qid: number) => number): void {
    const shared = this.#shared;
    for (const { id, base, entries, cqid, head, tail, rungTail } of queues) {
      // Active last: a server in this very thread may look at once.
      shared.setSq(id, SqWord.BASE, base);
      shared.setSq(id, SqWord.ENTRIES, entries);
      shared.setSq(id, SqWord.CQID, cqid);
      shared.setSq(id, SqWord.HEAD, head);
      shared.setSq(id, SqWord.TAIL, tail);
      shared.setSq(id, SqWord.RUNG_TAIL, rungTail);
      shared.setSq(id, SqWord.FETCHED, (shared.getSq(id, SqWord.POSTED) + waitingOf(id)) | 0);
      shared.setSq(id, SqWord.STATE, SqState.ACTIVE);
      shared.setControl(Control.HIGHEST_SQ, Math.max(id, shared.getControl(Control.HIGHEST_SQ)));
    }
  }

  /** A controller reset: the serving side takes the queues away when it adopts the new epoch. */
  reset(): void {
    this.#deletions.clear();
    this.#shared.setControl(Control.HIGHEST_SQ, 0);
  }
}
