import { StorageError } from "../../../storage/block_backend.ts";
import { NamespaceError, type NamespaceRefusal, type NamespaceStore } from "../namespace_store.ts";
import { Control, NamespaceOperation, type SharedState } from "../shared_state.ts";
import { NSID_ALL } from "../spec/entries.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { eraseAll } from "./erase.ts";
import { chosenFrom, type ServedNamespaces } from "./served_namespaces.ts";
import { storageStatus } from "./storage_status.ts";

/** How a request ended; `result` is dword 0 of its completion. */
interface Outcome {
  readonly status: StatusCode;
  readonly result?: number;
}

const refusals: Readonly<Record<NamespaceRefusal, StatusCode>> = {
  "insufficient-capacity": Status.namespaceInsufficientCapacity,
  "too-small": Status.invalidField,
  "identifier-unavailable": Status.namespaceIdUnavailable,
  "not-allocated": Status.invalidField,
  "already-attached": Status.namespaceAlreadyAttached,
  "not-attached": Status.namespaceNotAttached,
  protected: Status.operationDenied,
};

/**
 * The serving side of Namespace Management and Attachment and of a Format NVM that changes the LBA format (NVMe 1.4,
 * sections 5.19, 5.20 and 5.23): one request at a time, on the disks of a NamespaceStore.
 */
export class NamespaceService {
  readonly #shared: SharedState;
  readonly #store: NamespaceStore;
  readonly #served: ServedNamespaces;
  readonly #done: () => void;
  #running = false;

  /** `done` is called when a request has been answered. */
  constructor(shared: SharedState, store: NamespaceStore, served: ServedNamespaces, done: () => void) {
    this.#shared = shared;
    this.#store = store;
    this.#served = served;
    this.#done = done;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  /** Starts a request that has come; true if there was one. */
  start(): boolean {
    const shared = this.#shared;
    const requested = shared.getControl(Control.NAMESPACE_REQUEST);
    if (this.#running || requested === shared.getControl(Control.REQUEST_ACK)) return false;
    this.#running = true;
    const operation = shared.getControl(Control.REQUEST_OPERATION) as NamespaceOperation;
    this.#execute(operation)
      .catch((error: unknown): Outcome => ({ status: statusOf(error, operation) }))
      .then(({ status, result = 0 }) => {
        this.#running = false;
        shared.setControl(Control.REQUEST_STATUS, status);
        shared.setControl(Control.REQUEST_RESULT, result);
        shared.setControl(Control.REQUEST_ACK, requested);
        this.#done();
      });
    return true;
  }

  async #execute(operation: NamespaceOperation): Promise<Outcome> {
    const shared = this.#shared;
    const store = this.#store;
    const nsid = shared.getControl(Control.REQUEST_NSID) >>> 0;
    const lbaShift = shared.getControl(Control.REQUEST_LBA_SHIFT);
    switch (operation) {
      case NamespaceOperation.create: {
        const low = shared.getControl(Control.REQUEST_BLOCKS_LOW) >>> 0;
        const high = shared.getControl(Control.REQUEST_BLOCKS_HIGH) >>> 0;
        const created = await store.create({ lbaShift, blocks: low + high * 2 ** 32 });
        return { status: Status.success, result: created };
      }
      case NamespaceOperation.delete:
        for (const each of nsid === NSID_ALL ? store.list().map(({ nsid }) => nsid) : [nsid]) {
          await store.delete(each);
        }
        return { status: Status.success };
      case NamespaceOperation.attach:
        await store.attach(nsid);
        return { status: Status.success };
      case NamespaceOperation.detach:
        await store.detach(nsid);
        return { status: Status.success };
      case NamespaceOperation.format:
        return { status: await this.#format(nsid, lbaShift) };
    }
  }

  /** Deletes everything on one namespace or all, durably, and only then changes their block size. */
  async #format(nsid: number, lbaShift: number): Promise<StatusCode> {
    const chosen = chosenFrom(this.#served.active, nsid);
    if (chosen.length === 0) return Status.invalidField;
    const finish = await Promise.all(chosen.map(each => this.#served.withdrawToFormat(each.nsid)));
    try {
      const erased = eraseAll(chosen, this.#served.uncorrectable);
      // A namespace is not taken away in the middle of it.
      this.#served.track(nsid, erased);
      const status = await erased;
      if (status !== Status.success) return status;
      for (const each of chosen) {
        if (each.lbaShift !== lbaShift) await this.#store.setLbaShift(each.nsid, lbaShift);
      }
      return Status.success;
    } finally {
      for (const each of finish) each();
    }
  }
}

function statusOf(error: unknown, operation: NamespaceOperation): StatusCode {
  if (error instanceof NamespaceError) return refusals[error.refusal];
  // What had been written could not be saved, or not deleted.
  const isAboutData = operation === NamespaceOperation.detach || operation === NamespaceOperation.format;
  if (isAboutData) return storageStatus(error, "write");
  const isFull = error instanceof StorageError && error.kind === "no-space";
  return isFull ? Status.namespaceInsufficientCapacity : Status.internalError;
}
