/** Steps in which each doubling is counted: a quantile is exact to about 9 %. */
const STEPS = 8;
const OCTAVES = 32;

/** One bar: latencies of at least `from` and less than `to` microseconds. */
export interface Bucket {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Counts latencies in steps that grow with them (log2, as fio and the kernel's histograms do). */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(OCTAVES * STEPS);
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** A latency in whole microseconds. */
  add(microseconds: number): void {
    this.#counts[stepOf(microseconds)] += 1;
    this.#total += 1;
  }

  /** Counts what the other one has counted. */
  addAll(other: LatencyHistogram): void {
    for (const [step, count] of other.#counts.entries()) this.#counts[step] += count;
    this.#total += other.#total;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** The latency that the share `quantile` (0 to 1) of all stays below, in microseconds; 0 if there are none. */
  quantile(quantile: number): number {
    let left = Math.max(1, Math.ceil(quantile * this.#total));
    for (const [step, count] of this.#counts.entries()) {
      if (left <= count) return count === 0 ? 0 : lowerBound(step + 1);
      left -= count;
    }
    return 0;
  }

  /** Latencies of 2^octave microseconds and more, and less than twice as much; octave 0 has those below as well. */
  countOf(octave: number): number {
    let count = 0;
    for (let step = 0; step < STEPS; step++) count += this.#counts[octave * STEPS + step];
    return count;
  }

  /** One bar for each doubling, from the first that is not empty to the last. */
  octaves(): Bucket[] {
    const buckets: Bucket[] = [];
    for (let octave = 0; octave < OCTAVES; octave++) {
      const count = this.countOf(octave);
      buckets.push({ from: octave === 0 ? 0 : 2 ** octave, to: 2 ** (octave + 1), count });
    }
    const first = buckets.findIndex(({ count }) => count > 0);
    return first < 0 ? [] : buckets.slice(first, buckets.findLastIndex(({ count }) => count > 0) + 1);
  }
}

function stepOf(microseconds: number): number {
  if (!(microseconds > 1)) return 0;
  const step = Math.floor(Math.log2(microseconds) * STEPS + 1e-9);
  return Math.min(step, OCTAVES * STEPS - 1);
}

const lowerBound = (step: number): number => 2 ** (step / STEPS);
