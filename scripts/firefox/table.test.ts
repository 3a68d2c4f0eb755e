import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { count, outcomesOf, problems } from "./results.ts";
import { features, tableOf } from "./table.ts";

const spec = (
  title: string,
  status: "expected" | "unexpected" | "flaky" | "skipped",
  ...annotations: [string, string][]
) => ({
  title,
  tests: [{ status, annotations: annotations.map(([type, description]) => ({ type, description })) }],
});

const outcomes = outcomesOf({
  suites: [
    {
      file: "modes.spec.ts",
      specs: [spec("one", "expected"), spec("two", "flaky", ["left out", "a step: why"])],
      suites: [{ file: "modes.spec.ts", specs: [spec("three", "unexpected")] }],
    },
    { file: "e2e/quota.spec.ts", specs: [spec("four", "skipped", ["skip", "no limit"])] },
  ],
});

test("a run is counted, and what it did not do is named with its reason", () => {
  expect(count(outcomes)).toEqual({ passed: 2, failed: 1, skipped: 1 });
  expect(problems(outcomes)).toEqual([
    "left out: modes.spec.ts, two: a step: why",
    "failed: modes.spec.ts, three",
    "skipped: quota.spec.ts, four: no limit",
  ]);
});

test("the table has a row for each file of tests, run or not", () => {
  const rows = tableOf(outcomes, outcomes).split("\n");
  expect(rows.find(row => row.includes("| modes |"))).toMatch(
    /\| 3 \| 2 of 3; fails: three; a step: why \|$/,
  );
  expect(rows.find(row => row.includes("| quota |"))).toMatch(/\| 1 \| 0 of 1; no limit \|$/);
  expect(rows.find(row => row.includes("| soak |"))).toMatch(/\| not run \|$/);
});

test("the document has the rows that the table would have", () => {
  const document = readFileSync("docs/browsers.md", "utf8");
  for (const [file, feature] of features) {
    expect(existsSync(`e2e/${file}.spec.ts`), file).toBe(true);
    expect(document, file).toContain(`| ${feature} | ${file} |`);
  }
});
