/** A recording as a file for other tools. */
import { commandName } from "../../devices/nvme/spec/decode.ts";
import { chromeTrace } from "../../trace/chrome_trace.ts";
import { type CommandSpan, latencyOf } from "../../trace/command_spans.ts";
import type { TraceRecord } from "../../trace/trace_ring.ts";

/** For ui.perfetto.dev and chrome://tracing. */
export function perfettoFile(records: readonly TraceRecord[]): Blob {
  return new Blob([JSON.stringify(chromeTrace(records, commandName))], { type: "application/json" });
}

const columns = "posted_us,queue,command,cid,nsid,lba,blocks,status,doorbell_rung,latency_us,served_us";

/** One line for each command; times in microseconds, since the first command. */
export function csv(spans: readonly CommandSpan[]): string {
  const start = spans[0]?.postedAt ?? 0;
  const lines = spans.map(span => {
    const { postedAt, qid, opcode, cid, nsid, lba, blocks, status, rungAt, fetchedAt, doneAt } = span;
    const served = Math.max(0, ((doneAt ?? postedAt) - fetchedAt) | 0);
    return [
      (postedAt - start) | 0,
      qid,
      commandName(qid, opcode),
      cid,
      nsid,
      lba,
      blocks,
      status,
      rungAt === undefined ? 0 : 1,
      latencyOf(span),
      served,
    ].join(",");
  });
  return `${[columns, ...lines].join("\n")}\n`;
}

/** Lets the browser save it. */
export function saveAs(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The download has its own hold on the data by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
