import { expect, it } from "vitest";
import { drawingCost, roundText, viewCost, viewCostLines } from "./view_costs.ts";

const round = (closed: number, queues: number, timing: number, drawing = 0.02) => ({
  closed: { rate: closed, drawing: 0.02 },
  queues: { rate: queues, drawing: drawing + 0.04 },
  timing: { rate: timing, drawing },
});
const rounds = [
  round(100, 98, 101),
  // A machine that has become slow in between.
  round(10, 9.7, 10.1, 0.01),
  round(1000, 500, 1010, 0.03),
];

it("compares each round within itself, and takes the median", () => {
  expect(viewCost(rounds, "queues")).toBeCloseTo(0.03);
  expect(viewCost(rounds, "timing")).toBeCloseTo(-0.01);
  expect(drawingCost(rounds, "queues")).toBeCloseTo(0.04);
  expect(drawingCost(rounds, "timing")).toBeCloseTo(0);
});

it("prints a round in the order of its states", () => {
  expect(roundText({ title: "read 4k" }, rounds[1])).toBe("read 4k 10.0 / 9.70 / 10.1");
});

it("prints a line for each job", () => {
  expect(viewCostLines(new Map([[{ title: "read 4k", unit: "IOPS" }, rounds]]))).toEqual([
    "What open views cost dd: median of 3 rounds, each of which measures all three states in turn",
    "  read 4k    closed 100 IOPS ±900%; queues open 3.0 % less, drawing +0.040 cores; timing open 1.0 % more, drawing +0.000 cores",
  ]);
});
