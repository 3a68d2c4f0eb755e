import type { AioHandler } from "../eventloop/aio_context.ts";
import type { EventNotifier } from "../eventloop/event_notifier.ts";
import type { ServingMode } from "./api.ts";
import type { MainLoop } from "./v86/run_loop.ts";

/** I/O served by the machine worker itself. */
interface ServedHere extends MainLoop {
  /** What a doorbell of the device does that `server` serves. */
  notify(server: AioHandler): void;
}

/**
 * The two serving modes without an iothread: `mmio`, where the doorbell's trapped write runs the device, and
 * `mainloop`, where it sets a notifier and the worker's event loop runs the device.
 */
export const isServedByVcpu = (serving: ServingMode): boolean => serving === "mmio" || serving === "mainloop";

export function serveHere(
  serving: ServingMode,
  notifier: EventNotifier,
  servers: readonly AioHandler[],
): ServedHere {
  return {
    notify: serving === "mmio" ? serve : () => notifier.set(),
    get isNotified() {
      return notifier.isSet;
    },
    dispatch() {
      notifier.testAndClear();
      servers.forEach(serve);
    },
  };
}

function serve(server: AioHandler): void {
  while (server.ready());
  // Nobody polls in between: the next doorbell must ring.
  server.pollEnd();
  while (server.ready());
}
