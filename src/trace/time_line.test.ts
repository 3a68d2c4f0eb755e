import { expect, it } from "vitest";
import { timeLine } from "./time_line.ts";

it("counts from the first moment, over wraps of the clock and gaps of up to an hour", () => {
  const since = timeLine();
  const minute = 60e6;
  const moments = [0, 1, 41, 100, 165, 165.01].map(minutes => minutes * minute);
  const start = 2 ** 32 - 5;
  expect(moments.map(moment => since((start + moment) % 2 ** 32))).toEqual(moments);
});

it("goes back by a little, where an earlier moment is told later", () => {
  const since = timeLine();
  expect([100, 90, 2 ** 32 - 5, 110].map(since)).toEqual([0, -10, -105, 10]);
});
