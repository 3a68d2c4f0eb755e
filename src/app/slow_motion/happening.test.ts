import { describe, expect, it } from "vitest";
import { TraceKind } from "../../trace/trace_ring.ts";
import { happeningOf } from "./happening.ts";

const record = (kind: number, a: number, b = 0, c = 0, d = 0) => ({ kind, time: 0, a, b, c, d, e: 0 });

describe("happeningOf", () => {
  it.each([
    [
      record(TraceKind.tailRung, 1, 18),
      /rang the tail doorbell of queue 1: its entries before 18 .*3\.1\.24/,
    ],
    [record(TraceKind.shadowSeen, 1, 18), /found tail 18 of queue 1 in the shadow .*5\.7/],
    [record(TraceKind.swept, 2, 3), /sweep handed tail 3 of queue 2 over.*annex B\.5/],
    [record(TraceKind.headRung, 0, 4), /head doorbell of the admin queue.*before 4.*3\.1\.25/],
    [
      record(TraceKind.fetched, 1, 17, 2 | (0x4011 << 16)),
      /fetched entry 17 of queue 1: Read, command 4011h\. \(4\.1\)/,
    ],
    [record(TraceKind.fetched, 0, 1, 6), /entry 1 of the admin queue: Identify, command 0h/],
    [
      record(TraceKind.posted, 1, 5, 1 | (0xf00b << 16)),
      /entry 5 of completion queue 1: command F00Bh, success/i,
    ],
    [record(TraceKind.posted, 1, 5, 1, 0x281), /command 0h, .*unrecovered read error/i],
    [record(TraceKind.interrupt, 1), /message 1.*7\.5/],
    [record(TraceKind.interrupt, -1), /pin.*7\.5/],
  ])("%o", (each, sentence) => {
    expect(happeningOf(each)?.sentence).toMatch(sentence);
  });

  it("names the entry that it is about", () => {
    expect(happeningOf(record(TraceKind.fetched, 3, 7))?.entry).toEqual({ queue: "sq", id: 3, index: 7 });
    expect(happeningOf(record(TraceKind.posted, 2, 9))?.entry).toEqual({ queue: "cq", id: 2, index: 9 });
    expect(happeningOf(record(TraceKind.tailRung, 1, 9))?.entry).toEqual({
      queue: "sq",
      id: 1,
      index: undefined,
    });
  });

  it("says nothing of what is no event of a queue", () => {
    expect(happeningOf(record(TraceKind.state, 1))).toBeUndefined();
    expect(happeningOf(record(TraceKind.done, 1))).toBeUndefined();
    expect(happeningOf(record(99, 1))).toBeUndefined();
  });
});
