/** Rates over the last moments, from counters that only grow. */
import type { CounterName } from "../../trace/counters.ts";

export type Counters = Readonly<Record<CounterName, number>>;

interface Sample {
  readonly ms: number;
  readonly counters: Counters;
}

/** Keeps the samples of about the last `windowMs` milliseconds and divides differences by time. */
export class RateMeter {
  readonly #windowMs: number;
  #samples: Sample[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(ms: number, counters: Counters): void {
    const last = this.#samples.at(-1);
    // Counters that fell belong to a new boot: rates across it mean nothing.
    if (last && (counters.commands < last.counters.commands || ms < last.ms)) this.clear();
    this.#samples.push({ ms, counters });
    // The oldest sample stays the newest one that is at least a window old, so that the window is always covered.
    while (this.#samples.length > 2 && ms - this.#samples[1].ms >= this.#windowMs) this.#samples.shift();
  }

  /** Forgets all samples: after a pause, the time without samples must not count. */
  clear(): void {
    this.#samples = [];
  }

  /** The newest sample. */
  get latest(): Counters | undefined {
    return this.#samples.at(-1)?.counters;
  }

  /** How much of a counter came in a second; 0 until two samples are there. */
  perSecond(name: CounterName): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.ms <= first.ms) return 0;
    return Math.max(0, ((last.counters[name] - first.counters[name]) * 1000) / (last.ms - first.ms));
  }
}
