import { Control, type SharedState } from "../shared_state.ts";
import type { AdminCommand } from "./admin_command.ts";

/** Abort commands that may be outstanding (ACL + 1). */
export const ABORT_LIMIT = 4;

/**
 * The vCPU thread's side of Abort (NVMe 1.4, section 5.1). The serving side knows which I/O commands wait; it is asked
 * about one at a time.
 */
export class AbortCommands {
  readonly #shared: SharedState;
  /** Those that wait, in order. The serving side has the first one if `#isAsked`. */
  #waiting: readonly { readonly cid: number; readonly target: number }[] = [];
  #isAsked = false;

  constructor(shared: SharedState) {
    this.#shared = shared;
  }

  get isAwaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** Does the serving side owe an answer, be it to a command that a reset has taken away? */
  get isRunning(): boolean {
    return this.#shared.getControl(Control.ABORT) !== this.#shared.getControl(Control.ABORT_ACK);
  }

  /** False when there are as many as there may be. `cdw10` names the command: queue 15:0, command identifier 31:16. */
  add({ cid, cdw10 }: AdminCommand): boolean {
    if (this.#waiting.length === ABORT_LIMIT) return false;
    this.#waiting = [...this.#waiting, { cid, target: cdw10 }];
    return true;
  }

  /**
   * Hands the next one over to the serving side, which is to be notified. False if there is none, or one is under way,
   * be it one that a reset has taken away.
   */
  ask(): boolean {
    const shared = this.#shared;
    if (this.#isAsked || this.#waiting.length === 0) return false;
    if (this.isRunning) return false;
    this.#isAsked = true;
    shared.setControl(Control.ABORT_TARGET, this.#waiting[0].target | 0);
    shared.addControl(Control.ABORT);
    return true;
  }

  /** The Abort that the serving side has answered: whether the command was aborted. Its completion is on the ring. */
  take(): { readonly cid: number; readonly aborted: boolean } | undefined {
    const shared = this.#shared;
    if (!this.#isAsked || this.isRunning) return undefined;
    const [{ cid }, ...rest] = this.#waiting;
    this.#waiting = rest;
    this.#isAsked = false;
    return { cid, aborted: shared.getControl(Control.ABORT_DONE) !== 0 };
  }

  /** A controller reset: none is answered. */
  forget(): void {
    this.#waiting = [];
    this.#isAsked = false;
  }
}
