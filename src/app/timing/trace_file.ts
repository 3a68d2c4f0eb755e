/** The files that a recording can be saved as. */
import { csv, fioLog, traceJson } from "../../devices/nvme/trace_files.ts";
import { type CommandSpan, CommandSpans, latencyOf } from "../../trace/command_spans.ts";
import type { SavedNamespace, TraceAbout } from "../../trace/saved_trace.ts";
import { eachRecord, toRecords } from "../../trace/trace_ring.ts";
import { matches, type SpanFilter } from "./recording.ts";

export type TraceFile =
  /** All of it, for ui.perfetto.dev and to be played again. */
  | { readonly as: "json"; readonly about: TraceAbout }
  /** The commands that the filter lets through. */
  | { readonly as: "csv"; readonly filter: SpanFilter }
  | { readonly as: "fio"; readonly filter: SpanFilter; readonly namespaces: readonly SavedNamespace[] };

/** The file's text; `words` of the records as RecordLog has them. */
export function traceFileText(words: Int32Array, file: TraceFile): string {
  switch (file.as) {
    case "json":
      return traceJson(toRecords(words), file.about);
    case "csv":
      return csv(spansOf(words, file.filter));
    case "fio":
      return fioLog(spansOf(words, file.filter), file.namespaces);
  }
}

function spansOf(words: Int32Array, filter: SpanFilter): CommandSpan[] {
  const spans: CommandSpan[] = [];
  const joined = new CommandSpans(span => {
    if (matches(filter, span, latencyOf(span))) spans.push(span);
  });
  eachRecord(words, record => joined.add(record));
  return spans;
}
