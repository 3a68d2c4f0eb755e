import { TraceKind, type TraceRecord } from "./trace_ring.ts";

/** One command's way, in microseconds on the trace's clock (modulo 2^32). */
export interface CommandSpan {
  readonly qid: number;
  readonly cid: number;
  readonly opcode: number;
  /** Lower 16 bits; FFFFh stands for all. */
  readonly nsid: number;
  /** Logical blocks, as far as the command has such a field. */
  readonly blocks: number;
  /** Lower 32 bits of the starting LBA. */
  readonly lba: number;
  /** The doorbell that announced it; undefined where none was rung, as the shadow tail was found. */
  readonly rungAt: number | undefined;
  readonly fetchedAt: number;
  /** Its data has moved, and storage has answered where it had to. Undefined for admin commands. */
  readonly doneAt: number | undefined;
  /** Its completion queue entry is written. */
  readonly postedAt: number;
  /** The interrupt that told of it; undefined while none has. */
  interruptAt: number | undefined;
  readonly status: number;
}

/** From the doorbell, or the fetch where none was rung, to the completion queue entry: microseconds. */
export const latencyOf = ({ rungAt, fetchedAt, postedAt }: CommandSpan): number =>
  Math.max(0, (postedAt - (rungAt ?? fetchedAt)) | 0);

/** A command under way: the span that it will have been. */
type UnderWay = { -readonly [key in keyof CommandSpan]: CommandSpan[key] };

/** Joins the records of a trace into commands. */
export class CommandSpans {
  readonly #ended: (span: CommandSpan) => void;
  /** Commands under way, by queue and command identifier. */
  readonly #underWay = new Map<number, UnderWay>();
  /** Doorbells that no fetch has answered yet, by queue. */
  readonly #rung = new Map<number, number>();
  /** Commands of which no interrupt has told yet. */
  #untold: CommandSpan[] = [];

  /** `ended` is called with each command that was posted; its interruptAt is filled in later. */
  constructor(ended: (span: CommandSpan) => void) {
    this.#ended = ended;
  }

  /** Takes the next record, in the order of time. */
  add({ kind, time, a, c, d, e }: TraceRecord): void {
    switch (kind) {
      case TraceKind.tailRung:
        // The first one counts: later doorbells before the fetch announce what comes behind.
        if (!this.#rung.has(a)) this.#rung.set(a, time);
        return;
      case TraceKind.fetched:
        this.#underWay.set(commandKey(a, c >>> 16), {
          qid: a,
          cid: c >>> 16,
          opcode: c & 0xff,
          nsid: d & 0xffff,
          blocks: (d >>> 16) + 1,
          lba: e >>> 0,
          rungAt: this.#rung.get(a),
          fetchedAt: time,
          doneAt: undefined,
          postedAt: time,
          interruptAt: undefined,
          status: 0,
        });
        this.#rung.delete(a);
        return;
      case TraceKind.done: {
        const command = this.#underWay.get(commandKey(a, c >>> 16));
        if (command) command.doneAt = time;
        return;
      }
      case TraceKind.posted: {
        const key = commandKey(c & 0xffff, c >>> 16);
        const command = this.#underWay.get(key);
        // Fetched before the trace began, or lost.
        if (!command) return;
        this.#underWay.delete(key);
        command.postedAt = time;
        command.status = d;
        this.#end(command);
        return;
      }
      case TraceKind.interrupt:
        for (const span of this.#untold) span.interruptAt = time;
        this.#untold = [];
        return;
    }
  }

  #end(span: CommandSpan): void {
    // Without interrupts (a polled queue) the list must not grow for ever.
    if (this.#untold.length >= MAX_UNTOLD) this.#untold.shift();
    this.#untold.push(span);
    this.#ended(span);
  }
}

const MAX_UNTOLD = 2048;

/** Names a command among those that are under way. */
export const commandKey = (qid: number, cid: number): number => qid * 0x10000 + cid;
