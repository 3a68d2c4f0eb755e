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

const PING = "doorbell-worker-ping";
const PONG = "doorbell-worker-pong";
/** A worker that lives answers within milliseconds, also while its guest is busy. */
const PONG_TIMEOUT_MS = 3000;

/** In a worker, once it listens: says so, and takes the lock. */
export function announceWorker(): void {
  addEventListener("message", ({ data }: MessageEvent<unknown>) => {
    if (data === PING) postMessage(PONG);
  });
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

/**
 * In the page: calls `onDeath` when the worker that holds `lock` is gone, unless `signal` is aborted before. Once the
 * site's data was cleared, a page and its new workers no longer share their locks: so a worker whose lock is free is
 * asked whether it lives.
 */
export function watchWorker(worker: Worker, lock: string, signal: AbortSignal, onDeath: () => void): void {
  navigator.locks
    .request(lock, { signal }, async () => {
      if (!(await answersPing(worker)) && !signal.aborted) onDeath();
    })
    .catch(() => {});
}

function answersPing(worker: Worker): Promise<boolean> {
  return new Promise(resolve => {
    const end = (answered: boolean) => {
      clearTimeout(timer);
      worker.removeEventListener("message", listen);
      resolve(answered);
    };
    const listen = ({ data }: MessageEvent<unknown>) => data === PONG && end(true);
    const timer = setTimeout(() => end(false), PONG_TIMEOUT_MS);
    worker.addEventListener("message", listen);
    worker.postMessage(PING);
  });
}
