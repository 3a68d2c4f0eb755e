import { Control, type SharedState } from "../shared_state.ts";
import type { StatusCode } from "../spec/status.ts";

/** The vCPU thread's side of Format NVM (NVMe 1.4, section 5.23): one is under way at a time, in the serving side. */
export class FormatState {
  readonly #shared: SharedState;
  /** The command that waits; one that a reset has taken away is not answered. */
  #cid: number | undefined;

  constructor(shared: SharedState) {
    this.#shared = shared;
  }

  get isAwaited(): boolean {
    return this.#cid !== undefined;
  }

  get isRunning(): boolean {
    return this.#shared.getControl(Control.FORMAT) !== this.#shared.getControl(Control.FORMAT_ACK);
  }

  /** Hands a format over to the serving side, which is to be notified. False while one is under way. */
  start(nsid: number, cid: number): boolean {
    if (this.isRunning) return false;
    this.#cid = cid;
    this.#shared.setControl(Control.FORMAT_NSID, nsid | 0);
    this.#shared.addControl(Control.FORMAT);
    return true;
  }

  /** The command whose format is finished: what it deleted is durably gone, or its status says why not. */
  take(): { readonly cid: number; readonly status: StatusCode; readonly nsid: number } | undefined {
    const cid = this.#cid;
    if (cid === undefined || this.isRunning) return undefined;
    this.#cid = undefined;
    return {
      cid,
      status: this.#shared.getControl(Control.FORMAT_STATUS),
      nsid: this.#shared.getControl(Control.FORMAT_NSID) >>> 0,
    };
  }

  /** A controller reset. The format itself goes on. */
  forget(): void {
    this.#cid = undefined;
  }
}
