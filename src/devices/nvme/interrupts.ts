import { addCounter, Counter } from "../../trace/counters.ts";
import type { CompletionQueue } from "./completion_queue.ts";

/** How a controller interrupts the guest. All calls are made in the vCPU thread. */
export interface InterruptHost {
  /** Drives the interrupt pin. `true` only comes from safePoint(), `false` also from a register write. */
  setInterruptPin(level: boolean): void;
  /** Has the guest switched MSI-X on? Then messages are sent and the pin stays low. */
  msixEnabled(): boolean;
  /** Sends the message of an MSI-X vector. Only called from safePoint(). */
  raiseVector(vector: number): void;
}

/**
 * Interrupts of a controller (NVMe 1.4, section 7.5): a pin that is asserted while an unmasked queue has entries that
 * the host has not consumed, or a message for each batch of entries posted.
 */
export class Interrupts {
  readonly #host: InterruptHost;
  readonly #counters: Int32Array;
  #pin = false;
  /** INTMS / INTMC (3.1.3, 3.1.4); of the pin alone. */
  mask = 0;

  constructor(host: InterruptHost, counters: Int32Array) {
    this.#host = host;
    this.#counters = counters;
  }

  /** Takes notice of new entries and of entries consumed. `mayRaise` is true at safe points only (rule 5). */
  update(queues: Iterable<CompletionQueue>, mayRaise: boolean): void {
    if (this.#host.msixEnabled()) {
      this.#setPin(false);
      if (mayRaise) this.#sendMessages(queues);
      return;
    }
    let level = false;
    if (this.mask === 0) {
      for (const queue of queues) level ||= queue.interruptsEnabled && !queue.isEmpty;
    }
    if (!level || mayRaise) this.#setPin(level);
  }

  #setPin(level: boolean): void {
    if (level === this.#pin) return;
    this.#pin = level;
    if (level) addCounter(this.#counters, Counter.interrupts);
    this.#host.setInterruptPin(level);
  }

  #sendMessages(queues: Iterable<CompletionQueue>): void {
    for (const queue of queues) {
      if (!queue.takePosted() || !queue.interruptsEnabled) continue;
      addCounter(this.#counters, Counter.interrupts);
      this.#host.raiseVector(queue.vector);
    }
  }
}
