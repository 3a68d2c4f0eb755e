/** What was traced since the view was opened or cleared. */
import { commandName } from "../../devices/nvme/spec/decode.ts";
import { type CommandSpan, CommandSpans } from "../../trace/command_spans.ts";
import { RecordLog } from "../../trace/record_log.ts";
import { eachRecord, type TraceRecord } from "../../trace/trace_ring.ts";

/** Older records are dropped: a few seconds at full speed, minutes at a student's. */
const MAX_RECORDS = 200_000;

export interface SpanFilter {
  /** Undefined: all queues. */
  readonly qid: number | undefined;
  /** As commandOf() has them; undefined: all. */
  readonly command: number | undefined;
  /** Microseconds; commands that were faster are left out. */
  readonly slowerThan: number;
}

/** A number for each command: the same opcode means one thing on the admin queue and another on the others. */
export const commandOf = (qid: number, opcode: number): number => (qid === 0 ? ADMIN : 0) | opcode;
const ADMIN = 0x100;

/** The command's name for whoever chooses. */
export const labelOf = (command: number): string =>
  command & ADMIN ? `${commandName(0, command & 0xff)} (admin)` : commandName(1, command);

export const matches = (
  { qid, command, slowerThan }: SpanFilter,
  span: CommandSpan,
  latency: number,
): boolean =>
  (qid === undefined || span.qid === qid) &&
  (command === undefined || commandOf(span.qid, span.opcode) === command) &&
  latency >= slowerThan;

/**
 * Keeps records, and tells of each command that they make up. Commands are not kept: hundreds of thousands of objects would keep
 * the garbage collector busy, and they can be made again.
 */
export class Recording {
  readonly #records = new RecordLog(MAX_RECORDS);
  readonly #ended: (span: CommandSpan) => void;
  #joined: CommandSpans;

  /** `ended` is called with each command that has got its answer. */
  constructor(ended: (span: CommandSpan) => void) {
    this.#ended = ended;
    this.#joined = new CommandSpans(ended);
  }

  /** A copy of the records that are kept, as RecordLog has them. */
  get words(): Int32Array<ArrayBuffer> {
    return this.#records.words;
  }

  /** Takes the next record, in the order of time. */
  add(record: TraceRecord): void {
    this.#records.add(record);
    this.#joined.add(record);
  }

  /** Tells of all commands anew, as far as their records are kept. */
  retell(): void {
    this.#joined = new CommandSpans(this.#ended);
    eachRecord(this.words, record => this.#joined.add(record));
  }

  clear(): void {
    this.#records.clear();
    this.#joined = new CommandSpans(this.#ended);
  }
}
