import { describe, expect, it } from "vitest";
import { type CommandSpan, CommandSpans, commandMoments, latencyOf } from "./command_spans.ts";
import { TraceKind } from "./trace_ring.ts";

const at = (time: number, kind: number, a: number, b = 0, c = 0, d = 0, e = 0) => ({
  kind,
  time,
  a,
  b,
  c,
  d,
  e,
});

function spansOf(records: readonly ReturnType<typeof at>[]): CommandSpan[] {
  const spans: CommandSpan[] = [];
  const joined = new CommandSpans(span => spans.push(span));
  for (const record of records) joined.add(record);
  return spans;
}

describe("CommandSpans", () => {
  it("joins a command from its doorbell to its interrupt", () => {
    const spans = spansOf([
      at(10, TraceKind.tailRung, 1, 4),
      at(15, TraceKind.fetched, 1, 3, 2 | (9 << 16), 1 | (7 << 16), 77),
      at(30, TraceKind.done, 1, 0, 9 << 16),
      at(32, TraceKind.posted, 1, 0, 1 | (9 << 16), 0),
      at(40, TraceKind.interrupt, 1),
      at(50, TraceKind.interrupt, 1),
    ]);
    expect(spans).toEqual([
      {
        qid: 1,
        cid: 9,
        opcode: 2,
        nsid: 1,
        blocks: 8,
        lba: 77,
        rungAt: 10,
        fetchedAt: 15,
        readyAt: undefined,
        doneAt: 30,
        postedAt: 32,
        interruptAt: 40,
        seenAt: undefined,
        status: 0,
      },
    ]);
    expect(latencyOf(spans[0])).toBe(22);
  });

  it("knows a command that no doorbell announced, and one doorbell announces one fetch", () => {
    const spans = spansOf([
      at(1, TraceKind.tailRung, 1, 2),
      at(2, TraceKind.fetched, 1, 0, 1 << 16),
      at(3, TraceKind.fetched, 1, 1, 2 << 16),
      at(4, TraceKind.posted, 1, 0, 1 | (1 << 16)),
      at(5, TraceKind.posted, 1, 1, 1 | (2 << 16)),
    ]);
    expect(spans.map(({ rungAt }) => rungAt)).toEqual([1, undefined]);
    expect(spans.map(latencyOf)).toEqual([3, 2]);
  });

  it("knows when storage was ready, and when the driver had read the answer", () => {
    const spans = spansOf([
      ...[1, 2, 3].map(cid => at(cid, TraceKind.fetched, 1, cid, cid << 16)),
      at(10, TraceKind.ready, 1, 0, 2 << 16),
      ...[1, 2, 3].map(cid => at(20 + cid, TraceKind.posted, 7, 4 + cid, 1 | (cid << 16))),
      at(30, TraceKind.headSeen, 1, 0), // of another completion queue
      at(31, TraceKind.headSeen, 7, 7),
      at(32, TraceKind.headRung, 7, 0),
    ]);
    expect(spans.map(({ readyAt }) => readyAt)).toEqual([undefined, 10, undefined]);
    expect(spans.map(({ seenAt }) => seenAt)).toEqual([31, 31, 32]);
  });

  it("waits for no end of answers that nobody reads", () => {
    const spans = spansOf([
      ...Array.from({ length: 5000 }, (_, i) => [
        at(i, TraceKind.fetched, 1, 0, 1 << 16),
        at(i, TraceKind.posted, 1, i & 0xffff, 1 | (1 << 16)),
      ]).flat(),
      at(6000, TraceKind.headSeen, 1, 5000),
    ]);
    expect(spans.at(0)?.seenAt).toBeUndefined();
    expect(spans.at(-1)?.seenAt).toBe(6000);
  });

  it("has moments that never run back", () => {
    const [span] = spansOf([
      at(100, TraceKind.tailRung, 1, 1),
      at(98, TraceKind.fetched, 1, 0, 1 << 16),
      at(130, TraceKind.done, 1, 0, 1 << 16),
      at(125, TraceKind.posted, 1, 0, 1 | (1 << 16)),
      at(150, TraceKind.headRung, 1, 1),
    ]);
    expect(commandMoments(span)).toEqual([0, 0, 0, 30, 30, 30, 50]);
  });

  it("measures over the wrap of the clock", () => {
    const [span] = spansOf([
      at(2 ** 32 - 5, TraceKind.fetched, 1, 0, 1 << 16),
      at(7, TraceKind.posted, 1, 0, 1 | (1 << 16)),
    ]);
    expect(latencyOf(span)).toBe(12);
  });

  it("drops what it has seen only the end of", () => {
    expect(spansOf([at(1, TraceKind.posted, 1, 0, 1 | (1 << 16))])).toEqual([]);
  });
});
