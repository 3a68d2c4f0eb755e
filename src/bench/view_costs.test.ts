import { expect, it } from "vitest";
import { roundText, viewCost, viewCostLines } from "./view_costs.ts";

const rounds = [
  { closed: 100, queues: 98, timing: 101 },
  // A machine that has become slow in between.
  { closed: 10, queues: 9.7, timing: 10.1 },
  { closed: 1000, queues: 500, timing: 1010 },
];

it("compares each round within itself, and takes the median", () => {
  expect(viewCost(rounds, "queues")).toBeCloseTo(0.03);
  expect(viewCost(rounds, "timing")).toBeCloseTo(-0.01);
});

it("prints a round in the order of its states", () => {
  expect(roundText({ title: "read 4k" }, rounds[1])).toBe("read 4k 10.0 / 9.70 / 10.1");
});

it("prints a line for each job", () => {
  expect(viewCostLines(new Map([[{ title: "read 4k", unit: "IOPS" }, rounds]]))).toEqual([
    "What open views cost dd: median of 3 rounds, each of which measures all three states in turn",
    "  read 4k    closed 100 IOPS ±900%; queues open 3.0 % less; timing open 1.0 % more",
  ]);
});
