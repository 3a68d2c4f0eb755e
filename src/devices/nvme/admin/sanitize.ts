import { Counter } from "../../../trace/counters.ts";
import type { Health } from "../health.ts";
import { Control, SanitizeState, type SharedState } from "../shared_state.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import type { AdminCommand, AdminResult } from "./admin_command.ts";
import type { AdminServices } from "./admin_queue.ts";
import { AsyncEvent } from "./async_events.ts";

/** Sanitize Capabilities (SANICAP, figure 247): block erase; NDI: blocks are always deallocated; media not modified after. */
export const SANICAP = (1 << 1) | (1 << 29) | (1 << 30);

/** CDW10 (figure 337): Sanitize Action 2:0, Allow Unrestricted Sanitize Exit, No-Deallocate After Sanitize. */
const actionOf = (cdw10: number): number => cdw10 & 7;
const Action = { exitFailureMode: 1, blockErase: 2 } as const;
const ALLOW_UNRESTRICTED_EXIT = 1 << 3;
const NO_DEALLOCATE = 1 << 9;

/** Sanitize Status, 2:0 (figure 232). */
const SanitizeStatus = { never: 0, success: 1, inProgress: 2, failed: 3, unexpectedDeallocation: 4 } as const;
/** Global Data Erased. */
const GLOBAL_DATA_ERASED = 1 << 8;
const LOG_BYTES = 512;
const NOT_RUNNING = 0xffff;
const NO_ESTIMATE = 0xffffffff;

/** Sanitize, section 5.24. Completes when the operation has begun; the log, and an event, tell when it is over. */
export function sanitize(services: AdminServices, { cdw10 }: AdminCommand): AdminResult {
  const { sanitizer, features } = services;
  switch (actionOf(cdw10)) {
    case Action.exitFailureMode:
      return sanitizer.exitFailureMode();
    case Action.blockErase:
      // NDI: a host that wants its blocks kept allocated is refused, or warned afterwards (section 5.21.1.23).
      if ((cdw10 & NO_DEALLOCATE) !== 0 && !features.allowsUnexpectedDeallocation) return Status.invalidField;
      return services.startSanitize(cdw10);
    default:
      return Status.invalidField;
  }
}

/** The vCPU thread's side of Sanitize (section 8.15). It outlives controller resets and, by the health record, boots. */
export class SanitizeOperation {
  readonly #shared: SharedState;
  readonly #health: Health;

  constructor(shared: SharedState, health: Health) {
    this.#shared = shared;
    this.#health = health;
    // One that a power cycle has interrupted goes on.
    if (health.sanitizeState === SanitizeState.running) this.#begin();
    else shared.setControl(Control.SANITIZE_STATE, health.sanitizeState);
  }

  get #state(): number {
    return this.#health.sanitizeState;
  }

  set #state(state: number) {
    this.#health.sanitizeState = state;
    this.#shared.setControl(Control.SANITIZE_STATE, state);
  }

  get isRunning(): boolean {
    return this.#state === SanitizeState.running;
  }

  /** What a command ends with that may not be executed now; undefined otherwise. */
  get refusal(): StatusCode | undefined {
    if (this.#state === SanitizeState.running) return Status.sanitizeInProgress;
    return this.#state === SanitizeState.failed ? Status.sanitizeFailed : undefined;
  }

  /** Hands an operation over to the serving side, which is to be notified. */
  start(cdw10: number): StatusCode {
    if (this.#state === SanitizeState.running) return Status.sanitizeInProgress;
    // One that has failed in restricted mode can only be followed by another in that mode.
    const isUnrestricted = (cdw10 & ALLOW_UNRESTRICTED_EXIT) !== 0;
    if (this.#isLocked && isUnrestricted) return Status.sanitizeFailed;
    this.#health.sanitizeCdw10 = cdw10;
    this.#begin();
    return Status.success;
  }

  exitFailureMode(): StatusCode {
    if (this.#state === SanitizeState.running) return Status.sanitizeInProgress;
    if (this.#isLocked) return Status.sanitizeFailed;
    this.#state = SanitizeState.idle;
    return Status.success;
  }

  get #isLocked(): boolean {
    const isUnrestricted = (this.#health.sanitizeCdw10 & ALLOW_UNRESTRICTED_EXIT) !== 0;
    return this.#state === SanitizeState.failed && !isUnrestricted;
  }

  #begin(): void {
    this.#state = SanitizeState.running;
    this.#health.sanitizeStatus = SanitizeStatus.inProgress;
    this.#shared.addControl(Control.SANITIZE);
  }

  /** Takes notice of an operation that is over. Answers the event that the host is to hear of. */
  take(): AsyncEvent | undefined {
    const shared = this.#shared;
    if (this.#state !== SanitizeState.running) return undefined;
    if (shared.getControl(Control.SANITIZE_ACK) !== shared.getControl(Control.SANITIZE)) return undefined;
    const health = this.#health;
    if (shared.getControl(Control.SANITIZE_STATUS) === Status.success) {
      this.#state = SanitizeState.idle;
      const unwanted = (health.sanitizeCdw10 & NO_DEALLOCATE) !== 0;
      health.sanitizeStatus = unwanted ? SanitizeStatus.unexpectedDeallocation : SanitizeStatus.success;
      health.sectorsWrittenAtSanitize = this.#sectorsWritten;
      return unwanted ? AsyncEvent.sanitizeCompletedWithDeallocation : AsyncEvent.sanitizeCompleted;
    }
    this.#state = SanitizeState.failed;
    health.sanitizeStatus = SanitizeStatus.failed;
    return AsyncEvent.sanitizeCompleted;
  }

  get #sectorsWritten(): number {
    return Atomics.load(this.#shared.counters, Counter.sectorsWritten);
  }

  /** Sanitize Status log, page 81h (figure 232). */
  page(): Uint8Array {
    const health = this.#health;
    const data = new Uint8Array(LOG_BYTES);
    const view = new DataView(data.buffer);
    const status = health.sanitizeStatus;
    const isRunning = status === SanitizeStatus.inProgress;
    view.setUint16(0, isRunning ? this.#shared.getControl(Control.SANITIZE_PROGRESS) : NOT_RUNNING, true); // SPROG
    const succeeded = status === SanitizeStatus.success || status === SanitizeStatus.unexpectedDeallocation;
    const isErased = succeeded && health.sectorsWrittenAtSanitize === this.#sectorsWritten;
    view.setUint16(2, status | (isErased ? GLOBAL_DATA_ERASED : 0), true); // SSTAT
    view.setUint32(4, health.sanitizeCdw10, true); // SCDW10
    for (let at = 8; at < 32; at += 4) view.setUint32(at, NO_ESTIMATE, true); // estimated times
    return data;
  }
}
