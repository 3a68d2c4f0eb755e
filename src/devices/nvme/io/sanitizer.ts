import type { Namespace } from "../namespace.ts";
import { Control, SanitizeState, type SharedState } from "../shared_state.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { eraseAll } from "./erase.ts";
import type { UncorrectableBlocks } from "./uncorrectable_blocks.ts";

/**
 * Sanitize by block erase, where the disks are (NVMe 1.4, sections 5.24 and 8.15): everything on all namespaces is
 * deleted, durably, while no command touches them. A controller reset does not stop it.
 */
export class Sanitizer {
  readonly #shared: SharedState;
  readonly #namespaces: ReadonlyMap<number, Namespace>;
  readonly #uncorrectable: UncorrectableBlocks;
  readonly #isStorageBusy: () => boolean;
  #running = false;

  /** `isStorageBusy`: does a command, of whatever life of the controller, still wait for storage? */
  constructor(
    shared: SharedState,
    namespaces: ReadonlyMap<number, Namespace>,
    uncorrectable: UncorrectableBlocks,
    isStorageBusy: () => boolean,
  ) {
    this.#shared = shared;
    this.#namespaces = namespaces;
    this.#uncorrectable = uncorrectable;
    this.#isStorageBusy = isStorageBusy;
  }

  get pending(): boolean {
    return this.#shared.getControl(Control.SANITIZE) !== this.#shared.getControl(Control.SANITIZE_ACK);
  }

  /** What each I/O command ends with now; undefined when they may be executed (section 8.15). */
  get refusal(): StatusCode | undefined {
    switch (this.#shared.control[Control.SANITIZE_STATE]) {
      case SanitizeState.running:
        return Status.sanitizeInProgress;
      case SanitizeState.failed:
        return Status.sanitizeFailed;
      default:
        return undefined;
    }
  }

  /** Starts an operation that was asked for, once nothing of before can write behind it. */
  start(): boolean {
    if (!this.pending || this.#running || this.#isStorageBusy()) return false;
    const shared = this.#shared;
    const requested = shared.getControl(Control.SANITIZE);
    this.#running = true;
    void this.#erase().then(status => {
      this.#running = false;
      shared.setControl(Control.SANITIZE_STATUS, status);
      shared.setControl(Control.SANITIZE_ACK, requested);
      shared.vcpuNotifier.set();
    });
    return true;
  }

  async #erase(): Promise<StatusCode> {
    const namespaces = [...this.#namespaces.values()];
    let status: StatusCode = Status.success;
    for (const [i, namespace] of namespaces.entries()) {
      this.#shared.setControl(Control.SANITIZE_PROGRESS, Math.floor((i * 0x10000) / namespaces.length));
      // The others are erased all the same.
      status = (await eraseAll([namespace], this.#uncorrectable)) || status;
    }
    return status;
  }
}
