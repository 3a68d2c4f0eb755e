import { loadRecord, RECORD_WORDS, type TraceReader, type TraceRecord } from "../trace_ring.ts";

/** What a reader takes, as objects. */
export function takeRecords(reader: TraceReader): TraceRecord[] {
  const words = reader.take();
  const records: TraceRecord[] = [];
  for (let at = 0; at < words.length; at += RECORD_WORDS) {
    const record: TraceRecord = { kind: 0, time: 0, a: 0, b: 0, c: 0, d: 0, e: 0 };
    loadRecord(words, at, record);
    records.push(record);
  }
  return records;
}
