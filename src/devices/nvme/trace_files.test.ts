import { describe, expect, it } from "vitest";
import type { TraceEvent } from "../../trace/chrome_trace.ts";
import { type CommandSpan, CommandSpans } from "../../trace/command_spans.ts";
import { MAX_SAVED_RECORDS, MAX_TRACE_BYTES, readSavedTrace } from "../../trace/saved_trace.ts";
import { nestingProblem } from "../../trace/testing/nesting.ts";
import { TraceKind, type TraceRecord } from "../../trace/trace_ring.ts";
import { csv, fioLog, traceJson } from "./trace_files.ts";

const about = {
  savedAt: "2026-11-24T12:00:00.000Z",
  serving: "iothread+poll",
  shadowDoorbells: "dbbuf",
  interrupts: "msix",
  browser: "a browser",
  lost: 0,
  queues: [],
  namespaces: [],
};

/** What one command leaves in the trace, from `time` on; it takes 30 µs. */
function command(time: number, opcode: number, nsid: number, lba: number, blocks: number, qid = 1) {
  const cid = 9 << 16;
  const record = (after: number, kind: number, a: number, b = 0, c = 0, d = 0, e = 0): TraceRecord => ({
    ...{ kind, time: (time + after) >>> 0, a, b, c, d, e },
  });
  return [
    record(0, TraceKind.tailRung, qid, 4),
    record(5, TraceKind.fetched, qid, 3, opcode | cid, nsid | ((blocks - 1) << 16), lba),
    record(12, TraceKind.ready, qid, 0, cid),
    record(20, TraceKind.done, qid, 0, cid),
    record(30, TraceKind.posted, qid, 0, qid | cid, 0),
    record(38, TraceKind.interrupt, 1),
    record(45, TraceKind.headSeen, qid, 1),
  ];
}

const records = [
  ...command(0, 2, 1, 100, 8),
  ...command(2_000, 1, 2, 7, 2),
  ...command(3_000, 0, 1, 0, 1),
  ...command(4_000, 6, 1, 0, 1, 0),
];
const spans = () => joined(records);

describe("fio's log", () => {
  it("has the reads and writes of the I/O queues, in fio's units", () => {
    expect(fioLog(spans(), [{ nsid: 2, lbaBytes: 4096 }])).toBe(
      "0, 30000, 0, 4096, 51200, 0\n2, 30000, 1, 8192, 28672, 0\n",
    );
    expect(fioLog([], [])).toBe("");
  });
});

describe("the CSV", () => {
  it("counts on where the clock wraps", () => {
    const hour = 3600e6;
    const hours = [0, 0.5, 1, 2, 3];
    const long = joined(hours.flatMap(after => command(after * hour, 2, 1, 0, 1)));
    const times = csv(long)
      .trim()
      .split("\n")
      .slice(1)
      .map(line => Number(line.split(",")[0]));
    expect(times).toEqual(hours.map(after => after * hour));
    expect(fioLog(long, []).trim().split("\n").at(-1)).toMatch(/^10800000, /);
  });

  it("counts back where one queue’s answer was read before another’s earlier one", () => {
    const times = csv(joined([...command(500, 2, 1, 0, 1, 1), ...command(100, 2, 1, 0, 1, 2)]));
    expect(
      times
        .trim()
        .split("\n")
        .map(line => line.split(",")[0]),
    ).toEqual(["posted_us", "0", "-400"]);
  });

  it("leaves empty what is not known", () => {
    const unanswered = joined(command(0, 2, 1, 0, 1).slice(0, 5));
    expect(csv(unanswered).trim().split("\n")[1]).toBe("0,1,Read,9,1,0,1,0,1,30,15,7,,");
  });

  it("has a line for each command", () => {
    const lines = csv(spans()).trim().split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[2]).toBe("2000,1,Write,9,2,7,2,0,1,30,15,7,8,15");
  });
});

describe("the trace as JSON", () => {
  it("reads back, and nests, also over a wrap of the clock", () => {
    const wrapping = [...command(2 ** 32 - 10, 2, 1, 0, 8), ...command(2 ** 32 + 90, 1, 1, 0, 8)];
    const text = traceJson(wrapping, about);
    const read = readSavedTrace(text);
    expect(read.records.map(({ time }) => time)).toEqual([
      0, 5, 12, 20, 30, 38, 45, 100, 105, 112, 120, 130, 138, 145,
    ]);
    expect(joined(read.records)).toHaveLength(2);
    const { traceEvents } = JSON.parse(text) as { traceEvents: TraceEvent[] };
    expect(nestingProblem(traceEvents)).toBeUndefined();
    expect(traceEvents.filter(({ ph, name }) => ph === "b" && name === "Read")).toHaveLength(1);
  });

  it("is never larger than what is read", () => {
    // Long numbers, and only records of which much is written for others.
    const long = Array.from({ length: 2_000 }, (_, i) =>
      command(2 ** 31 + i * 1_000_000, 2, 0xfffe, 2 ** 31 - 1, 65_535),
    ).flat();
    const perRecord = traceJson(long, about).length / long.length;
    expect(perRecord * MAX_SAVED_RECORDS).toBeLessThan(MAX_TRACE_BYTES);
  });
});

function joined(records: readonly TraceRecord[]): readonly CommandSpan[] {
  const spans: CommandSpan[] = [];
  const join = new CommandSpans(span => spans.push(span));
  for (const record of records) join.add(record);
  return spans;
}
