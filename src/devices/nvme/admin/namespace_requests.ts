import { Control, type NamespaceOperation, type SharedState } from "../shared_state.ts";
import type { StatusCode } from "../spec/status.ts";

/** Something that the serving side is to do about namespaces. */
export interface NamespaceRequest {
  readonly operation: NamespaceOperation;
  /** FFFFFFFFh: all. */
  readonly nsid: number;
  /** Of a namespace to be created or formatted: log2 of the logical block size, and the size in logical blocks. */
  readonly lbaShift?: number;
  readonly blocks?: number;
}

interface Awaited {
  readonly cid: number;
  readonly request: NamespaceRequest;
}

export interface NamespaceAnswer extends Awaited {
  readonly status: StatusCode;
  /** Dword 0 of the completion. */
  readonly result: number;
}

/** The vCPU side of the commands that the serving side's NamespaceService executes: one after the other, as they came. */
export class NamespaceRequests {
  readonly #shared: SharedState;
  readonly #notifyServer: () => void;
  readonly #queue: Awaited[] = [];
  /** The one that the serving side has. */
  #sent: Awaited | undefined;

  constructor(shared: SharedState, notifyServer: () => void) {
    this.#shared = shared;
    this.#notifyServer = notifyServer;
  }

  get areAwaited(): boolean {
    return this.#sent !== undefined || this.#queue.length > 0;
  }

  /** Command `cid` completes when the request is done. */
  submit(cid: number, request: NamespaceRequest): void {
    this.#queue.push({ cid, request });
    this.#sendNext();
  }

  /** The answer to the command that was waiting for it, if it has come. */
  take(): NamespaceAnswer | undefined {
    if (this.isRunning) return undefined;
    const sent = this.#sent;
    this.#sent = undefined;
    const answer = sent && {
      ...sent,
      status: this.#shared.getControl(Control.REQUEST_STATUS),
      result: this.#shared.getControl(Control.REQUEST_RESULT),
    };
    this.#sendNext();
    return answer;
  }

  /** A controller reset: nobody waits any more. What the serving side has begun goes on. */
  forget(): void {
    this.#sent = undefined;
    this.#queue.length = 0;
  }

  get isRunning(): boolean {
    const shared = this.#shared;
    return shared.getControl(Control.NAMESPACE_REQUEST) !== shared.getControl(Control.REQUEST_ACK);
  }

  #sendNext(): void {
    if (this.#sent || this.isRunning) return;
    this.#sent = this.#queue.shift();
    if (!this.#sent) return;
    const { operation, nsid, lbaShift = 0, blocks = 0 } = this.#sent.request;
    const shared = this.#shared;
    shared.setControl(Control.REQUEST_OPERATION, operation);
    shared.setControl(Control.REQUEST_NSID, nsid | 0);
    shared.setControl(Control.REQUEST_LBA_SHIFT, lbaShift);
    shared.setControl(Control.REQUEST_BLOCKS_LOW, (blocks % 2 ** 32) | 0);
    shared.setControl(Control.REQUEST_BLOCKS_HIGH, Math.floor(blocks / 2 ** 32));
    shared.addControl(Control.NAMESPACE_REQUEST);
    this.#notifyServer();
  }
}
