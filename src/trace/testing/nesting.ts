import type { TraceEvent } from "../chrome_trace.ts";

/**
 * The first thing in a trace that does not nest, as a sentence; undefined if all does: each asynchronous span ends, after
 * it began and in the reverse order of the beginnings, and slices of one track lie within one another or apart.
 */
export function nestingProblem(events: readonly TraceEvent[]): string | undefined {
  const open = new Map<string, { readonly name: string; readonly ts: number }[]>();
  const ends = new Map<number, number[]>();
  for (const [i, { ph, id = "", name, ts = 0, dur = 0, tid }] of events.entries()) {
    const at = `event ${i} (${name})`;
    if (!(ts >= 0 && dur >= 0)) return `${at} has a negative time`;
    if (ph === "X") {
      // Slices are in the order of their beginnings.
      const enclosing = (ends.get(tid) ?? []).filter(end => end > ts);
      if (enclosing.some(end => ts + dur > end)) return `${at} reaches out of the slice around it`;
      ends.set(tid, [...enclosing, ts + dur]);
    }
    if (ph !== "b" && ph !== "e") continue;
    const stack = open.get(id) ?? [];
    open.set(id, stack);
    if (ph === "b") {
      if (ts < (stack.at(-1)?.ts ?? 0)) return `${at} begins before the span around it`;
      stack.push({ name, ts });
      continue;
    }
    const begun = stack.pop();
    if (begun?.name !== name) return `${at} ends ${begun?.name ?? "nothing"}`;
    if (ts < begun.ts) return `${at} ends before it begins`;
  }
  const left = [...open.values()].find(stack => stack.length > 0);
  return left && `${left[0].name} never ends`;
}
