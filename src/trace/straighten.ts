import type { TraceRecord } from "./trace_ring.ts";

/**
 * Records as MergedReader hands them out, on a time line of their own: microseconds since the first, never back, and on
 * beyond where the clock wraps (71 minutes). Where a record bears a time before that of its cause, it happens at the same
 * moment.
 */
export function straighten(records: readonly TraceRecord[]): TraceRecord[] {
  let before = records[0]?.time ?? 0;
  let time = 0;
  let latest = 0;
  return records.map(record => {
    time += (record.time - before) | 0;
    before = record.time;
    latest = Math.max(latest, time);
    return { ...record, time: latest };
  });
}
