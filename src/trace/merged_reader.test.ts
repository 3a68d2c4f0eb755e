import { describe, expect, it } from "vitest";
import { MergedReader } from "./merged_reader.ts";
import { TraceKind, TraceReader, Tracer, traceRingBytes } from "./trace_ring.ts";

/** Two threads' rings, each with the clock that the test sets. */
function twoThreads() {
  let now = 0;
  const rings = [0, 1].map(() => new Int32Array(traceRingBytes / 4));
  const [server, vcpu] = rings.map(
    words =>
      new Tracer(
        words,
        () => true,
        () => now,
      ),
  );
  const reader = new MergedReader(
    rings.map(words => new TraceReader(words)),
    () => now,
  );
  return {
    at: (time: number) => {
      now = time;
    },
    fetched: (cid: number) => server.record(TraceKind.fetched, 1, 0, cid << 16),
    done: (cid: number) => server.record(TraceKind.done, 1, 0, cid << 16),
    posted: (cid: number, sqid = 1) => vcpu.record(TraceKind.posted, 1, 0, sqid | (cid << 16)),
    interrupt: () => vcpu.record(TraceKind.interrupt, 1),
    read: () => reader.take().map(({ kind, time }) => [kind, time]),
  };
}

const { fetched, done, posted, interrupt } = TraceKind;

describe("MergedReader", () => {
  it("hands out the records of all threads by time", () => {
    const threads = twoThreads();
    threads.at(10);
    threads.posted(1, 0);
    threads.at(20);
    threads.fetched(2);
    threads.at(30);
    threads.interrupt();
    threads.at(5000);
    expect(threads.read()).toEqual([
      [posted, 10],
      [fetched, 20],
      [interrupt, 30],
    ]);
    expect(threads.read()).toEqual([]);
  });

  it("keeps young records back, as another thread may still write older ones", () => {
    const threads = twoThreads();
    threads.at(3000);
    threads.interrupt();
    threads.at(3500);
    expect(threads.read()).toEqual([]);
    threads.at(2990);
    threads.fetched(1);
    threads.at(4500);
    expect(threads.read()).toEqual([
      [fetched, 2990],
      [interrupt, 3000],
    ]);
  });

  it("a command is done before its completion is posted, whatever the clocks say", () => {
    const threads = twoThreads();
    threads.at(100);
    threads.posted(7);
    threads.at(101);
    threads.interrupt();
    threads.at(103);
    threads.fetched(7);
    threads.at(105);
    threads.done(7);
    threads.at(5000);
    expect(threads.read()).toEqual([
      [fetched, 100],
      [done, 100],
      [posted, 100],
      [interrupt, 101],
    ]);
  });

  it("does not wait long for the other half of what was lost", () => {
    const threads = twoThreads();
    threads.at(100);
    threads.posted(7);
    threads.at(2000);
    threads.interrupt();
    threads.at(9000);
    expect(threads.read()).toEqual([
      [posted, 100],
      [interrupt, 2000],
    ]);
  });

  it("orders over the wrap of the clock", () => {
    const threads = twoThreads();
    threads.at(5);
    threads.interrupt();
    threads.at(2 ** 32 - 10);
    threads.fetched(1);
    threads.at(4000);
    expect(threads.read()).toEqual([
      [fetched, 2 ** 32 - 10],
      [interrupt, 5],
    ]);
  });
});
