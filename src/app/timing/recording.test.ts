import { describe, expect, it } from "vitest";
import type { CommandSpan } from "../../trace/command_spans.ts";
import { TraceKind, toRecords } from "../../trace/trace_ring.ts";
import { commandOf, labelOf, matches, Recording } from "./recording.ts";

const command = (cid: number, time: number) => [
  { kind: TraceKind.fetched, time, a: 1, b: 0, c: 2 | (cid << 16), d: 1, e: 0 },
  { kind: TraceKind.posted, time: time + 5, a: 1, b: 0, c: 1 | (cid << 16), d: 0, e: 0 },
];

describe("Recording", () => {
  it("tells of each command once, and keeps it", () => {
    const told: number[] = [];
    const recording = new Recording(({ cid }) => told.push(cid));
    const [fetched, posted] = command(7, 100);
    recording.add(fetched);
    expect(told).toEqual([]);
    for (const record of [posted, ...command(8, 200)]) recording.add(record);
    expect(told).toEqual([7, 8]);
    expect(toRecords(recording.words)).toEqual([...command(7, 100), ...command(8, 200)]);
    recording.clear();
    expect(toRecords(recording.words)).toEqual([]);
  });

  it("keeps the newest records when there are too many, and tells of all commands", () => {
    let told = 0;
    const recording = new Recording(() => {
      told += 1;
    });
    for (let i = 0; i < 130_000; i++) {
      for (const record of command(i & 0xffff, i * 10)) recording.add(record);
    }
    expect(told).toBe(130_000);
    const records = toRecords(recording.words);
    expect(records).toHaveLength(200_000);
    expect([records[0].time, records.at(-1)?.time]).toEqual([300_000, 1_299_995]);
    recording.retell();
    expect(told).toBe(230_000);
  });

  it("tells of what it has kept once more, and goes on with a command under way", () => {
    const told: number[] = [];
    const recording = new Recording(({ cid }) => told.push(cid));
    const [fetched, posted] = command(9, 300);
    for (const record of [...command(7, 100), fetched]) recording.add(record);
    recording.retell();
    recording.add(posted);
    expect(told).toEqual([7, 7, 9]);
  });

  it("filters by queue, opcode and latency", () => {
    const spans: CommandSpan[] = [];
    const recording = new Recording(ended => spans.push(ended));
    for (const record of command(1, 0)) recording.add(record);
    const [span] = spans;
    const all = { qid: undefined, command: undefined, slowerThan: 0 };
    expect(matches(all, span, 5)).toBe(true);
    expect(matches({ ...all, qid: 2 }, span, 5)).toBe(false);
    expect(matches({ ...all, command: commandOf(1, 2) }, span, 5)).toBe(true);
    expect(matches({ ...all, command: commandOf(1, 1) }, span, 5)).toBe(false);
    expect(matches({ ...all, command: commandOf(0, 2) }, span, 5)).toBe(false);
    expect([labelOf(commandOf(3, 2)), labelOf(commandOf(0, 6))]).toEqual(["Read", "Identify (admin)"]);
    expect(matches({ ...all, slowerThan: 6 }, span, 5)).toBe(false);
  });
});
