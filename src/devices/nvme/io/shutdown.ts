import type { Namespace } from "../namespace.ts";
import { Control, type SharedState } from "../shared_state.ts";

/** Shutdown notifications (NVMe 1.4, section 7.6.2), where the disks are: complete only when all data is durable. */
export class Shutdown {
  readonly #shared: SharedState;
  readonly #namespaces: ReadonlyMap<number, Namespace>;
  #running = false;

  constructor(shared: SharedState, namespaces: ReadonlyMap<number, Namespace>) {
    this.#shared = shared;
    this.#namespaces = namespaces;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  /** Starts a shutdown that was asked for; true if there was one. */
  start(): boolean {
    const shared = this.#shared;
    const requested = shared.getControl(Control.SHUTDOWN);
    if (this.#running || requested === shared.getControl(Control.SHUTDOWN_ACK)) return false;
    this.#running = true;
    Promise.all(Array.from(this.#namespaces.values(), ({ disk }) => disk.flush()))
      .then(
        () => shared.setControl(Control.SHUTDOWN_FAILED, 0),
        () => shared.setControl(Control.SHUTDOWN_FAILED, 1),
      )
      .then(() => {
        this.#running = false;
        shared.setControl(Control.SHUTDOWN_ACK, requested);
        shared.vcpuNotifier.set();
      });
    return true;
  }
}
