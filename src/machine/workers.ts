import * as Comlink from "comlink";
import { type CatalogueWorkerApi, type IoWorkerApi, type VcpuWorkerApi, WORKER_READY } from "./protocol.ts";

/** A worker that listens. */
export interface Connected<T> {
  readonly worker: Worker;
  readonly api: Comlink.Remote<T>;
}

/** Starts the machine worker. `onError` is called if it dies, then or later. */
export function connectVcpu(onError: (error: Error) => void): Promise<Connected<VcpuWorkerApi>> {
  const worker = new Worker(new URL("./vcpu.worker.ts", import.meta.url), { type: "module", name: "vcpu" });
  return connect(worker, "machine worker", onError);
}

/** Starts the I/O worker. */
export function connectIo(onError: (error: Error) => void): Promise<Connected<IoWorkerApi>> {
  const worker = new Worker(new URL("./io.worker.ts", import.meta.url), { type: "module", name: "iothread" });
  return connect(worker, "I/O worker", onError);
}

/** Starts the worker that works on disks which no machine has open. */
export function connectCatalogue(onError: (error: Error) => void): Promise<Connected<CatalogueWorkerApi>> {
  const worker = new Worker(new URL("./catalogue.worker.ts", import.meta.url), {
    type: "module",
    name: "catalogue",
  });
  return connect(worker, "catalogue worker", onError);
}

/** Waits for the worker's first message: what is sent before it listens would be lost. */
function connect<T>(worker: Worker, name: string, onError: (error: Error) => void): Promise<Connected<T>> {
  return new Promise((resolve, reject) => {
    worker.addEventListener("message", function ready(event) {
      if (event.data !== WORKER_READY) return;
      worker.removeEventListener("message", ready);
      resolve({ worker, api: Comlink.wrap<T>(worker) });
    });
    worker.addEventListener("error", event => {
      worker.terminate();
      const reason = event.message || "it could not be loaded";
      const error = new Error(
        `The ${name} stopped: ${reason}. Restart the machine; what was flushed is safe.`,
      );
      reject(error);
      onError(error);
    });
  });
}
