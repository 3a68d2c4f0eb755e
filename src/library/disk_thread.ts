/** The thread that has the disks, as the attaching thread sees it: that thread itself, or the I/O worker. */
import * as Comlink from "comlink";
import { connect } from "../machine/connect.ts";
import { DiskHost, type DiskHostApi } from "./disk_host.ts";

export interface DiskThread {
  readonly api: DiskHostApi;
  /** The answer to a call; rejects when the worker dies before it comes. */
  answer<R>(call: Promise<R>): Promise<R>;
  terminate(): void;
}

/** The package's own I/O worker. */
const startWorker = (): Worker =>
  new Worker(new URL("./iothread.js", import.meta.url), { type: "module", name: "v86-nvme iothread" });

/** An I/O worker. `onError` is called when it dies. */
export async function connectIothread(
  onError: (error: Error) => void,
  start: () => Worker = startWorker,
): Promise<DiskThread> {
  const advice = "Attach anew; what was flushed is safe.";
  const { api, answer, terminate } = await connect<DiskHostApi>(start(), "I/O worker", advice, onError);
  return { api: remote(api), answer, terminate };
}

/** Callbacks and ports go along with a call. */
function remote(api: Comlink.Remote<DiskHostApi>): DiskHostApi {
  return {
    open: (requests, onStolen) => {
      const ports = requests.flatMap(({ backend }) => ("port" in backend ? [backend.port] : []));
      return api.open(Comlink.transfer([...requests], ports), Comlink.proxy(onStolen));
    },
    serve: config => api.serve(config),
    states: () => api.states(),
    flush: () => api.flush(),
    close: () => api.close(),
    setFaults: armed => api.setFaults(armed),
    faultReport: () => api.faultReport(),
  };
}

/** This thread. */
export function useThisThread(): DiskThread & { readonly host: DiskHost } {
  const host = new DiskHost();
  return { host, api: host, answer: call => call, terminate() {} };
}
