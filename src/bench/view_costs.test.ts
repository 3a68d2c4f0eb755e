import { expect, it } from "vitest";
import { drawingCost, roundText, type ViewRound, viewCost, viewCostLines } from "./view_costs.ts";

const look = (rate: number, drawing = 0.02) => ({ rate, drawing });

/** Rates of: closed, the queue view, closed, the timing view, closed. */
const round = ([before, queues, between, timing, after]: readonly number[], drawing = 0.06): ViewRound => ({
  open: { Queues: look(queues, drawing), Timing: look(timing) },
  closed: { Queues: [look(before), look(between)], Timing: [look(between), look(after)] },
});
const rounds = [
  round([100, 97, 100, 101, 100]),
  // A machine that becomes ten times as slow in between, step by step.
  round([100, 53.9, 10, 10.1, 10], 0.05),
  round([1000, 500, 1000, 1010, 1000], 0.07),
];

it("compares each view with what was right before and after it, and takes the median", () => {
  expect(viewCost(rounds, "Queues")).toBeCloseTo(0.03);
  expect(viewCost(rounds, "Timing")).toBeCloseTo(-0.01);
  expect(drawingCost(rounds, "Queues")).toBeCloseTo(0.04);
  expect(drawingCost(rounds, "Timing")).toBeCloseTo(0);
});

it("prints a round in the order of its looks", () => {
  expect(roundText(rounds[1])).toBe("closed 100, Queues 53.9, closed 10.0, Timing 10.1, closed 10.0");
});

it("prints a line for each job", () => {
  expect(viewCostLines(new Map([[{ title: "read 4k" }, rounds]]))).toEqual([
    "What open views cost dd: median of 3 rounds, each view between two looks with the panel closed",
    "  read 4k  closed 100 commands/s ±900%; Queues open 3.0 % less, drawing +0.040 cores; Timing open 1.0 % more, drawing +0.000 cores",
  ]);
});
