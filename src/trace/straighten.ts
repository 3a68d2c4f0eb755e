import type { TraceRecord } from "./trace_ring.ts";

/**
 * The records on a time line of their own: microseconds since the first, strictly in the order of time, beyond where the
 * clock wraps (71 minutes). What the threads' clocks differ by is smaller than what they resolve.
 */
export function straighten(records: readonly TraceRecord[]): TraceRecord[] {
  let before = records[0]?.time ?? 0;
  let time = 0;
  let first = 0;
  const straight = records.map(record => {
    time += (record.time - before) | 0;
    before = record.time;
    first = Math.min(first, time);
    return { ...record, time };
  });
  for (const record of straight) record.time -= first;
  // Stable, and each thread's own records are in order: none of one thread is exchanged.
  return straight.sort((a, b) => a.time - b.time);
}
