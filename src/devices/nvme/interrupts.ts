import { addCounter, Counter } from "../../trace/counters.ts";
import { TraceKind, type Tracer } from "../../trace/trace_ring.ts";
import { Coalescing } from "./coalescing.ts";
import type { CompletionQueue } from "./completion_queue.ts";
import type { ControllerState } from "./controller_state.ts";

/** How a controller interrupts the guest. All calls are made in the vCPU thread. */
export interface InterruptHost {
  /** Drives the interrupt pin. `true` only comes from safePoint(), `false` also from a register write. */
  setInterruptPin(level: boolean): void;
  /** Has the guest switched MSI-X on? Then messages are sent and the pin stays low. */
  msixEnabled(): boolean;
  /** Sends the message of an MSI-X vector. Only called from safePoint(). */
  raiseVector(vector: number): void;
  /** Milliseconds, monotonic. */
  now(): number;
}

/** In traces, in place of a vector. */
const PIN = -1;

/**
 * Interrupts of a controller (NVMe 1.4, section 7.5): a pin that is asserted while an unmasked queue has entries that
 * the host has not consumed, or a message for each batch of entries posted.
 */
export class Interrupts {
  readonly #host: InterruptHost;
  readonly #counters: Int32Array;
  readonly #trace: Tracer | undefined;
  readonly coalescing = new Coalescing();
  #pin = false;
  #msix = false;
  /** When the first interrupt that is held back must come. */
  #dueAt = Number.POSITIVE_INFINITY;
  /** INTMS / INTMC (3.1.3, 3.1.4); of the pin alone. */
  mask = 0;

  constructor(host: InterruptHost, counters: Int32Array, trace?: Tracer) {
    this.#host = host;
    this.#counters = counters;
    this.#trace = trace;
  }

  /**
   * Takes notice of new entries and of entries consumed. `mayRaise` is true at safe points only (rule 5); `quiet` says
   * that no further entries are to be expected soon.
   */
  update(queues: readonly CompletionQueue[], mayRaise: boolean, quiet = false): void {
    if (mayRaise) this.#dueAt = Number.POSITIVE_INFINITY;
    const msix = this.#host.msixEnabled();
    if (msix !== this.#msix) {
      this.#msix = msix;
      for (const queue of queues) queue.unsignal();
    }
    if (msix) {
      this.#setPin(false);
      if (mayRaise) this.#sendMessages(queues, quiet);
      return;
    }
    let level = false;
    for (const queue of queues) {
      if (mayRaise && this.#isDue(queue, quiet)) queue.signal();
      // Of the entries that were not consumed, some are not held back.
      level ||= queue.interruptsEnabled && queue.used > queue.unsignalled;
    }
    level &&= this.mask === 0;
    if (!level || mayRaise) this.#setPin(level);
  }

  /**
   * An interrupt that nothing stands behind (fault injection): a message, or the pin until the next look at the queues. At
   * safe points only.
   */
  raiseSpurious(vector: number): void {
    if (!this.#host.msixEnabled()) {
      if (this.mask === 0) this.#setPin(true);
      return;
    }
    this.#count(vector);
    this.#host.raiseVector(vector);
  }

  #setPin(level: boolean): void {
    if (level === this.#pin) return;
    this.#pin = level;
    if (level) this.#count(PIN);
    this.#host.setInterruptPin(level);
  }

  #count(vector: number): void {
    addCounter(this.#counters, Counter.interrupts);
    if (this.#trace?.isOn) this.#trace.record(TraceKind.interrupt, vector);
  }

  /** For a snapshot of the machine, whose interrupt controllers remember the pin as it is. */
  save(): ControllerState["interrupts"] {
    return { pin: this.#pin, msix: this.#msix, mask: this.mask };
  }

  restore({ pin, msix, mask }: ControllerState["interrupts"]): void {
    this.#pin = pin;
    this.#msix = msix;
    this.mask = mask & 1;
  }

  /** Milliseconds until the first interrupt that is held back must come; Infinity if there is none. */
  get dueInMs(): number {
    return this.#dueAt === Number.POSITIVE_INFINITY ? this.#dueAt : this.#dueAt - this.#host.now();
  }

  /** Without coalescing no clock is read. */
  #isDue(queue: CompletionQueue, quiet: boolean): boolean {
    if (queue.unsignalled === 0) return false;
    if (quiet || !this.coalescing.isOn) return true;
    const now = this.#host.now();
    const dueAt = this.coalescing.dueAt(queue, now);
    if (dueAt <= now) return true;
    this.#dueAt = Math.min(this.#dueAt, dueAt);
    return false;
  }

  #sendMessages(queues: readonly CompletionQueue[], quiet: boolean): void {
    for (const queue of queues) {
      if (!this.#isDue(queue, quiet)) continue;
      queue.signal();
      if (!queue.interruptsEnabled) continue;
      this.#count(queue.vector);
      this.#host.raiseVector(queue.vector);
    }
  }
}
