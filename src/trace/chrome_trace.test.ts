import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chromeTrace } from "./chrome_trace.ts";
import { IothreadState } from "./counters.ts";
import { straighten } from "./straighten.ts";
import { nestingProblem } from "./testing/nesting.ts";
import { TraceKind, type TraceRecord } from "./trace_ring.ts";

const at = (time: number, kind: number, a: number, b = 0, c = 0, d = 0, e = 0): TraceRecord => ({
  kind,
  time,
  a,
  b,
  c,
  d,
  e,
});
const nameOf = (qid: number, opcode: number) => `${qid}:${opcode}`;

describe("chromeTrace", () => {
  it("has the threads' tracks and a command with its phases within it", () => {
    const { traceEvents } = chromeTrace(
      [
        at(1000, TraceKind.state, IothreadState.sleeping),
        at(1010, TraceKind.tailRung, 1, 4),
        at(1015, TraceKind.state, IothreadState.busy),
        at(1015, TraceKind.fetched, 1, 3, 2 | (9 << 16), 1, 77),
        at(1020, TraceKind.fault, 1, 7, 2 | (9 << 16), 0, 77),
        at(1022, TraceKind.ready, 1, 0, 9 << 16),
        at(1030, TraceKind.done, 1, 0, 9 << 16),
        at(1032, TraceKind.posted, 1, 0, 1 | (9 << 16), 0),
        at(1040, TraceKind.interrupt, 1),
        at(1047, TraceKind.headSeen, 1, 1),
      ],
      nameOf,
    );
    const slices = traceEvents.filter(({ ph }) => ph === "X").map(({ name, ts, dur }) => [name, ts, dur]);
    expect(slices).toEqual([
      ["asleep", 0, 15],
      ["busy", 15, 32],
    ]);
    const instants = traceEvents.filter(({ ph }) => ph === "i").map(({ name, ts }) => [name, ts]);
    expect(instants).toEqual([
      ["tail doorbell", 10],
      ["fault", 20],
      ["interrupt", 40],
      ["head in the shadow buffer", 47],
    ]);
    const spans = traceEvents
      .filter(({ cat }) => cat === "command")
      .map(({ name, ph, ts }) => [ph, name, ts]);
    expect(spans).toEqual([
      ["b", "1:2", 10],
      ["b", "announced", 10],
      ["e", "announced", 15],
      ["b", "waits for storage", 15],
      ["e", "waits for storage", 22],
      ["b", "data moves", 22],
      ["e", "data moves", 30],
      ["b", "waits to be posted", 30],
      ["e", "waits to be posted", 32],
      ["b", "waits for its interrupt", 32],
      ["e", "waits for its interrupt", 40],
      ["b", "waits to be read", 40],
      ["e", "waits to be read", 47],
      ["e", "1:2", 47],
    ]);
  });

  it("nests whatever the records say", () => {
    const record = fc.record({
      kind: fc.integer({ min: 1, max: 12 }),
      time: fc.integer({ min: 0, max: 100_000 }),
      a: fc.integer({ min: 0, max: 3 }),
      b: fc.nat(15),
      c: fc.tuple(fc.nat(3), fc.nat(7)).map(([low, cid]) => low | (cid << 16)),
      d: fc.nat(3),
      e: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 200 }), records => {
        const { traceEvents } = chromeTrace(straighten(records), nameOf);
        expect(nestingProblem(traceEvents)).toBeUndefined();
      }),
    );
  });

  it("is told from one that does not nest", () => {
    const span = (ph: "b" | "e", name: string, ts: number) => ({ ph, name, ts, id: "1", pid: 1, tid: 1 });
    const slice = (ts: number, dur: number) => ({ ph: "X" as const, name: "x", ts, dur, pid: 1, tid: 1 });
    expect(nestingProblem([span("b", "a", 0), span("b", "c", 1), span("e", "a", 2)])).toContain("ends c");
    expect(nestingProblem([span("b", "a", 0)])).toContain("never ends");
    expect(nestingProblem([span("b", "a", 3), span("e", "a", 2)])).toContain("before it begins");
    expect(nestingProblem([slice(0, 5), slice(3, 5)])).toContain("reaches out");
    expect(nestingProblem([slice(0, 5), slice(1, 2), slice(5, 5)])).toBeUndefined();
  });
});
