import { describe, expect, it } from "vitest";
import { straighten } from "./straighten.ts";

const at = (time: number, a = 0) => ({ kind: 1, time: time >>> 0, a, b: 0, c: 0, d: 0, e: 0 });

describe("straighten", () => {
  it("begins at zero and goes on over wraps of the clock", () => {
    const step = 2 ** 30;
    const start = 2 ** 32 - 10;
    const records = [0, 1, 2, 3, 4, 5].map(i => at(start + i * step));
    expect(straighten(records).map(({ time }) => time)).toEqual([0, 1, 2, 3, 4, 5].map(i => i * step));
  });

  it("never runs back, and keeps the order", () => {
    const straight = straighten([at(100, 1), at(95, 2), at(103, 3), at(2 ** 32 + 98, 4), at(104, 5)]);
    expect(straight.map(({ time, a }) => [time, a])).toEqual([
      [0, 1],
      [0, 2],
      [3, 3],
      [3, 4],
      [4, 5],
    ]);
  });

  it("leaves the records that it was given as they are", () => {
    const record = at(77);
    straighten([record, at(80)]);
    expect(record.time).toBe(77);
    expect(straighten([])).toEqual([]);
  });
});
