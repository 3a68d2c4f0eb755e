import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CompletionRing } from "./completion_ring.ts";

const HEAD = 0;
const TAIL = 16;

function make(capacity: number, recordWords: number, start = 0): CompletionRing {
  const ring = new CompletionRing(
    new SharedArrayBuffer(CompletionRing.byteLength(capacity, recordWords) + 64),
    64,
    capacity,
    recordWords,
  );
  ring.words[HEAD] = start;
  ring.words[TAIL] = start;
  return ring;
}

function push(ring: CompletionRing, ...values: readonly number[]): boolean {
  const record = ring.reserve();
  if (record < 0) return false;
  for (const [i, value] of values.entries()) ring.words[record + i] = value;
  ring.publish();
  return true;
}

describe("CompletionRing", () => {
  it("refuses a capacity that is no power of two", () => {
    expect(() => make(6, 2)).toThrow(RangeError);
  });

  it("shows a record only when it is published", () => {
    const ring = make(4, 2);
    expect([ring.peek(), ring.length]).toEqual([-1, 0]);
    ring.words[ring.reserve()] = 5;
    expect([ring.peek(), ring.length]).toEqual([-1, 0]);
    ring.publish();
    expect([ring.words[ring.peek()], ring.length]).toEqual([5, 1]);
    ring.release();
    expect([ring.peek(), ring.length]).toEqual([-1, 0]);
  });

  it("uses all of its capacity, then says that it is full, and goes on when one is freed", () => {
    const ring = make(4, 2);
    for (let i = 0; i < 4; i++) expect(push(ring, i, -i)).toBe(true);
    expect([push(ring, 9, 9), ring.length]).toEqual([false, 4]);
    ring.release();
    expect(push(ring, 4, -4)).toBe(true);
    for (let i = 1; i < 5; i++) {
      expect([...ring.words.subarray(ring.peek(), ring.peek() + 2)]).toEqual([i, -i]);
      ring.release();
    }
  });

  it("clear() drops what is there and nothing else", () => {
    const ring = make(4, 1);
    for (let i = 0; i < 3; i++) push(ring, i);
    ring.clear();
    expect([ring.peek(), ring.length]).toEqual([-1, 0]);
    for (let i = 10; i < 14; i++) expect(push(ring, i)).toBe(true);
    expect(ring.words[ring.peek()]).toBe(10);
  });

  it("is a bounded queue, also where its indices wrap", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 8),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom(0, -5, 2 ** 31 - 3, 0xffff),
        fc.array(fc.oneof(fc.constant("pop" as const), fc.integer()), { maxLength: 100 }),
        (capacity, recordWords, start, steps) => {
          const ring = make(capacity, recordWords, start);
          const model: number[] = [];
          for (const step of steps) {
            if (step === "pop") {
              const at = ring.peek();
              expect(at < 0 ? undefined : [...ring.words.subarray(at, at + recordWords)]).toEqual(
                model.length === 0 ? undefined : new Array(recordWords).fill(model[0] | 0),
              );
              if (at >= 0) ring.release();
              model.shift();
            } else if (push(ring, ...new Array<number>(recordWords).fill(step))) {
              model.push(step);
            } else {
              expect(model.length).toBe(capacity);
            }
            expect(ring.length).toBe(model.length);
            expect(model.length).toBeLessThanOrEqual(capacity);
          }
        },
      ),
    );
  });

  it("passes every record, whole and in order, from a producer in another thread", async () => {
    const records = 50_000;
    const ring = make(64, 4, -1000);
    const worker = new Worker(
      `import { workerData } from "node:worker_threads";
       const { tsImport } = await import("tsx/esm/api");
       const { CompletionRing } = await tsImport(workerData.module, workerData.module);
       const ring = new CompletionRing(workerData.buffer, 64, 64, 4);
       for (let i = 0; i < ${records}; i++) {
         let record = ring.reserve();
         while (record < 0) record = ring.reserve();
         ring.words.fill(i, record, record + 4);
         ring.publish();
       }`,
      {
        eval: true,
        workerData: {
          buffer: ring.words.buffer,
          module: new URL("./completion_ring.ts", import.meta.url).href,
        },
        execArgv: ["--input-type=module"],
      },
    );
    let failure: Error | undefined;
    worker.on("error", error => {
      failure = error;
    });
    const ended = new Promise<number>(resolve => worker.on("exit", resolve));
    let torn = 0;
    let misses = 0;
    for (let expected = 0; expected < records; ) {
      const at = ring.peek();
      if (at < 0) {
        if (failure) throw failure;
        misses += 1;
        if (misses % 1000 === 0) await new Promise(resolve => setImmediate(resolve));
        continue;
      }
      const { words } = ring;
      for (let i = 0; i < 4; i++) if (words[at + i] !== expected) torn += 1;
      ring.release();
      expected += 1;
    }
    expect(torn).toBe(0);
    expect(await ended).toBe(0);
  });
});
