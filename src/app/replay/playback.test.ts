import { describe, expect, it } from "vitest";
import { TraceKind, type TraceRecord } from "../../trace/trace_ring.ts";
import type { Follower } from "../watched.ts";
import { Playback } from "./playback.ts";

const about = {
  savedAt: "2026-11-24T12:00:00.000Z",
  serving: "iothread",
  shadowDoorbells: "off",
  interrupts: "msix",
  browser: "a browser",
  lost: 7,
  queues: [{ qid: 1, entries: 8, cqid: 1, cqEntries: 4 }],
  namespaces: [],
};

/** Commands 0 to 5, one each 100 µs: rung, fetched, posted, interrupt. */
const records: TraceRecord[] = [0, 1, 2, 3, 4, 5].flatMap(i => {
  const at = (after: number, kind: number, a: number, b = 0, c = 0, d = 0, e = 0) => ({
    ...{ kind, time: i * 100 + after, a, b, c, d, e },
  });
  return [
    at(0, TraceKind.tailRung, 1, (7 + i) % 8),
    at(10, TraceKind.fetched, 1, (6 + i) % 8, 2 | (i << 16), 2 | (7 << 16), 1000 + i),
    at(20, TraceKind.posted, 1, i % 4, 1 | (i << 16), i === 5 ? 0x80 : 0),
    at(30, TraceKind.interrupt, 1),
    at(40, TraceKind.headRung, 1, (i + 1) % 4),
  ];
});
const play = (shadowDoorbells = "off") => new Playback({ about: { ...about, shadowDoorbells }, records });

function kindsOf(reader: Follower): number[] {
  const kinds: number[] = [];
  reader.read(({ kind }) => kinds.push(kind));
  return kinds;
}

describe("Playback", () => {
  it("stands at its end at first, with all that happened", () => {
    const playback = play();
    expect(playback.duration).toBe(540);
    expect(playback.position).toBe(540);
    expect(kindsOf(playback.follow())).toHaveLength(records.length);
    expect(playback.counters()).toEqual({ doorbellsRung: 6, doorbellsSwept: 0, commands: 6, interrupts: 6 });
  });

  it("hands out what has happened since, each once", () => {
    const playback = play();
    playback.seek(0);
    const reader = playback.follow();
    expect(kindsOf(reader)).toEqual([TraceKind.tailRung]);
    playback.seek(115);
    expect(kindsOf(reader)).toHaveLength(6);
    expect(kindsOf(reader)).toHaveLength(0);
    expect(reader.lost).toBe(7);
    expect(playback.observation.now()).toBe(115);
  });

  it("is seen anew after a step back, and only then", () => {
    const playback = play();
    playback.seek(300);
    const { observation } = playback;
    playback.seek(310);
    expect(playback.observation).toBe(observation);
    playback.seek(100);
    expect(playback.observation).not.toBe(observation);
    expect(kindsOf(playback.follow())).toHaveLength(6);
  });

  it("steps from one record to the next, and stops at the end", () => {
    const playback = play();
    playback.seek(100);
    playback.step();
    expect(playback.position).toBe(110);
    playback.seek(540);
    playback.step();
    expect(playback.isAtEnd).toBe(true);
    playback.seek(Number.POSITIVE_INFINITY);
    expect(playback.position).toBe(540);
  });

  it("plays a trace without records", () => {
    const playback = new Playback({ about, records: [] });
    playback.seek(10);
    playback.step();
    expect([playback.position, playback.isAtEnd, playback.counters().commands]).toEqual([0, true, 0]);
  });
});

describe("the queues of a saved trace", () => {
  it("stand where the records say", () => {
    const playback = play();
    playback.seek(112);
    const [pair] = playback.observation.queues.queuePairs();
    expect(pair.sq).toMatchObject({
      entries: 8,
      head: 0,
      tail: 0,
      rungTail: 0,
      inFlight: 1,
      shadow: undefined,
    });
    expect(pair.cq).toMatchObject({ entries: 4, head: 1, tail: 1, phase: undefined });
    playback.seek(535);
    const [last] = playback.observation.queues.queuePairs();
    expect(last.sq).toMatchObject({ head: 4, tail: 4, inFlight: 0 });
    expect(last.cq).toMatchObject({ head: 1, tail: 2 });
  });

  it("have the main fields of entries, and nothing where nothing was written", () => {
    const { queues } = play().observation;
    const sqe = queues.sqe(1, 3);
    expect(sqe && [sqe[0], sqe[1], sqe[10], sqe[12]]).toEqual([2 | (5 << 16), 2, 1005, 7]);
    expect(queues.sqe(1, 4)?.every(word => word === 0)).toBe(true);
    expect(queues.sqe(1, 8)).toBeUndefined();
    expect(queues.sqe(2, 0)).toBeUndefined();
    expect((queues.cqe(1, 1)?.[3] ?? 0) >>> 17).toBe(0x80);
    expect(queues.knownFields?.has("PRP entry 1")).toBe(false);
  });

  it("count answers as read where the trace does not tell of shadow heads", () => {
    const playback = play("dbbuf");
    playback.seek(425);
    expect(playback.observation.queues.queuePairs()[0].cq).toMatchObject({ head: 1, tail: 1 });
  });

  it("follow the shadow heads", () => {
    const seen = records.map(record =>
      record.kind === TraceKind.headRung ? { ...record, kind: TraceKind.headSeen } : record,
    );
    const playback = new Playback({ about: { ...about, shadowDoorbells: "dbbuf" }, records: seen });
    playback.seek(425);
    expect(playback.observation.queues.queuePairs()[0].cq).toMatchObject({ head: 0, tail: 1 });
    playback.seek(440);
    expect(playback.observation.queues.queuePairs()[0].cq).toMatchObject({ head: 1, tail: 1 });
  });

  it("pass over records that fit no queue", () => {
    const odd = [1, 2, 3, 4, 5, 6].map((kind, time) => ({ kind, time, a: 9, b: 99, c: 9, d: 0, e: 0 }));
    const high = odd.map(record => ({ ...record, a: 1, c: 1 }));
    const { queues } = new Playback({ about, records: [...odd, ...high] }).observation;
    expect(queues.queuePairs()[0].sq).toMatchObject({ head: 0, tail: 0 });
  });
});
