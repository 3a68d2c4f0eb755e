/** How the iothread has spent its time of late: in slices of a few milliseconds, the share of each state. */
import { IothreadState } from "../../trace/counters.ts";

export const SLICE_US = 20_000;
export const SLICES = 200;

/** Shares of a slice, 0 to 1; what is missing to 1 was spent asleep or is not known. */
export interface Slice {
  busy: number;
  polling: number;
}

export class StateHistory {
  readonly #slices: Slice[] = Array.from({ length: SLICES }, () => ({ busy: 0, polling: 0 }));
  /** Number of the newest slice, on an endless scale, and the microseconds that are accounted for. */
  #newest = 0;
  #accounted = 0;
  #state: number = IothreadState.sleeping;
  #last: number | undefined;

  /** The thread is in `state` from `time` on (microseconds modulo 2^32; not before the last call's). */
  enter(state: number, time: number): void {
    this.advance(time);
    this.#state = state;
  }

  /** Time has passed without a change. */
  advance(time: number): void {
    if (this.#last === undefined) {
      this.#last = time;
      return;
    }
    // Signed: the clocks of two threads may differ by a few microseconds.
    let left = (time - this.#last) | 0;
    if (left <= 0) return;
    this.#last = time;
    // More than the whole history: only the end of it counts.
    left = Math.min(left, SLICE_US * SLICES);
    while (left > 0) {
      const within = this.#accounted % SLICE_US;
      const part = Math.min(left, SLICE_US - within);
      this.#account(part / SLICE_US);
      this.#accounted += part;
      left -= part;
      if (this.#accounted % SLICE_US === 0) this.#next();
    }
  }

  /** Oldest first; the newest is still growing. */
  slices(): readonly Slice[] {
    return Array.from({ length: SLICES }, (_, i) => this.#slices[(this.#newest + 1 + i) % SLICES]);
  }

  #account(share: number): void {
    const slice = this.#slices[this.#newest % SLICES];
    if (this.#state === IothreadState.busy) slice.busy += share;
    else if (this.#state === IothreadState.polling) slice.polling += share;
  }

  #next(): void {
    this.#newest += 1;
    const slice = this.#slices[this.#newest % SLICES];
    slice.busy = 0;
    slice.polling = 0;
  }
}
