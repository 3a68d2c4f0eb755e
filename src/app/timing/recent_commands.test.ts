import { describe, expect, it } from "vitest";
import type { CommandSpan } from "../../trace/command_spans.ts";
import { COLUMNS, RecentCommands, summarize } from "./recent_commands.ts";

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

type Case = readonly [postedAt: number, latency: number, lba: number, opcode?: number, qid?: number];

function recent(...cases: readonly Case[]): RecentCommands {
  const commands = new RecentCommands();
  for (const args of cases) commands.add(span(...args), args[1]);
  return commands;
}

describe("RecentCommands", () => {
  it("sums up stretches of time, latest first", () => {
    const now = 100e6;
    const commands = recent(
      [now - 40e6, 99, 99],
      [now - 9e6, 50, 8],
      [now - 4e6, 30, 700],
      [now - 3e6, 10, 16, 1],
      [now - 2e6, 20, 300],
      [now - 1e6, 4000, 0, 6, 0],
    );
    const [first, second, ...others] = summarize(commands.columns(now), 5);
    expect(first).toMatchObject({ from: 5, to: 0, commands: 4, reads: 2, writes: 1, longest: 4000 });
    expect(first).toMatchObject({ lowestLba: 16, highestLba: 700 });
    expect(first.median).toBeGreaterThanOrEqual(20);
    expect(first.median).toBeLessThan(22);
    expect(second).toMatchObject({ from: 10, to: 5, commands: 1, lowestLba: 8, highestLba: 8 });
    for (const row of others) {
      expect(row).toMatchObject({ commands: 0, median: undefined, longest: undefined, lowestLba: undefined });
    }
  });

  it("goes over the wrap of the clock, and takes what comes a little late", () => {
    const commands = recent([2 ** 32 - 10, 5, 1], [20, 5, 2], [2 ** 32 - 500_000, 5, 3]);
    expect(summarize(commands.columns(100), 5).map(row => row.commands)).toEqual([3, 0, 0, 0, 0, 0]);
  });

  it("forgets what is older than half a minute, though its column is not used again", () => {
    const commands = recent([1e6, 5, 1], [20e6, 5, 2]);
    const count = (now: number) => commands.columns(now).filter(column => column !== undefined).length;
    expect([count(21e6), count(32e6), count(55e6), count(3600e6)]).toEqual([2, 1, 0, 0]);
    commands.clear();
    expect(commands.columns(21e6)).toEqual(Array.from({ length: COLUMNS }));
  });

  it("keeps places of reads and writes alone, each with its age", () => {
    const commands = recent([0, 5, 7], [15e6, 5, 9, 1], [15e6, 5, 11, 0], [15e6, 5, 12, 2, 0]);
    expect(commands.places(15e6)).toEqual([
      { age: 0.5, lba: 7, isRead: true },
      { age: 0, lba: 9, isRead: false },
    ]);
  });

  it("keeps a sample of the places where there are many, from all of the time", () => {
    const commands = recent(...Array.from({ length: 10_000 }, (_, i): Case => [i * 10, 5, i]));
    const lbas = commands.places(100_000).map(({ lba }) => lba);
    expect(lbas).toHaveLength(32);
    expect(Math.min(...lbas)).toBeLessThan(5000);
    expect(Math.max(...lbas)).toBeGreaterThan(5000);
    expect(summarize(commands.columns(100_000), 5)[0]).toMatchObject({ reads: 10_000, highestLba: 9999 });
  });
});
