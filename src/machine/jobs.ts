import type { TransferControl } from "../storage/transfer/transfer_control.ts";

/** Progress is told at most so often. */
const PROGRESS_INTERVAL_MS = 100;

/** How far a job is, in bytes. */
export type OnProgress = (doneBytes: number, totalBytes: number) => void;

/** Long work of a worker that the page can cancel: the page chooses a number for each. */
export class Jobs {
  readonly #running = new Map<number, AbortController>();

  /** Does `work` as job `job`. */
  async run<T>(
    job: number,
    onProgress: OnProgress,
    work: (control: TransferControl) => Promise<T>,
  ): Promise<T> {
    const abort = new AbortController();
    this.#running.set(job, abort);
    let told = 0;
    try {
      return await work({
        signal: abort.signal,
        progress(doneBytes, totalBytes) {
          const now = performance.now();
          if (doneBytes < totalBytes && now - told < PROGRESS_INTERVAL_MS) return;
          told = now;
          onProgress(doneBytes, totalBytes);
        },
      });
    } finally {
      this.#running.delete(job);
    }
  }

  /** Cancels a job; one that has ended is fine. */
  cancel(job: number): void {
    this.#running.get(job)?.abort();
  }
}
