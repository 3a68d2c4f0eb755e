import { describe, expect, it } from "vitest";
import { RecordLog } from "../../trace/record_log.ts";
import { readSavedTrace } from "../../trace/saved_trace.ts";
import { TraceKind } from "../../trace/trace_ring.ts";
import { traceFileText } from "./trace_file.ts";

const about = {
  savedAt: "2026-11-24T12:00:00.000Z",
  serving: "iothread",
  shadowDoorbells: "off",
  interrupts: "msix",
  browser: "a browser",
  lost: 0,
  queues: [],
  namespaces: [],
};

/** A read and a write, 5 and 50 µs long. */
const log = new RecordLog(100);
for (const [cid, opcode, time, us] of [
  [7, 2, 100, 5],
  [8, 1, 200, 50],
]) {
  log.add({ kind: TraceKind.fetched, time, a: 1, b: 0, c: opcode | (cid << 16), d: 1, e: 64 });
  log.add({ kind: TraceKind.posted, time: time + us, a: 1, b: 0, c: 1 | (cid << 16), d: 0, e: 0 });
}
const all = { qid: undefined, command: undefined, slowerThan: 0 };
const words = log.words;

describe("the file of a recording", () => {
  it("as a trace has all records", () => {
    const { records } = readSavedTrace(traceFileText(words, { as: "json", about }));
    expect(records.map(({ kind, time }) => [kind, time])).toEqual([
      [TraceKind.fetched, 0],
      [TraceKind.posted, 5],
      [TraceKind.fetched, 100],
      [TraceKind.posted, 150],
    ]);
  });

  it("as CSV or fio's log has what the filter lets through", () => {
    const names = (filter: typeof all) =>
      traceFileText(words, { as: "csv", filter })
        .trim()
        .split("\n")
        .slice(1)
        .map(line => line.split(",")[2]);
    expect(names(all)).toEqual(["Read", "Write"]);
    expect(names({ ...all, slowerThan: 6 })).toEqual(["Write"]);
    const namespaces = [{ nsid: 1, lbaBytes: 4096 }];
    expect(traceFileText(words, { as: "fio", filter: { ...all, slowerThan: 6 }, namespaces })).toBe(
      "0, 50000, 1, 4096, 262144, 0\n",
    );
  });
});
