import { type Connected, connect } from "./connect.ts";
import type { CatalogueWorkerApi, IoWorkerApi, VcpuWorkerApi } from "./protocol.ts";

export type { Connected } from "./connect.ts";

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
