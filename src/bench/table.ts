/** Aligned plain text of what was measured: a line a row, fixed columns. */
import { cellOf, type Metric, type Result, type Row } from "./definitions/measure.ts";
import { figure, spread } from "./definitions/statistics.ts";
import type { SystemName } from "./definitions/systems.ts";

/** A column of any of the tables. */
export interface Column {
  /** One or two lines. */
  readonly head: readonly [string, string];
  readonly job: string;
  readonly metric: Metric;
}

const COLUMN_WIDTH = 13;
export const LABEL_WIDTH = 43;

/** The rates, reads before writes. Only jobs that were measured have a column. */
export function rateColumns(results: readonly Result[]): readonly Column[] {
  const rates = (job: string, title: string): Column => {
    const unit = results.flatMap(({ rows }) => rows).find(row => row.job === job)?.unit ?? "";
    return { head: [title, unit], job, metric: "rate" };
  };
  const columns = [
    rates("read-1m", "read 1M"),
    rates("write-1m", "write 1M"),
    rates("read-4k", "read 4k"),
    rates("write-4k", "write 4k"),
    ...randomDepths(results).map(depth => rates(`randread-4k-qd${depth}`, `rand 4k qd${depth}`)),
  ];
  return columns.filter(column => results.some(result => cell(result, column)));
}

/** What one I/O costs, for one request at a time and for the deepest queue that was measured. */
export function costColumns(results: readonly Result[]): readonly Column[] {
  const depth = randomDepths(results).at(-1);
  const jobs: readonly (readonly [string, string])[] = [
    ["read-4k", "read 4k"],
    ...(depth === undefined ? [] : [[`randread-4k-qd${depth}`, `rand 4k qd${depth}`] as const]),
  ];
  const columns = jobs.flatMap(([job, title]): Column[] => [
    { head: [title, "exits"], job, metric: "mmio-exits" },
    { head: [title, "interrupts"], job, metric: "interrupts" },
    { head: [title, "wake-ups"], job, metric: "wake-ups" },
    { head: [title, "exit time µs"], job, metric: "exit-time" },
  ]);
  return columns.filter(column => results.some(result => cell(result, column)));
}

function randomDepths(results: readonly Result[]): readonly number[] {
  const depths = results
    .flatMap(({ rows }) => rows)
    .map(({ job }) => Number(/^randread-4k-qd(\d+)$/.exec(job)?.[1]));
  return [...new Set(depths)].filter(depth => depth > 0).sort((a, b) => a - b);
}

/** The row of a column, if there is one. */
export const cell = (result: Result, { job, metric }: Pick<Column, "job" | "metric">): Row | undefined =>
  cellOf(result, job, metric);

/** The table's lines: head, then each result as "median ±spread". */
export function tableLines(results: readonly Result[], columns: readonly Column[]): readonly string[] {
  return [
    ...headLines(columns),
    ...results.map(result => {
      const figures = columns.map(column => {
        const row = cell(result, column);
        return row ? medianText(row) : "–";
      });
      return line(nameText(result.system), figures);
    }),
  ];
}

/** The spread of a single run is not known. */
function medianText(row: Row): string {
  return row.runs === 1 ? figure(row.median) : `${figure(row.median)} ±${Math.round(spread(row) * 100)}%`;
}

/** Two lines over the columns. */
export function headLines(columns: readonly Column[]): readonly string[] {
  return [
    line(
      "",
      columns.map(({ head }) => head[0]),
    ),
    line(
      nameText({ system: "system", serving: "serving", extension: "ext.", interrupt: "irq" }),
      columns.map(({ head }) => head[1]),
    ),
  ];
}

/** A line of any table: the label to the left, the rest under their columns' right edges. */
export function line(labelText: string, cells: readonly string[]): string {
  return (labelText.padEnd(LABEL_WIDTH) + cells.map(text => text.padStart(COLUMN_WIDTH)).join("")).trimEnd();
}

function nameText(name: Readonly<Record<keyof SystemName, string>>): string {
  return `${name.system.padEnd(18)}${name.serving.padEnd(14)}${name.extension.padEnd(7)}${name.interrupt}`;
}
