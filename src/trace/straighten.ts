import { timeLine } from "./time_line.ts";
import type { TraceRecord } from "./trace_ring.ts";

/**
 * Records as MergedReader hands them out, on a time line of their own: microseconds since the first, never back. Where a
 * record bears a time before that of its cause, it happens at the same moment.
 */
export function straighten(records: readonly TraceRecord[]): TraceRecord[] {
  const since = timeLine();
  let latest = 0;
  return records.map(record => {
    latest = Math.max(latest, since(record.time));
    return { ...record, time: latest };
  });
}
