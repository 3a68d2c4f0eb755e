import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LatencyHistogram } from "./latency_histogram.ts";

function of(latencies: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const latency of latencies) histogram.add(latency);
  return histogram;
}

describe("LatencyHistogram", () => {
  it("has one bar for each doubling, from the first to the last", () => {
    expect(of([5, 7, 40]).octaves()).toEqual([
      { from: 4, to: 8, count: 2 },
      { from: 8, to: 16, count: 0 },
      { from: 16, to: 32, count: 0 },
      { from: 32, to: 64, count: 1 },
    ]);
    expect(of([0, 1]).octaves()).toEqual([{ from: 0, to: 2, count: 2 }]);
    expect(of([]).octaves()).toEqual([]);
    expect(of([]).quantile(0.5)).toBe(0);
  });

  it("counts together with what another one has counted", () => {
    const histogram = of([5, 40]);
    histogram.addAll(of([6, 1000]));
    expect(histogram.total).toBe(4);
    expect([2, 3, 5, 9].map(octave => histogram.countOf(octave))).toEqual([2, 0, 1, 1]);
  });

  it("gives quantiles within a step of the exact ones, and counts everything", () => {
    const latencies = fc.array(fc.integer({ min: 1, max: 10_000_000 }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(latencies, fc.constantFrom(0.5, 0.99, 0.999), (values, quantile) => {
        const histogram = of(values);
        const exact = values.toSorted((a, b) => a - b)[Math.ceil(quantile * values.length) - 1];
        const found = histogram.quantile(quantile);
        expect(found).toBeGreaterThanOrEqual(exact * 0.999);
        expect(found).toBeLessThanOrEqual(Math.max(2, exact * 2 ** (1 / 8)) * 1.001);
        expect(histogram.octaves().reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
        expect(histogram.total).toBe(values.length);
      }),
    );
  });
});
