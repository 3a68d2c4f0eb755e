export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
}

/** Median and spread of at least one figure. */
export function summarize(figures: readonly number[]): Summary {
  if (figures.length === 0) throw new RangeError("No figures to summarize.");
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1], runs: sorted.length };
}

/** How far the figure farthest from the median is from it, as a part of the median. */
export function spread({ median, min, max }: Summary): number {
  return median === 0 ? 0 : Math.max(max - median, median - min) / median;
}

/** Three digits that matter, but no fractions of large figures. */
export function figure(value: number): string {
  if (value >= 100 || value === 0) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(value >= 1 ? 2 : 3);
}
