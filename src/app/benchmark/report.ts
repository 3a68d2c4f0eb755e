/** What was measured, under which conditions: as Markdown and as JSON. */

import { allJobs, type Job, quickSizes } from "../../bench/definitions/jobs.ts";
import { cellOf, type Plan, type Row } from "../../bench/definitions/measure.ts";
import { figure, spread } from "../../bench/definitions/statistics.ts";
import { label } from "../../bench/definitions/systems.ts";
import { threadRows } from "../../bench/definitions/thread.ts";
import { formatMicroseconds } from "../timing/histogram_view.ts";
import { THIS_GUEST } from "./choice.ts";
import type { Measured } from "./run.ts";

export interface Conditions {
  /** ISO 8601. */
  readonly at: string;
  readonly browser: string;
  /** Logical processors, as the browser tells. */
  readonly cores: number;
  readonly doorbell: string;
  readonly v86: string;
  readonly plan: Plan;
  /** Of the page, with the choice. */
  readonly address: string;
}

export interface Report {
  readonly conditions: Conditions;
  readonly results: readonly Measured[];
}

const FORMAT = "doorbell-benchmark";
const VERSION = 1;

/** What a system is called: its label, and whether it is the page's own guest. */
export const nameOf = ({ name, system }: Measured): string =>
  `${label(system)}${name === THIS_GUEST ? " (this guest)" : ""}`;

/** The jobs that something was measured of, in their order. */
export function jobsOf(results: readonly Measured[]): readonly Job[] {
  return allJobs(quickSizes).filter(({ name }) => results.some(result => rateOf(result, name)));
}

export const rateOf = (result: Measured, job: string): Row | undefined => cellOf(result, job, "rate");

/** "1,234 ±5 %". */
export function rateText(row: Row): string {
  return row.runs === 1 ? figure(row.median) : `${figure(row.median)} ±${Math.round(spread(row) * 100)} %`;
}

/** "45 µs / 1.2 ms", or a dash where no trace was kept. */
export function latencyText(result: Measured, job: string): string {
  const p50 = cellOf(result, job, "latency-p50");
  const p99 = cellOf(result, job, "latency-p99");
  return p50 && p99 ? `${formatMicroseconds(p50.median)} / ${formatMicroseconds(p99.median)}` : "–";
}

/** Sentences that belong to the figures. */
export function conditionLines({ conditions, results }: Report): readonly string[] {
  const { at, browser, cores, doorbell, v86, plan } = conditions;
  const kernels = [...new Set(results.map(({ kernel }) => kernel).filter(kernel => kernel !== ""))];
  const fresh = results.some(({ name }) => name !== THIS_GUEST);
  const own = results.some(({ name }) => name === THIS_GUEST);
  const beside = results.reduce((sum, { commandsBeside }) => sum + commandsBeside, 0);
  return [
    `${at.slice(0, 16).replace("T", " ")} UTC; ${browser}; ${cores} logical cores; Doorbell ${doorbell}, v86 ${v86}, Linux ${kernels.join(", ")}.`,
    `Each system: all chosen jobs in turn for ${plan.warmUpMs / 1000} s to warm up; then, of each job, ${plan.uncounted} + ${plan.runs} runs, of which ${plan.runs} count: their median, and how far the farthest was from it. p50 / p99: latencies of the device’s commands in one more run, traced.`,
    ...(own
      ? [
          "This guest: warm or not as it was; its scratch disk in the block cache, which writes go on from to storage.",
        ]
      : []),
    ...(fresh
      ? [
          "Fresh guests: booted for it in the same tab, scratch disk in memory and in the block cache, written once before; nothing goes on to storage. The page’s own guest stands still meanwhile" +
            `${beside > 0 ? `, but for ${beside} I/O commands` : ""}.`,
        ]
      : []),
  ];
}

export function markdownOf(report: Report): string {
  const { conditions, results } = report;
  const jobs = jobsOf(results);
  const lines = jobs.flatMap(({ name, title, unit }) => [
    "",
    `**${title}** (${unit})`,
    "",
    "| system | median | min – max | p50 / p99 |",
    "|---|---|---|---|",
    ...results.flatMap(result => {
      const row = rateOf(result, name);
      if (!row) return [];
      const range = `${figure(row.min)} – ${figure(row.max)}`;
      return [`| ${nameOf(result)} | ${rateText(row)} | ${range} | ${latencyText(result, name)} |`];
    }),
    ...(isScaled(name) ? threadRows.map(row => `| ${row.label} | ${row.megabytes} | | |`) : []),
  ]);
  const failures = results.flatMap(result =>
    result.failure === undefined ? [] : ["", `${nameOf(result)}: ${result.failure}`],
  );
  return `${["### Doorbell benchmark", ...lines, ...failures, "", ...conditionLines(report).map(line => `- ${line}`), `- ${conditions.address}`].join("\n")}\n`;
}

/** The thread gives megabytes a second of large direct requests. */
export const isScaled = (job: string): boolean => job === "read-1m" || job === "write-1m";

/** `rows` are what `npm run bench -- --json` writes. */
export function jsonOf({ conditions, results }: Report): string {
  const rows = results.flatMap(result => result.rows);
  const text = JSON.stringify({ format: FORMAT, version: VERSION, conditions, rows, results }, null, 2);
  return `${text}\n`;
}
