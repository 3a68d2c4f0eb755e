import type { GuestMemory } from "../devices/guest_memory.ts";
import { IoServer } from "../devices/nvme/io/io_server.ts";
import type { Namespace } from "../devices/nvme/namespace.ts";
import type { SharedState } from "../devices/nvme/shared_state.ts";
import type { VcpuWorkerConfig } from "./protocol.ts";
import { reportBug } from "./report.ts";
import type { MainLoop } from "./v86/run_loop.ts";

/** I/O served by the machine worker itself. */
interface ServedHere extends MainLoop {
  /** What a doorbell does. */
  notify(): void;
}

/**
 * The two serving modes without an iothread: `mmio`, where the doorbell's trapped write runs the device, and
 * `mainloop`, where it sets a notifier and the worker's event loop runs the device. Undefined for the other modes.
 */
export function serveHere(
  { serving }: VcpuWorkerConfig,
  memory: GuestMemory,
  shared: SharedState,
  namespaces: readonly Namespace[],
): ServedHere | undefined {
  if (serving !== "mmio" && serving !== "mainloop") return undefined;
  // One thread: it sees the guest's stores in order.
  const server = new IoServer({ memory, shared, namespaces, stronglyOrderedHost: true, reportBug });
  const serve = () => {
    while (server.ready());
    // Nobody polls in between: the next doorbell must ring.
    server.pollEnd();
    while (server.ready());
  };
  return {
    notify: serving === "mmio" ? serve : () => shared.serverNotifier.set(),
    get isNotified() {
      return shared.serverNotifier.isSet;
    },
    dispatch() {
      shared.serverNotifier.testAndClear();
      serve();
    },
  };
}
