import { describe, expect, it } from "vitest";
import { spread, summarize } from "./statistics.ts";

describe("summarize", () => {
  it("gives median, extremes and count, also of an even number of figures", () => {
    expect(summarize([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, runs: 3 });
    expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4, runs: 4 });
  });

  it("sorts by value, and leaves the figures as they are", () => {
    const figures = [100, 9, 20];
    expect(summarize(figures).median).toBe(20);
    expect(figures).toEqual([100, 9, 20]);
  });

  it("refuses no figures", () => {
    expect(() => summarize([])).toThrow(RangeError);
  });
});

describe("spread", () => {
  it("is the larger distance from the median, relative to it", () => {
    expect(spread({ median: 100, min: 90, max: 150, runs: 5 })).toBeCloseTo(0.5);
    expect(spread({ median: 100, min: 20, max: 150, runs: 5 })).toBeCloseTo(0.8);
  });

  it("of nothing is nothing", () => {
    expect(spread({ median: 0, min: 0, max: 0, runs: 5 })).toBe(0);
  });
});
