import { expect, it } from "vitest";
import type { CommandSpan } from "../../trace/command_spans.ts";
import { summarize } from "./seconds.ts";

const span = (postedAt: number, latency: number, lba: number, opcode = 2, qid = 1): CommandSpan => ({
  qid,
  cid: 0,
  opcode,
  nsid: 1,
  blocks: 8,
  lba,
  rungAt: undefined,
  fetchedAt: postedAt - latency,
  readyAt: undefined,
  doneAt: undefined,
  postedAt,
  interruptAt: undefined,
  seenAt: undefined,
  status: 0,
});

it("sums up stretches of time, latest first", () => {
  const now = 100e6;
  const spans = [
    span(now - 9e6, 50, 8),
    span(now - 4e6, 30, 700),
    span(now - 3e6, 10, 16, 1),
    span(now - 2e6, 20, 300),
    span(now - 1e6, 4000, 0, 6, 0),
    // Older than what is asked for.
    span(now - 11e6, 99, 99),
  ];
  expect(summarize(spans, now, { seconds: 10, step: 5 })).toEqual([
    {
      from: 5,
      to: 0,
      commands: 4,
      reads: 2,
      writes: 1,
      median: 30,
      longest: 4000,
      lowestLba: 16,
      highestLba: 700,
    },
    {
      from: 10,
      to: 5,
      commands: 1,
      reads: 1,
      writes: 0,
      median: 50,
      longest: 50,
      lowestLba: 8,
      highestLba: 8,
    },
  ]);
});

it("has rows for stretches without commands, and goes over the wrap of the clock", () => {
  const rows = summarize([span(2 ** 32 - 10, 5, 1)], 100, { seconds: 10, step: 5 });
  expect(rows.map(({ commands }) => commands)).toEqual([1, 0]);
  expect(rows[1]).toMatchObject({ median: undefined, longest: undefined, lowestLba: undefined });
});
