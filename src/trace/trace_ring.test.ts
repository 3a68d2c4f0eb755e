import { describe, expect, it } from "vitest";
import { takeRecords } from "./testing/records.ts";
import { TRACE_RECORDS, TraceKind, TraceReader, Tracer, traceClock, traceRingBytes } from "./trace_ring.ts";

function makeRing() {
  const words = new Int32Array(new SharedArrayBuffer(traceRingBytes));
  let time = 0;
  const tracer = new Tracer(
    words,
    () => true,
    () => time++,
  );
  return { words, tracer, reader: new TraceReader(words) };
}

describe("TraceReader", () => {
  it("reads what was recorded, once and in order", () => {
    const { tracer, reader } = makeRing();
    tracer.record(TraceKind.fetched, 1, 2, 3, 4, -5);
    tracer.record(TraceKind.interrupt, -1);
    expect(takeRecords(reader)).toEqual([
      { kind: TraceKind.fetched, time: 0, a: 1, b: 2, c: 3, d: 4, e: -5 },
      { kind: TraceKind.interrupt, time: 1, a: -1, b: 0, c: 0, d: 0, e: 0 },
    ]);
    expect(takeRecords(reader)).toEqual([]);
  });

  it("gives one time to what is recorded within a moment, and the caller's to what knows its own", () => {
    const { tracer, reader } = makeRing();
    tracer.beginMoment();
    tracer.record(TraceKind.posted, 1);
    tracer.record(TraceKind.interrupt, 1);
    tracer.endMoment();
    tracer.record(TraceKind.tailRung, 1);
    tracer.beginMoment();
    tracer.record(TraceKind.posted, 1);
    tracer.recordAt(performance.now(), TraceKind.state, 1);
    const records = takeRecords(reader);
    expect(records.slice(0, 4).map(({ time }) => time)).toEqual([0, 0, 1, 2]);
    expect((traceClock() - records[4].time) | 0).toBeLessThan(1_000_000);
    expect((traceClock() - records[4].time) | 0).toBeGreaterThanOrEqual(0);
  });

  it("starts with what comes after it was made", () => {
    const { words, tracer } = makeRing();
    tracer.record(TraceKind.swept, 1);
    const late = new TraceReader(words);
    tracer.record(TraceKind.swept, 2);
    expect(takeRecords(late).map(({ a }) => a)).toEqual([2]);
  });

  it("counts what was overwritten and goes on with the oldest that is left", () => {
    const { tracer, reader } = makeRing();
    for (let i = 0; i < TRACE_RECORDS + 10; i++) tracer.record(TraceKind.done, i);
    const records = takeRecords(reader);
    expect(reader.lost).toBe(10);
    expect(records).toHaveLength(TRACE_RECORDS);
    expect(records[0].a).toBe(10);
    expect(records.at(-1)?.a).toBe(TRACE_RECORDS + 9);
  });

  it("counts a record that is being written over as lost", () => {
    const { words, tracer, reader } = makeRing();
    for (let i = 0; i < 3; i++) tracer.record(TraceKind.done, i);
    words[16] = ~TRACE_RECORDS; // the writer, a lap ahead, has begun with the first slot
    expect(takeRecords(reader).map(({ a }) => a)).toEqual([1, 2]);
    expect(reader.lost).toBe(1);
  });

  it("goes on when the record numbers wrap", () => {
    const { words, tracer } = makeRing();
    words[0] = 0x7fffffff;
    const reader = new TraceReader(words);
    for (let i = 0; i < 3; i++) tracer.record(TraceKind.posted, i);
    expect(takeRecords(reader).map(({ a }) => a)).toEqual([0, 1, 2]);
    expect(reader.lost).toBe(0);
  });
});

describe("traceClock", () => {
  it("counts microseconds", async () => {
    const start = traceClock();
    await new Promise(resolve => setTimeout(resolve, 20));
    const passed = (traceClock() - start) >>> 0;
    expect(passed).toBeGreaterThan(15_000);
    expect(passed).toBeLessThan(2_000_000);
  });
});
