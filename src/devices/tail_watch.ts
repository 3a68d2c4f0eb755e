import { addCounter, Counter } from "../trace/counters.ts";
import { CommonControl, type SharedDeviceState } from "./shared_device_state.ts";

/**
 * Up to where a queue may be fetched, for the serving side of NVMe (tails) and virtio (available indices) alike.
 *
 * A tail comes by a doorbell, which the vCPU thread has stored atomically, or is read out of guest memory. On a weakly
 * ordered host the entries might be seen later than a tail that was read so. There it is held back until the vCPU
 * thread has passed a safe point since (rule 3 of the design); where stores become visible in program order (x86) it
 * is believed at once.
 */
export class TailWatch {
  readonly #shared: SharedDeviceState;
  readonly #stronglyOrderedHost: boolean;
  /** The doorbell as last seen, by queue: tells one that is new from one that is history. */
  readonly #lastRung: Int32Array;
  /** The tail up to which entries may be fetched without a further look. */
  readonly #believed: Int32Array;
  /** The tail that was last taken up: each counts once, in however many bursts it is served. */
  readonly #counted: Int32Array;
  /** Tails held back, and the safe point count at which each was seen. */
  readonly #held: Int32Array;
  readonly #heldSince: Int32Array;

  constructor(shared: SharedDeviceState, queues: number, stronglyOrderedHost: boolean) {
    this.#shared = shared;
    this.#stronglyOrderedHost = stronglyOrderedHost;
    this.#lastRung = new Int32Array(queues);
    this.#believed = new Int32Array(queues);
    this.#counted = new Int32Array(queues);
    this.#held = new Int32Array(queues).fill(-1);
    this.#heldSince = new Int32Array(queues);
  }

  /** The queue starts anew at 0, or goes on at `head`: nothing before it is to be fetched, whatever was rung. */
  forget(queue: number, head = 0): void {
    this.#lastRung[queue] = head;
    this.#believed[queue] = head;
    this.#counted[queue] = head;
    this.#held[queue] = -1;
  }

  /** Without tails in guest memory: what was rung is what counts. */
  rung(queue: number, rung: number): number {
    this.#lastRung[queue] = rung;
    this.#believed[queue] = rung;
    return rung;
  }

  /**
   * The tail up to which entries may be fetched now; `head` if there is nothing new. `rung` must have been read before
   * `written`, the tail in guest memory: then that is never older. Tails count modulo `modulus`.
   */
  accept(queue: number, head: number, rung: number, written: number, modulus: number): number {
    const rungNow = rung !== this.#lastRung[queue];
    this.#lastRung[queue] = rung;
    if (written === head) return head;
    if (this.#stronglyOrderedHost) {
      if (written !== rung) addCounter(this.#shared.counters, Counter.shadowTailsTaken);
      return written;
    }
    // What is left of a tail that was believed before.
    if (this.#believed[queue] !== head) return this.#believed[queue];
    // A doorbell that was seen before may have any value: it may be a lap old.
    this.#believed[queue] = this.#hold(queue, head, rungNow ? rung : head, written, modulus);
    return this.#believed[queue];
  }

  /** Would accept() hold this tail back still? */
  isHeld(queue: number, written: number): boolean {
    return this.#held[queue] === written && this.#heldSince[queue] === this.#safePoints;
  }

  /** Counts a tail that is about to be fetched and for which no doorbell was rung. */
  countElided(queue: number, tail: number, lastRung: number): void {
    if (tail === this.#counted[queue]) return;
    this.#counted[queue] = tail;
    if (tail !== lastRung) addCounter(this.#shared.counters, Counter.doorbellsElided);
  }

  get #safePoints(): number {
    return this.#shared.getControl(CommonControl.SAFE_POINTS);
  }

  #hold(queue: number, head: number, rung: number, written: number, modulus: number): number {
    if (written === rung) return written;
    if (this.#held[queue] === written && !this.isHeld(queue, written)) {
      this.#held[queue] = -1;
      return written;
    }
    if (this.#held[queue] !== written) {
      this.#held[queue] = written;
      this.#heldSince[queue] = this.#safePoints;
      addCounter(this.#shared.counters, Counter.shadowTailsHeld);
    }
    const distance = (tail: number) => (tail - head + modulus) % modulus;
    return distance(rung) < distance(written) ? rung : head;
  }
}
