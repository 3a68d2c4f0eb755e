import * as Comlink from "comlink";
import { isWorkerReady, watchWorker } from "./worker_life.ts";

/** A worker that listens. */
export interface Connected<T> {
  readonly api: Comlink.Remote<T>;
  /** The answer to a call; rejects when the worker dies or is terminated before it comes. */
  answer<R>(call: Promise<R>): Promise<R>;
  /** Ends the worker at once. */
  terminate(): void;
}

/** Waits for the worker's first message: what is sent before it listens would be lost. */
export function connect<T>(
  worker: Worker,
  name: string,
  advice: string,
  onError: (error: Error) => void,
): Promise<Connected<T>> {
  const ended = new AbortController();
  const gone = Promise.withResolvers<never>();
  gone.promise.catch(() => {});
  const end = (error: Error) => {
    worker.terminate();
    ended.abort();
    gone.reject(error);
  };
  return new Promise((resolve, reject) => {
    const died = (reason: string) => {
      if (ended.signal.aborted) return;
      const error = new Error(`The ${name} stopped: ${reason}. ${advice}`);
      end(error);
      reject(error);
      onError(error);
    };
    worker.addEventListener("message", function ready({ data }: MessageEvent<unknown>) {
      if (!isWorkerReady(data)) return;
      worker.removeEventListener("message", ready);
      if (data.lock) watchWorker(worker, data.lock, ended.signal, () => died("the browser ended it"));
      resolve({
        api: Comlink.wrap<T>(worker),
        answer: call => Promise.race([call, gone.promise]),
        terminate: () => end(new Error(`The ${name} was ended.`)),
      });
    });
    worker.addEventListener("error", event => died(event.message || "it could not be loaded"));
  });
}
