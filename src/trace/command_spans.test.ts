import { describe, expect, it } from "vitest";
import { type CommandSpan, CommandSpans, latencyOf } from "./command_spans.ts";
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
        doneAt: 30,
        postedAt: 32,
        interruptAt: 40,
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
