import type { ErrorLog } from "./admin/error_log.ts";
import type { CompletionQueues } from "./completion_queues.ts";
import type { ControllerFaults } from "./faults/controller_faults.ts";
import { FaultEffect } from "./faults/fault_effect.ts";
import { CompletionWord, Control, type SharedState, SqWord } from "./shared_state.ts";
import { Status } from "./spec/status.ts";
import type { PostGate } from "./stepper.ts";
import type { SubmissionQueues } from "./submission_queues.ts";

export interface CompletionPosterOptions {
  readonly shared: SharedState;
  readonly memoryBytes: number;
  readonly memoryWritten: (start: number, end: number) => void;
  readonly completionQueues: CompletionQueues;
  readonly submissionQueues: SubmissionQueues;
  readonly errorLog: ErrorLog;
  readonly faults: ControllerFaults;
  readonly gate: PostGate;
}

/** Moves what the serving side has completed from the ring into the guest's completion queues. At safe points only. */
export class CompletionPoster {
  readonly #shared: SharedState;
  readonly #options: CompletionPosterOptions;
  readonly #posted: (sqid: number) => void;

  constructor(options: CompletionPosterOptions) {
    this.#shared = options.shared;
    this.#options = options;
    this.#posted = sqid => options.submissionQueues.posted(sqid);
  }

  take(): void {
    const shared = this.#shared;
    const { completions } = shared;
    if (completions.length === 0) return;
    const epoch = shared.getControl(Control.EPOCH);
    const { pace } = shared.signals;
    // Ranges first: those of a completion are published before it.
    shared.dmaRanges.take(this.#options.memoryBytes, this.#options.memoryWritten);
    for (let left = completions.length; left > 0; left--) {
      const record = completions.peek();
      if (completions.words[record + CompletionWord.EPOCH] === epoch) {
        if (!pace.isFull && !this.#options.gate.mayPost()) return;
        this.#post(record);
      }
      completions.release();
    }
  }

  #post(record: number): void {
    const { completionQueues, submissionQueues } = this.#options;
    const { words } = this.#shared.completions;
    const sqid = words[record + CompletionWord.SQID];
    const effect = words[record + CompletionWord.EFFECT];
    if (effect !== FaultEffect.none) {
      this.#options.faults.note(effect as FaultEffect);
      if (effect !== FaultEffect.duplicate && effect !== FaultEffect.interrupt) {
        // Dropped: it counts as posted, or the queue could never be deleted.
        submissionQueues.posted(sqid);
        return;
      }
    }
    const cidStatus = words[record + CompletionWord.CID_STATUS];
    const status = cidStatus >>> 16;
    const cq = completionQueues.get(this.#shared.getSq(sqid, SqWord.CQID));
    if (status !== Status.success) this.#logError(record, sqid, cidStatus & 0xffff, status);
    const sqHead = words[record + CompletionWord.SQ_HEAD];
    if (cq?.post(sqid, sqHead, cidStatus & 0xffff, status, words[record + CompletionWord.RESULT])) {
      submissionQueues.posted(sqid);
      // Without room there is no second one.
      if (effect === FaultEffect.duplicate && !cq.isFull) {
        cq.post(sqid, sqHead, cidStatus & 0xffff, status, words[record + CompletionWord.RESULT]);
      }
    }
  }

  #logError(record: number, sqid: number, cid: number, status: number): void {
    const { words } = this.#shared.completions;
    const low = words[record + CompletionWord.LBA_LOW];
    const high = words[record + CompletionWord.LBA_HIGH];
    const lba = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    this.#options.errorLog.add(sqid, cid, status, words[record + CompletionWord.NSID] >>> 0, {
      lba,
      location: words[record + CompletionWord.ERROR_LOCATION],
    });
  }

  /** Posts what found its queue full, where there is room by now. */
  postWaiting(): void {
    for (const cq of this.#options.completionQueues.all) {
      if (cq.waiting > 0) cq.postWaiting(this.#posted);
    }
  }
}
