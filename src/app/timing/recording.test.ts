import { describe, expect, it } from "vitest";
import { TraceKind } from "../../trace/trace_ring.ts";
import { isOpen, matches, Recording } from "./recording.ts";

const command = (cid: number, time: number) => [
  { kind: TraceKind.fetched, time, a: 1, b: 0, c: 2 | (cid << 16), d: 1, e: 0 },
  { kind: TraceKind.posted, time: time + 5, a: 1, b: 0, c: 1 | (cid << 16), d: 0, e: 0 },
];

describe("Recording", () => {
  it("hands out each command once, also when its records come in two calls", () => {
    const recording = new Recording();
    const [fetched, posted] = command(7, 100);
    expect(recording.add([fetched])).toEqual([]);
    expect(recording.add([posted, ...command(8, 200)]).map(({ cid }) => cid)).toEqual([7, 8]);
    expect(recording.add([])).toEqual([]);
    expect(recording.spans.map(({ cid }) => cid)).toEqual([7, 8]);
    recording.clear();
    expect([recording.spans, recording.records]).toEqual([[], []]);
  });

  it("keeps the newest when there are too many", () => {
    const recording = new Recording();
    for (let i = 0; i < 70_000; i++) recording.add(command(i & 0xffff, i * 10));
    expect(recording.spans.length).toBeGreaterThanOrEqual(50_000);
    expect(recording.spans.length).toBeLessThan(70_000);
    expect(recording.spans.at(-1)?.cid).toBe(69_999 & 0xffff);
    expect(recording.records.length).toBeLessThanOrEqual(250_000);
  });

  it("filters by queue, opcode and latency", () => {
    const [span] = new Recording().add(command(1, 0));
    const all = { qid: undefined, opcode: undefined, slowerThan: 0 };
    expect([isOpen(all), matches(all, span, 5)]).toEqual([true, true]);
    expect(isOpen({ ...all, slowerThan: 6 })).toBe(false);
    expect(matches({ ...all, qid: 2 }, span, 5)).toBe(false);
    expect(matches({ ...all, opcode: 1 }, span, 5)).toBe(false);
    expect(matches({ ...all, slowerThan: 6 }, span, 5)).toBe(false);
  });
});
