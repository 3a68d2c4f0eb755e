import { Control, type SharedState } from "../shared_state.ts";
import type { StatusCode } from "../spec/status.ts";
import { eraseAll } from "./erase.ts";
import { chosenFrom, type ServedNamespaces } from "./served_namespaces.ts";

/**
 * Format NVM that keeps the LBA format, where the disks are (NVMe 1.4, section 5.23): everything on one namespace or on
 * all is deleted, durably, while commands go on. NamespaceService does those that change it.
 */
export class Formatter {
  readonly #shared: SharedState;
  readonly #served: ServedNamespaces;
  #running = false;

  constructor(shared: SharedState, served: ServedNamespaces) {
    this.#shared = shared;
    this.#served = served;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  /** Starts a format that was asked for; true if there was one. */
  start(): boolean {
    const shared = this.#shared;
    const requested = shared.getControl(Control.FORMAT);
    if (this.#running || requested === shared.getControl(Control.FORMAT_ACK)) return false;
    this.#running = true;
    void this.#format(shared.getControl(Control.FORMAT_NSID) >>> 0).then(status => {
      this.#running = false;
      this.#served.publishAllocation();
      shared.setControl(Control.FORMAT_STATUS, status);
      shared.setControl(Control.FORMAT_ACK, requested);
      shared.vcpuNotifier.set();
    });
    return true;
  }

  async #format(nsid: number): Promise<StatusCode> {
    const { active, uncorrectable } = this.#served;
    const refusal = this.#served.refusal(nsid);
    if (refusal !== undefined) return refusal;
    const erased = eraseAll(chosenFrom(active, nsid), uncorrectable);
    // A namespace is not taken away in the middle of it.
    this.#served.track(nsid, erased);
    return await erased;
  }
}
