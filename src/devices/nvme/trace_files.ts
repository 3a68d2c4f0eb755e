/** A recording as a file for other tools. */

import { chromeTrace } from "../../trace/chrome_trace.ts";
import { type CommandSpan, latencyOf } from "../../trace/command_spans.ts";
import { type SavedNamespace, savedTrace, type TraceAbout } from "../../trace/saved_trace.ts";
import { straighten } from "../../trace/straighten.ts";
import { timeLine } from "../../trace/time_line.ts";
import type { TraceRecord } from "../../trace/trace_ring.ts";
import { commandName } from "./spec/decode.ts";
import { NvmOpcode } from "./spec/opcodes.ts";

/** For ui.perfetto.dev, chrome://tracing, and to be played here again: JSON. */
export function traceJson(records: readonly TraceRecord[], about: TraceAbout): string {
  const straight = straighten(records);
  return JSON.stringify({
    ...chromeTrace(straight, commandName),
    doorbell: savedTrace({ about, records: straight }),
  });
}

const columns =
  "posted_us,queue,command,cid,nsid,lba,blocks,status,doorbell_rung,latency_us,served_us,storage_us,interrupt_us,seen_us";

/** Microseconds from one moment to a later one; empty where the second is not known. */
const between = (from: number, to: number | undefined): number | "" =>
  to === undefined ? "" : Math.max(0, (to - from) | 0);

/**
 * One line for each command; times in microseconds, since the first command. `served_us` is from the fetch until its data had
 * moved, `storage_us` the part of it that storage was waited for; `interrupt_us` and `seen_us` count from the completion entry.
 */
export function csv(spans: readonly CommandSpan[]): string {
  const since = timeLine();
  const lines = spans.map(span => {
    const { postedAt, qid, opcode, cid, nsid, lba, blocks, status, rungAt, fetchedAt, readyAt, doneAt } =
      span;
    return [
      since(postedAt),
      qid,
      commandName(qid, opcode),
      cid,
      nsid,
      lba,
      blocks,
      status,
      rungAt === undefined ? 0 : 1,
      latencyOf(span),
      between(fetchedAt, doneAt ?? postedAt),
      between(fetchedAt, readyAt ?? fetchedAt),
      between(postedAt, span.interruptAt),
      between(postedAt, span.seenAt),
    ].join(",");
  });
  return `${[columns, ...lines].join("\n")}\n`;
}

/** fio's numbers for the direction of data. */
const fioDirections: Readonly<Record<number, number>> = { [NvmOpcode.read]: 0, [NvmOpcode.write]: 1 };

/**
 * Reads and writes as fio's --write_lat_log has them with --log_offset=1: milliseconds since the first command, latency in
 * nanoseconds, direction (0 read, 1 write), bytes, offset in bytes, priority (0).
 */
export function fioLog(spans: readonly CommandSpan[], namespaces: readonly SavedNamespace[]): string {
  const since = timeLine();
  const lines = spans.flatMap(span => {
    const { qid, nsid, opcode, lba, blocks, postedAt } = span;
    const ms = Math.floor(Math.max(0, since(postedAt)) / 1000);
    const direction = qid === 0 ? undefined : fioDirections[opcode];
    if (direction === undefined) return [];
    const lbaBytes = namespaces.find(namespace => namespace.nsid === nsid)?.lbaBytes ?? 512;
    return [[ms, latencyOf(span) * 1000, direction, blocks * lbaBytes, lba * lbaBytes, 0].join(", ")];
  });
  return lines.map(line => `${line}\n`).join("");
}
