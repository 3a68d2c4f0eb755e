import { expect, it } from "vitest";
import { roundLine, summaryLines, violationLines } from "./report.ts";
import type { RoundResult } from "./session.ts";

const good: RoundResult = {
  round: 1,
  serving: "iothread",
  steps: 7,
  durableSteps: 5,
  workMs: 812.4,
  ms: 7900,
  violations: [],
};
const loss = (block: number) => ({
  where: `block ${block}`,
  found: "zeroes",
  allowed: "version 3 as a whole",
});
const bad: RoundResult = {
  ...good,
  round: 2,
  bootKilledAfterMs: 300,
  violations: Array.from({ length: 23 }, (_, i) => loss(i)),
};

it("says of each round what was killed when, and how it ended", () => {
  expect(roundLine(good)).toMatch(/1 {2}iothread .*7 steps \(5 .*in 812 ms .*7\.9 s {2}ok$/);
  expect(roundLine(bad)).toMatch(/and 300 ms into the next start.*LOST DATA$/);
});

it("counts the kills of starts too", () => {
  expect(summaryLines([good, { ...bad, violations: [] }]).join()).toContain(
    "2 rounds with 3 kills: nothing was lost",
  );
});

it("names each loss, how many more there are, where the disks are, and how to repeat it", () => {
  const lines = violationLines([good, bad], 99, "/tmp/profile");
  expect(lines[0]).toContain("Round 2: 23 violations");
  expect(lines).toContain("  block 19");
  expect(lines).not.toContain("  block 20");
  expect(lines).toContain("  … and 3 more");
  expect(lines.at(-1)).toContain("/tmp/profile");
  expect(lines.at(-1)).toContain("--rounds 2 --seed 99");
});
