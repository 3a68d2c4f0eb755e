import { MAX_IO_QUEUES } from "../shared_state.ts";
import type { IoRequest } from "./request.ts";

/** Commands that were fetched and wait for storage. */
export class WaitingCommands {
  readonly #byQueue = Array.from({ length: MAX_IO_QUEUES + 1 }, () => new Set<IoRequest>());
  /** Those that storage has not answered, whether or not the guest still waits for them. */
  #unsettled = 0;

  get isStorageBusy(): boolean {
    return this.#unsettled > 0;
  }

  count(qid: number): number {
    return this.#byQueue[qid].size;
  }

  add(request: IoRequest): void {
    this.#byQueue[request.qid].add(request);
    this.#unsettled += 1;
  }

  /** Storage has answered. False if nobody waits for the answer: a reset or an Abort has ended the command. */
  settle(request: IoRequest): boolean {
    this.#unsettled -= 1;
    return this.#byQueue[request.qid].delete(request);
  }

  /** Takes a command out that Abort names. What storage still does for it goes on. */
  abort(qid: number, cid: number): IoRequest | undefined {
    // The host may name any queue.
    for (const request of this.#byQueue[qid] ?? []) {
      if (request.cid !== cid) continue;
      request.aborted = true;
      this.#byQueue[qid].delete(request);
      return request;
    }
    return undefined;
  }

  /** A controller reset: nobody waits any more. */
  forget(): void {
    for (const queue of this.#byQueue) queue.clear();
  }
}
