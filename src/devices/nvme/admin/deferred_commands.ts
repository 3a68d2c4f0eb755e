import type { SharedState } from "../shared_state.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { AbortCommands } from "./abort.ts";
import { FormatState } from "./format_state.ts";
import { NamespaceRequests } from "./namespace_requests.ts";

/** The end of a command that has waited; `result` is dword 0. */
export interface DeferredAnswer {
  readonly cid: number;
  readonly status: StatusCode;
  readonly result: number;
  readonly nsid: number;
}

/** Commands that the serving side executes, because it has the disks and the I/O commands. */
export class DeferredCommands {
  readonly format: FormatState;
  readonly aborts: AbortCommands;
  readonly namespaces: NamespaceRequests;

  constructor(shared: SharedState, notifyServer: () => void) {
    this.format = new FormatState(shared);
    this.aborts = new AbortCommands(shared);
    this.namespaces = new NamespaceRequests(shared, notifyServer);
  }

  get areAwaited(): boolean {
    return this.format.isAwaited || this.aborts.isAwaited || this.namespaces.areAwaited;
  }

  /** Is the serving side at one of them, be it one that nobody waits for any more? */
  get areRunning(): boolean {
    return this.areAwaited || this.format.isRunning || this.aborts.isRunning || this.namespaces.isRunning;
  }

  /** A controller reset: nobody waits any more. */
  forget(): void {
    this.format.forget();
    this.aborts.forget();
    this.namespaces.forget();
  }

  /** A command that has ended meanwhile; undefined when there is no other. */
  take(): DeferredAnswer | undefined {
    const formatted = this.format.take();
    if (formatted) return { ...formatted, result: 0 };
    const aborted = this.aborts.take();
    if (aborted) {
      return { cid: aborted.cid, status: Status.success, result: aborted.aborted ? 0 : 1, nsid: 0 };
    }
    const done = this.namespaces.take();
    return done && { ...done, nsid: done.request.nsid };
  }
}
