/**
 * The commands of the last half minute, in columns of a quarter of a second: counted as they come, so that what is drawn costs the
 * same however many they were.
 */
import { NvmOpcode } from "../../devices/nvme/spec/opcodes.ts";
import type { CommandSpan } from "../../trace/command_spans.ts";
import { LatencyHistogram } from "../../trace/latency_histogram.ts";
import { timeLine } from "../../trace/time_line.ts";

export const SECONDS = 30;
export const COLUMNS = 120;
const COLUMN_US = (SECONDS * 1e6) / COLUMNS;
/** Places that a column keeps: a sample where it has more reads and writes. */
const PLACES = 32;

/** Where a read or a write went. */
export interface Place {
  /** Part of the half minute that has passed since: 0 now, 1 half a minute ago. */
  readonly age: number;
  readonly lba: number;
  readonly isRead: boolean;
}

/** What happened within a quarter of a second. */
export class Column {
  /** On the endless row of columns. */
  #number = Number.NEGATIVE_INFINITY;
  readonly latencies = new LatencyHistogram();
  reads = 0;
  writes = 0;
  /** Microseconds. */
  longest = 0;
  lowestLba = Number.POSITIVE_INFINITY;
  highestLba = Number.NEGATIVE_INFINITY;
  readonly #lbas = new Uint32Array(PLACES);
  readonly #times = new Float64Array(PLACES);
  readonly #isRead = new Uint8Array(PLACES);

  get number(): number {
    return this.#number;
  }

  restart(number: number): void {
    this.#number = number;
    this.latencies.clear();
    this.reads = 0;
    this.writes = 0;
    this.longest = 0;
    this.lowestLba = Number.POSITIVE_INFINITY;
    this.highestLba = Number.NEGATIVE_INFINITY;
  }

  add({ qid, opcode, lba }: CommandSpan, latency: number, time: number): void {
    this.latencies.add(latency);
    this.longest = Math.max(this.longest, latency);
    const isRead = opcode === NvmOpcode.read;
    if (qid === 0 || !(isRead || opcode === NvmOpcode.write)) return;
    const before = this.reads + this.writes;
    if (isRead) this.reads += 1;
    else this.writes += 1;
    this.lowestLba = Math.min(this.lowestLba, lba);
    this.highestLba = Math.max(this.highestLba, lba);
    // Each of them is kept with the same probability (reservoir sampling).
    const slot = before < PLACES ? before : Math.floor(Math.random() * (before + 1));
    if (slot >= PLACES) return;
    this.#lbas[slot] = lba;
    this.#times[slot] = time;
    this.#isRead[slot] = isRead ? 1 : 0;
  }

  places(now: number): Place[] {
    return Array.from({ length: Math.min(PLACES, this.reads + this.writes) }, (_, i) => {
      const age = Math.max(0, now - this.#times[i]) / (SECONDS * 1e6);
      return { age, lba: this.#lbas[i], isRead: this.#isRead[i] === 1 };
    });
  }
}

export class RecentCommands {
  readonly #columns = Array.from({ length: COLUMNS }, () => new Column());
  #since = timeLine();

  /** A command that was answered, and its latency in microseconds. */
  add(span: CommandSpan, latency: number): void {
    const time = this.#since(span.postedAt);
    const number = Math.floor(time / COLUMN_US);
    const column = this.#slot(number);
    if (column.number > number) return; // half a minute late
    if (column.number < number) column.restart(number);
    column.add(span, latency, time);
  }

  /** The columns, oldest first; that of the moment `now`, on the trace's clock, is the last. Undefined where nothing happened. */
  columns(now: number): readonly (Column | undefined)[] {
    const newest = Math.floor(this.#since(now) / COLUMN_US);
    return Array.from({ length: COLUMNS }, (_, i) => {
      const number = newest - COLUMNS + 1 + i;
      const column = this.#slot(number);
      return column.number === number ? column : undefined;
    });
  }

  /** The places that were kept. */
  places(now: number): readonly Place[] {
    const time = this.#since(now);
    return this.columns(now).flatMap(column => column?.places(time) ?? []);
  }

  clear(): void {
    for (const column of this.#columns) column.restart(Number.NEGATIVE_INFINITY);
    this.#since = timeLine();
  }

  #slot(number: number): Column {
    return this.#columns[((number % COLUMNS) + COLUMNS) % COLUMNS];
  }
}

/** Commands that were answered in one stretch of time. */
export interface StretchSummary {
  /** Seconds ago: from more, to less. */
  readonly from: number;
  readonly to: number;
  readonly commands: number;
  readonly reads: number;
  readonly writes: number;
  /** Microseconds, the median to about 9 %; undefined without commands. */
  readonly median: number | undefined;
  readonly longest: number | undefined;
  /** Lowest and highest starting block of reads and writes; undefined without any. */
  readonly lowestLba: number | undefined;
  readonly highestLba: number | undefined;
}

/** Sums columns() up in stretches of `step` seconds, latest first. */
export function summarize(columns: readonly (Column | undefined)[], step: number): StretchSummary[] {
  const each = (COLUMNS / SECONDS) * step;
  return Array.from({ length: SECONDS / step }, (_, i) => {
    const inside = columns
      .slice(COLUMNS - (i + 1) * each, COLUMNS - i * each)
      .filter(column => column !== undefined);
    const latencies = new LatencyHistogram();
    for (const column of inside) latencies.addAll(column.latencies);
    const sum = (of: (column: Column) => number) => inside.reduce((total, column) => total + of(column), 0);
    const [reads, writes] = [sum(column => column.reads), sum(column => column.writes)];
    const isEmpty = latencies.total === 0;
    const hasPlaces = reads + writes > 0;
    return {
      from: (i + 1) * step,
      to: i * step,
      commands: latencies.total,
      reads,
      writes,
      median: isEmpty ? undefined : latencies.quantile(0.5),
      longest: isEmpty ? undefined : Math.max(...inside.map(({ longest }) => longest)),
      lowestLba: hasPlaces ? Math.min(...inside.map(({ lowestLba }) => lowestLba)) : undefined,
      highestLba: hasPlaces ? Math.max(...inside.map(({ highestLba }) => highestLba)) : undefined,
    };
  });
}
