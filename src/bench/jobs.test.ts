import { describe, expect, it } from "vitest";
import { jobs } from "./jobs.ts";
import { summarize } from "./statistics.ts";

const job = (name: string) => {
  const found = jobs.find(candidate => candidate.name === name);
  if (!found) throw new Error(`no job ${name}`);
  return found;
};

describe("benchmark jobs", () => {
  const output =
    "2048+0 records in\n2048+0 records out\n8388608 bytes (8.4 MB, 8.0 MiB) copied, 0.5 s, 16.8 MB/s\n";

  it("read megabytes a second and I/Os a second out of dd's own figures", () => {
    expect(job("read-1m").parse(output)).toBeCloseTo(16.777, 3);
    expect(job("write-4k").parse(output)).toBe(4096);
  });

  it("refuse output without a rate", () => {
    expect(() => job("read-4k").parse("dd: failed to open '/dev/nvme0n2'")).toThrow("no rate");
  });
});

describe("summarize", () => {
  it("gives median, extremes and count, also of an even number of figures", () => {
    expect(summarize([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, runs: 3 });
    expect(summarize([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4, runs: 4 });
  });
});
