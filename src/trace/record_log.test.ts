import { expect, it } from "vitest";
import { RecordLog } from "./record_log.ts";
import { toRecords } from "./trace_ring.ts";

const record = (a: number) => ({ kind: 4, time: 2 ** 32 - 1 - a, a, b: 1, c: -2, d: 3, e: -4 });

it("keeps copies, oldest first", () => {
  const log = new RecordLog(3);
  expect(toRecords(log.words)).toEqual([]);
  const reused = record(1);
  log.add(reused);
  reused.a = 9;
  log.add(record(2));
  expect(toRecords(log.words)).toEqual([record(1), record(2)]);
});

it("drops the oldest when it is full, and all when it is cleared", () => {
  const log = new RecordLog(3);
  for (let i = 0; i < 8; i++) log.add(record(i));
  expect(toRecords(log.words)).toEqual([record(5), record(6), record(7)]);
  log.clear();
  expect(toRecords(log.words)).toEqual([]);
  log.add(record(8));
  expect(toRecords(log.words)).toEqual([record(8)]);
});
