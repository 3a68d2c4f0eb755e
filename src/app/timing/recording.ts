/** What was traced since the view was opened or cleared: records for export, commands for the charts. */
import { type CommandSpan, CommandSpans } from "../../trace/command_spans.ts";
import { RecordLog } from "../../trace/record_log.ts";
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
  readonly #records = new RecordLog(MAX_RECORDS);
  readonly #ended: (span: CommandSpan) => void;
  #spans: CommandSpan[] = [];
  #joined = this.#newJoin();

  /** `ended` is called with each command that has got its answer. */
  constructor(ended: (span: CommandSpan) => void = () => {}) {
    this.#ended = ended;
  }

  /** All records that are kept, oldest first: a copy. */
  get records(): readonly TraceRecord[] {
    return this.#records.toArray();
  }

  /** All commands that are kept, oldest first. */
  get spans(): readonly CommandSpan[] {
    return this.#spans;
  }

  /** Takes the next record, in the order of time. */
  add(record: TraceRecord): void {
    this.#records.add(record);
    this.#joined.add(record);
  }

  clear(): void {
    this.#records.clear();
    this.#spans = [];
    this.#joined = this.#newJoin();
  }

  #newJoin(): CommandSpans {
    return new CommandSpans(span => {
      // In large steps: cutting an array costs its whole length.
      if (this.#spans.length >= 1.25 * MAX_SPANS) this.#spans = this.#spans.slice(-MAX_SPANS);
      this.#spans.push(span);
      this.#ended(span);
    });
  }
}
