import type { CompletionQueue } from "./completion_queue.ts";

/** Unit of the aggregation time. */
const TIME_UNIT_MS = 0.1;
const ADMIN_QUEUE = 0;

/**
 * Interrupt coalescing (NVMe 1.4, sections 5.21.1.8 and 5.21.1.9): an interrupt may wait until so many entries have
 * come together, but not longer than the aggregation time. Never those of the admin queue.
 */
export class Coalescing {
  #entries = 1;
  #ms = 0;
  #uncoalescedVectors: ReadonlySet<number> = new Set();

  /** Takes the value of feature 08h, and the vectors that feature 09h takes out. */
  configure(feature: number, uncoalescedVectors: ReadonlySet<number>): void {
    // The threshold is 0's based.
    this.#entries = (feature & 0xff) + 1;
    this.#ms = ((feature >>> 8) & 0xff) * TIME_UNIT_MS;
    this.#uncoalescedVectors = uncoalescedVectors;
  }

  /** A time of 0 means "no delay", and a threshold of one entry has nothing to wait for. */
  get isOn(): boolean {
    return this.#ms > 0 && this.#entries > 1;
  }

  /**
   * When the queue's interrupt must come, on the clock of `now`: `now` or earlier for one that may not wait (any
   * more). A full queue may not wait, whatever the threshold, because nothing can follow before the host has looked.
   */
  dueAt(queue: CompletionQueue, now: number): number {
    if (
      !this.isOn ||
      queue.id === ADMIN_QUEUE ||
      queue.unsignalled >= this.#entries ||
      queue.isFull ||
      this.#uncoalescedVectors.has(queue.vector)
    )
      return now;
    if (Number.isNaN(queue.heldSince)) queue.heldSince = now;
    return queue.heldSince + this.#ms;
  }
}
