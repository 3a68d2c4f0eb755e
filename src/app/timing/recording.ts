/** What was traced since the view was opened or cleared: records for export, commands for the charts. */
import { type CommandSpan, CommandSpans } from "../../trace/command_spans.ts";
import type { TraceRecord } from "../../trace/trace_ring.ts";

/** Older records are dropped: a few seconds at full speed, minutes at a student's. */
const MAX_RECORDS = 200_000;
const MAX_SPANS = 50_000;

export interface SpanFilter {
  /** Undefined: all queues. */
  readonly qid: number | undefined;
  /** Undefined: all opcodes. */
  readonly opcode: number | undefined;
  /** Microseconds; commands that were faster are left out. */
  readonly slowerThan: number;
}

/** Does the filter let all commands through? */
export const isOpen = ({ qid, opcode, slowerThan }: SpanFilter): boolean =>
  qid === undefined && opcode === undefined && slowerThan <= 0;

export const matches = (
  { qid, opcode, slowerThan }: SpanFilter,
  span: CommandSpan,
  latency: number,
): boolean =>
  (qid === undefined || span.qid === qid) &&
  (opcode === undefined || span.opcode === opcode) &&
  latency >= slowerThan;

export class Recording {
  #records: TraceRecord[] = [];
  #spans: CommandSpan[] = [];
  #fresh: CommandSpan[] = [];
  #joined = this.#newJoin();

  /** All records that are kept, oldest first. */
  get records(): readonly TraceRecord[] {
    return this.#records;
  }

  /** All commands that are kept, oldest first. */
  get spans(): readonly CommandSpan[] {
    return this.#spans;
  }

  /** Takes records in the order of time; returns the commands that they ended. */
  add(records: readonly TraceRecord[]): readonly CommandSpan[] {
    this.#fresh = [];
    for (const record of records) {
      this.#joined.add(record);
      this.#records.push(record);
    }
    for (const span of this.#fresh) this.#spans.push(span);
    // In large steps: cutting an array costs its whole length.
    if (this.#records.length > 1.25 * MAX_RECORDS) this.#records = this.#records.slice(-MAX_RECORDS);
    if (this.#spans.length > 1.25 * MAX_SPANS) this.#spans = this.#spans.slice(-MAX_SPANS);
    return this.#fresh;
  }

  clear(): void {
    this.#records = [];
    this.#spans = [];
    this.#joined = this.#newJoin();
  }

  #newJoin(): CommandSpans {
    return new CommandSpans(span => this.#fresh.push(span));
  }
}
