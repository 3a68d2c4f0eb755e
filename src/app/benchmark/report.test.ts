import { describe, expect, it } from "vitest";
import { makeRow, quickPlan } from "../../bench/definitions/measure.ts";
import { defaultSystem, label } from "../../bench/definitions/systems.ts";
import { THIS_GUEST } from "./choice.ts";
import { jsonOf, markdownOf, type Report } from "./report.ts";
import type { Measured } from "./run.ts";

const measured = (name: string, rates: readonly number[], failure?: string): Measured => ({
  name,
  system: defaultSystem,
  rows:
    rates.length === 0
      ? []
      : [
          makeRow(defaultSystem, "read-1m", "rate", "MB/s", rates),
          makeRow(defaultSystem, "read-1m", "latency-p50", "µs", [400]),
          makeRow(defaultSystem, "read-1m", "latency-p99", "µs", [900]),
        ],
  runs: { "read-1m": rates.map(figure => ({ figure, line: `${figure} MB/s`, hostMs: 1 })) },
  warmUp: {},
  kernel: "6.1.170",
  commandsBeside: 12,
  ...(failure !== undefined && { failure }),
});

const report: Report = {
  conditions: {
    at: "2026-11-24T12:00:00.000Z",
    browser: "Chromium 150 on Linux",
    cores: 2,
    doorbell: "0.1.0",
    v86: "0.5.462",
    plan: quickPlan,
    address: "http://localhost/?bench=quick",
  },
  results: [
    measured(THIS_GUEST, [1000, 2000, 1500]),
    measured(label(defaultSystem), [1200]),
    measured(label(defaultSystem), [], "It broke."),
  ],
};

describe("the report as Markdown", () => {
  const text = markdownOf(report);

  it("has a row for each figure, with spread, latencies and the thread's for scale", () => {
    expect(text).toContain(
      `| ${label(defaultSystem)} (this guest) | 1500 ±33 % | 1000 – 2000 | 400 µs / 900 µs |`,
    );
    expect(text).toContain(`| ${label(defaultSystem)} | 1200 | 1200 – 1200 |`);
    expect(text).toContain("| 2015: virtio-blk | 344 | | |");
    const widths = text
      .split("\n")
      .filter(line => line.startsWith("|"))
      .map(line => line.split("|").length);
    expect(new Set(widths)).toEqual(new Set([6]));
  });

  it("states the conditions, and what failed", () => {
    for (const part of [
      "Chromium 150",
      "2 logical cores",
      "v86 0.5.462",
      "Linux 6.1.170",
      "7.5 s to warm up",
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain("It broke.");
    expect(text).toContain("but for 36 I/O commands");
    expect(text).toContain("http://localhost/?bench=quick");
  });
});

describe("the report as JSON", () => {
  it("has the rows as the command line writes them, and each run", () => {
    const read = JSON.parse(jsonOf(report));
    expect(read).toMatchObject({ format: "doorbell-benchmark", version: 1, conditions: report.conditions });
    expect(read.rows[0]).toEqual(report.results[0].rows[0]);
    expect(read.rows).toHaveLength(6);
    expect(read.results[0].runs["read-1m"]).toHaveLength(3);
  });
});
