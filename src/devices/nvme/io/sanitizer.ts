import type { NamespaceInfo } from "../namespace.ts";
import type { NamespaceStore } from "../namespace_store.ts";
import { Control, SanitizeState, type SharedState } from "../shared_state.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { eraseAll } from "./erase.ts";
import type { ServedNamespaces } from "./served_namespaces.ts";
import { storageStatus } from "./storage_status.ts";

/**
 * Sanitize by block erase, where the disks are (NVMe 1.4, sections 5.24 and 8.15): everything on all namespaces is
 * deleted, durably, while no command touches them. A controller reset does not stop it.
 */
export class Sanitizer {
  readonly #shared: SharedState;
  readonly #store: NamespaceStore;
  readonly #served: ServedNamespaces;
  readonly #isStorageBusy: () => boolean;
  #running = false;

  /** `isStorageBusy`: does a command, of whatever life of the controller, still wait for storage? */
  constructor(
    shared: SharedState,
    store: NamespaceStore,
    served: ServedNamespaces,
    isStorageBusy: () => boolean,
  ) {
    this.#shared = shared;
    this.#store = store;
    this.#served = served;
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
    const namespaces = this.#store.list();
    let status: StatusCode = Status.success;
    for (const [i, namespace] of namespaces.entries()) {
      this.#shared.setControl(Control.SANITIZE_PROGRESS, Math.floor((i * 0x10000) / namespaces.length));
      // The others are erased all the same. One that is not attached holds data as well.
      const attached = this.#served.active.get(namespace.nsid);
      const { uncorrectable } = this.#served;
      status =
        (await (attached ? eraseAll([attached], uncorrectable) : this.#eraseDetached(namespace))) || status;
    }
    return status;
  }

  async #eraseDetached(namespace: NamespaceInfo): Promise<StatusCode> {
    try {
      await this.#store.erase(namespace.nsid);
      this.#served.uncorrectable.healAll(namespace);
      return Status.success;
    } catch (error) {
      return storageStatus(error, "write");
    }
  }
}
