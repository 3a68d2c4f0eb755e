import * as Comlink from "comlink";
import type { CatalogueWorkerApi, IoWorkerApi, VcpuWorkerApi } from "./protocol.ts";
import { isWorkerReady, watchWorker } from "./worker_life.ts";

/** A worker that listens. */
export interface Connected<T> {
  readonly api: Comlink.Remote<T>;
  /** The answer to a call; rejects when the worker dies or is terminated before it comes. */
  answer<R>(call: Promise<R>): Promise<R>;
  /** Ends the worker at once. */
  terminate(): void;
}

/** Starts the machine worker. `onError` is called if it dies, then or later. */
export function connectVcpu(onError: (error: Error) => void): Promise<Connected<VcpuWorkerApi>> {
  const worker = new Worker(new URL("./vcpu.worker.ts", import.meta.url), { type: "module", name: "vcpu" });
  return connect(worker, "machine worker", RESTART, onError);
}

/** Starts the I/O worker. */
export function connectIo(onError: (error: Error) => void): Promise<Connected<IoWorkerApi>> {
  const worker = new Worker(new URL("./io.worker.ts", import.meta.url), { type: "module", name: "iothread" });
  return connect(worker, "I/O worker", RESTART, onError);
}

/** Starts the worker that works on disks which no machine has open. */
export function connectCatalogue(onError: (error: Error) => void): Promise<Connected<CatalogueWorkerApi>> {
  const worker = new Worker(new URL("./catalogue.worker.ts", import.meta.url), {
    type: "module",
    name: "catalogue",
  });
  const advice = "Try again; what was left half done is cleared away at the next start.";
  return connect(worker, "catalogue worker", advice, onError);
}

/** What to do when a worker of the machine has died. */
const RESTART = "Restart the machine; what was flushed is safe.";

/** Waits for the worker's first message: what is sent before it listens would be lost. */
function connect<T>(
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
