import { describe, expect, it } from "vitest";
import { makeRow, type Result } from "./definitions/measure.ts";
import { figure } from "./definitions/statistics.ts";
import { defaultSystem, systems } from "./definitions/systems.ts";
import { costColumns, rateColumns, tableLines } from "./table.ts";

const ide = systems.find(({ system }) => system === "ide") ?? defaultSystem;

const results: readonly Result[] = [
  {
    system: defaultSystem,
    rows: [
      makeRow(defaultSystem, "write-1m", "rate", "MB/s", [300, 320, 310]),
      makeRow(defaultSystem, "read-1m", "rate", "MB/s", [900, 1000, 700]),
      makeRow(defaultSystem, "read-4k", "rate", "IOPS", [19045]),
      makeRow(defaultSystem, "read-4k", "mmio-exits", "per I/O", [0.0081, 0.0081]),
      makeRow(defaultSystem, "randread-4k-qd16", "rate", "IOPS", [20000, 20000]),
      makeRow(defaultSystem, "randread-4k-qd4", "rate", "IOPS", [10000, 10000]),
      makeRow(defaultSystem, "randread-4k-qd16", "mmio-exits", "per I/O", [0.25, 0.25]),
    ],
  },
  { system: ide, rows: [makeRow(ide, "read-1m", "rate", "MB/s", [250, 200])], failure: "it broke" },
];

describe("the rate table", () => {
  it("has the measured jobs as columns, reads before writes and shallow queues before deep ones", () => {
    expect(rateColumns(results).map(({ head }) => head.join(" "))).toEqual([
      "read 1M MB/s",
      "write 1M MB/s",
      "read 4k IOPS",
      "rand 4k qd4 IOPS",
      "rand 4k qd16 IOPS",
    ]);
  });

  it("has a line for each system, all columns aligned, and a dash for what was not measured", () => {
    const lines = tableLines(results, rateColumns(results));
    expect(lines).toHaveLength(4);
    expect(lines[2]).toMatch(
      /^nvme +iothread\+poll dbbuf +msix +900 ±22% +310 ±3% +19045 +10000 ±0% +20000 ±0%$/,
    );
    expect(lines[3]).toMatch(/^ide +mmio +none +intx +225 ±11% +– +– +– +–$/);
    expect(new Set(lines.map(({ length }) => length)).size).toBe(1);
  });

  it("fits into 150 columns with all jobs, and labels do not run into figures", () => {
    const depths = [1, 4, 16, 32].map(depth => `randread-4k-qd${depth}`);
    const jobs = ["read-1m", "write-1m", "read-4k", "write-4k", ...depths];
    const everything = systems.map(system => ({
      system,
      rows: jobs.map(job => makeRow(system, job, "rate", "IOPS", [1000, 123456, 200000])),
    }));
    const lines = tableLines(everything, rateColumns(everything));
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(150);
    for (const line of lines.slice(2)) expect(line).toMatch(/^\S+ +\S+ +\w+ +(msix|intx) +\d/);
  });
});

describe("the cost table", () => {
  it("has the metrics of one request at a time and of the deepest queue", () => {
    expect(costColumns(results).map(({ head }) => head)).toEqual([
      ["read 4k", "exits"],
      ["rand 4k qd16", "exits"],
    ]);
  });
});

describe("figure", () => {
  it("keeps the digits that matter", () => {
    expect([19045.4, 99.94, 2, 0.0081, 0].map(figure)).toEqual(["19045", "99.9", "2.00", "0.008", "0"]);
  });
});
