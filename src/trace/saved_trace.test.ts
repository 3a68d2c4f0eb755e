import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  MAX_SAVED_RECORDS,
  packRecords,
  readSavedTrace,
  SavedTraceError,
  savedTrace,
  type TraceAbout,
  unpackRecords,
} from "./saved_trace.ts";
import { straighten } from "./straighten.ts";
import type { TraceRecord } from "./trace_ring.ts";

const about: TraceAbout = {
  savedAt: "2026-11-24T12:00:00.000Z",
  serving: "iothread+poll",
  shadowDoorbells: "dbbuf",
  interrupts: "msix",
  browser: "a browser",
  lost: 3,
  queues: [{ qid: 1, entries: 1024, cqid: 1, cqEntries: 1024 }],
  namespaces: [{ nsid: 2, lbaBytes: 4096 }],
};
const record = (time: number, kind = 4): TraceRecord => ({ kind, time, a: 1, b: 2, c: 3, d: 4, e: -5 });
const textOf = (records: readonly TraceRecord[], change = (saved: Record<string, unknown>) => saved) =>
  JSON.stringify({ traceEvents: [], doorbell: change(savedTrace({ about, records })) });

describe("a saved trace", () => {
  it("reads back as it was written", () => {
    const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    const any = fc.record({
      kind: fc.integer({ min: 1, max: 20 }),
      time: fc.nat(2 ** 31 - 1),
      ...{ a: word, b: word, c: word, d: word, e: word },
    });
    fc.assert(
      fc.property(fc.array(any), records => {
        const straight = straighten(records);
        expect(readSavedTrace(textOf(straight))).toEqual({ about, records: straight });
        expect(unpackRecords(packRecords(straight))).toEqual(straight);
      }),
    );
  });

  it.each([
    ["nothing", "", /no complete JSON/],
    ["a file that was cut off", textOf([record(0)]).slice(0, -20), /no complete JSON/],
    ["another program's trace", '{"traceEvents":[]}', /not saved by Doorbell/],
    ["JSON that is no object", "[1,2]", /not saved by Doorbell/],
    ["null", "null", /not saved by Doorbell/],
    ["a later version", textOf([], saved => ({ ...saved, version: 2 })), /version 2 .* reads version 1/],
    ["half a record", textOf([], saved => ({ ...saved, records: [1, 2, 3] })), /not whole/],
    ["no records", textOf([], saved => ({ ...saved, records: {} })), /not whole/],
    ["time that runs back", textOf([record(5), record(4)]), /record 1 is not in the order of time/],
    ["a broken time", textOf([record(0.5)]), /record 0 is not in the order of time/],
    ["no kind", textOf([record(0, 0)]), /record 0 has no kind/],
    ["a large number", textOf([{ ...record(0), e: 2 ** 31 }]), /no 32-bit number/],
    [
      "text for a number",
      textOf([], saved => ({ ...saved, records: [4, 0, "1", 0, 0, 0, 0] })),
      /no 32-bit number/,
    ],
    ["no description", textOf([], saved => ({ ...saved, about: undefined })), /what was traced/],
    [
      "a queue without room",
      textOf([], saved => ({ ...saved, about: { ...about, queues: [{ ...about.queues[0], entries: 0 }] } })),
      /“entries”/,
    ],
    [
      "a time that is none",
      textOf([], saved => ({ ...saved, about: { ...about, savedAt: "?" } })),
      /“savedAt”/,
    ],
    ["a list that is none", textOf([], saved => ({ ...saved, about: { ...about, queues: 7 } })), /“queues”/],
  ])("is told from %s", (_, text, message) => {
    expect(() => readSavedTrace(text)).toThrow(message);
    expect(() => readSavedTrace(text)).toThrow(SavedTraceError);
  });

  it("has at most so many records", () => {
    const records = new Array((MAX_SAVED_RECORDS + 1) * 7).fill(1);
    expect(() => readSavedTrace(textOf([], saved => ({ ...saved, records })))).toThrow("more than 300,000");
  });

  it("is refused with a sentence where its version is nothing that could be named", () => {
    for (const version of ['{"toString":""}', "[[]]", "null", '"x"']) {
      const text = `{"doorbell":{"format":"doorbell-trace","version":${version}}}`;
      expect(() => readSavedTrace(text)).toThrow(SavedTraceError);
    }
  });

  it("throws nothing else, whatever the file says", () => {
    const broken = fc.dictionary(
      fc.constantFrom("format", "version", "about", "records"),
      fc.oneof(fc.jsonValue(), fc.constantFrom("doorbell-trace", 1, about, [])),
    );
    fc.assert(
      fc.property(broken, doorbell => {
        try {
          readSavedTrace(JSON.stringify({ doorbell }));
        } catch (error) {
          expect(error).toBeInstanceOf(SavedTraceError);
        }
      }),
    );
  });
});
