/**
 * Busy waiting is worth it only on a core that nobody else needs. Where there are more threads than cores, a thread
 * that spins keeps the very thread from running that it waits for, for whole time slices. JavaScript cannot ask the
 * scheduler, but it can see that it was not running: two looks at the clock that should be microseconds apart are not.
 * Then it is not to spin for a while, for longer if it happens again.
 *
 * Measured with one more busy process on two cores: docs/performance.md.
 */

/** A garbage collection in this thread is shorter, a time slice of another thread longer. */
const GAP_MS = 0.5;
const SHORTEST_BAN_MS = 4;
const LONGEST_BAN_MS = 64;

export class SpinGuard {
  #bannedUntil = Number.NEGATIVE_INFINITY;
  #banMs = SHORTEST_BAN_MS;
  #last = 0;

  /** Before busy waiting, at time `now` in milliseconds: is it worth a try? */
  begin(now: number): boolean {
    this.#last = now;
    return now >= this.#bannedUntil;
  }

  /** At each further look at the clock: false if the thread was kept from running, and must not go on. */
  look(now: number): boolean {
    const gap = now - this.#last;
    this.#last = now;
    if (gap < GAP_MS) return true;
    this.#bannedUntil = now + this.#banMs;
    this.#banMs = Math.min(LONGEST_BAN_MS, this.#banMs * 2);
    return false;
  }

  /** What was waited for came while the thread was spinning. */
  hit(): void {
    this.#banMs = Math.max(SHORTEST_BAN_MS, this.#banMs / 2);
  }
}
