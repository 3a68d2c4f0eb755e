/**
 * How the page knows that a worker has died. Only some deaths are an `error` event: one that the browser ends (for want
 * of memory, or from the developer tools), or that closes itself, says nothing. So each worker holds a Web Lock of its
 * own as long as it lives, and the page waits for it.
 */
import { WORKER_READY } from "./protocol.ts";

/** The first message of a worker. */
export interface WorkerReady {
  readonly type: typeof WORKER_READY;
  /** The lock that the worker holds; absent where there are no Web Locks. */
  readonly lock?: string;
}

export const isWorkerReady = (data: unknown): data is WorkerReady =>
  typeof data === "object" && data !== null && (data as WorkerReady).type === WORKER_READY;

/** In a worker, once it listens: says so, and takes the lock. */
export function announceWorker(): void {
  if (!navigator.locks) {
    postMessage({ type: WORKER_READY } satisfies WorkerReady);
    return;
  }
  const lock = `doorbell-worker ${crypto.randomUUID()}`;
  void navigator.locks.request(lock, () => {
    postMessage({ type: WORKER_READY, lock } satisfies WorkerReady);
    return new Promise<void>(() => {});
  });
}

/** In the page: calls `onDeath` when the worker that holds `lock` is gone, unless `signal` is aborted before. */
export function watchWorker(lock: string, signal: AbortSignal, onDeath: () => void): void {
  navigator.locks.request(lock, { signal }, onDeath).catch(() => {});
}
