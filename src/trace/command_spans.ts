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
  /** Storage had what the command waited for; undefined where nothing had to be waited for before data could move. */
  readonly readyAt: number | undefined;
  /** Its data has moved, and storage has answered where it had to. Undefined for admin commands. */
  readonly doneAt: number | undefined;
  /** Its completion queue entry is written. */
  readonly postedAt: number;
  /** The interrupt that told of it; undefined while none has. */
  interruptAt: number | undefined;
  /** The driver has told that it has read the answer, by the head doorbell or its shadow; undefined while it has not. */
  seenAt: number | undefined;
  readonly status: number;
}

/** From the doorbell, or the fetch where none was rung, to the completion queue entry: microseconds. */
export const latencyOf = ({ rungAt, fetchedAt, postedAt }: CommandSpan): number =>
  Math.max(0, (postedAt - (rungAt ?? fetchedAt)) | 0);

/**
 * The moments between a command's phases, in microseconds since its first one, never running back whatever the clocks of two threads
 * say: announced, fetched, storage ready, data moved, posted, interrupt, seen by the driver. A phase that there was none of, or
 * whose end is not known, has no length.
 */
export function commandMoments(span: CommandSpan): readonly number[] {
  const { rungAt, fetchedAt, readyAt, doneAt, postedAt, interruptAt, seenAt } = span;
  const start = rungAt ?? fetchedAt;
  let latest = 0;
  return [start, fetchedAt, readyAt, doneAt, postedAt, interruptAt, seenAt].map(time => {
    if (time !== undefined) latest = Math.max(latest, (time - start) | 0);
    return latest;
  });
}

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
  /** Answers that the driver has not read, by completion queue. */
  readonly #unread = new Map<number, UnreadAnswers>();

  /** `ended` is called with each command that was posted; its interruptAt and seenAt are filled in later. */
  constructor(ended: (span: CommandSpan) => void) {
    this.#ended = ended;
  }

  /** Takes the next record, in the order of time. */
  add({ kind, time, a, b, c, d, e }: TraceRecord): void {
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
          readyAt: undefined,
          doneAt: undefined,
          postedAt: time,
          interruptAt: undefined,
          seenAt: undefined,
          status: 0,
        });
        this.#rung.delete(a);
        return;
      case TraceKind.ready: {
        const command = this.#underWay.get(commandKey(a, c >>> 16));
        if (command) command.readyAt = time;
        return;
      }
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
        this.#end(command, a, b);
        return;
      }
      case TraceKind.interrupt:
        if (this.#untold.length === 0) return;
        for (const span of this.#untold) span.interruptAt = time;
        this.#untold = [];
        return;
      case TraceKind.headRung:
      case TraceKind.headSeen:
        this.#unread.get(a)?.read(b, time);
        return;
    }
  }

  #end(span: CommandSpan, cqid: number, index: number): void {
    // Without interrupts (a polled queue) the list must not grow for ever.
    if (this.#untold.length >= MAX_WAITING) this.#untold.shift();
    this.#untold.push(span);
    let unread = this.#unread.get(cqid);
    if (!unread) {
      unread = new UnreadAnswers();
      this.#unread.set(cqid, unread);
    }
    unread.add(span, index);
    this.#ended(span);
  }
}

/** More are not waited for: what would tell of them has been lost, or never comes. */
const MAX_WAITING = 2048;

/** The answers in a completion queue that the driver has not read, in the order of the queue. */
class UnreadAnswers {
  #spans: CommandSpan[] = [];
  /** The entry of each. */
  #indexes: number[] = [];

  add(span: CommandSpan, index: number): void {
    if (this.#spans.length >= MAX_WAITING) this.#drop(MAX_WAITING / 2);
    this.#spans.push(span);
    this.#indexes.push(index);
  }

  /** The driver has read all before entry `head`. */
  read(head: number, time: number): void {
    const at = this.#indexes.indexOf(head);
    // The head is the tail, then: all are read.
    const count = at < 0 ? this.#spans.length : at;
    for (let i = 0; i < count; i++) this.#spans[i].seenAt = time;
    this.#drop(count);
  }

  #drop(count: number): void {
    this.#spans = this.#spans.slice(count);
    this.#indexes = this.#indexes.slice(count);
  }
}

/** Names a command among those that are under way. */
export const commandKey = (qid: number, cid: number): number => qid * 0x10000 + cid;
