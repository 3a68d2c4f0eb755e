/** Runs the jobs on a guest, wherever it runs, and makes rows of the figures. */
import type { CounterName } from "../../trace/counters.ts";
import type { Counters, Guest, Instruments } from "./guest.ts";
import type { Job } from "./jobs.ts";
import { type Summary, summarize } from "./statistics.ts";
import type { System, SystemName } from "./systems.ts";

/** What `--json` writes an array of. */
export interface Row extends SystemName, Summary {
  readonly job: string;
  readonly metric: Metric;
  readonly unit: string;
}

export type Metric =
  | "rate"
  | "mmio-exits"
  | "interrupts"
  | "wake-ups"
  | "exit-time"
  | "time"
  | "latency-p50"
  | "latency-p99";

/** What became of one row of the table. */
export interface Result {
  readonly system: SystemName;
  readonly rows: readonly Row[];
  /** Why it could not be measured, or not all of it. */
  readonly failure?: string;
}

/** How often each job runs, once the guest is warm. */
export interface Plan {
  /** All jobs are run in turn for at least so long after the boot, uncounted: see warmUp(). */
  readonly warmUpMs: number;
  /** Then, of each job, so many runs are not counted, … */
  readonly uncounted: number;
  /** … so many are, … */
  readonly runs: number;
  /** … and further ones have the time of register accesses taken. */
  readonly timedRuns: number;
}

export const fullPlan: Plan = { warmUpMs: 15_000, uncounted: 2, runs: 7, timedRuns: 1 };
export const quickPlan: Plan = { warmUpMs: 7_500, uncounted: 1, runs: 5, timedRuns: 1 };

/** Counters whose growth per I/O is a metric. */
const perIoMetrics: readonly (readonly [Metric, CounterName])[] = [
  ["mmio-exits", "mmioExits"],
  ["interrupts", "interrupts"],
  ["wake-ups", "iothreadWakeups"],
];

/** Makes a row of figures. */
export function makeRow(
  { system, serving, extension, interrupt }: SystemName,
  job: string,
  metric: Metric,
  unit: string,
  figures: readonly number[],
): Row {
  return { system, serving, extension, interrupt, job, metric, unit, ...summarize(figures) };
}

/**
 * Makes a guest warm that has just booted. v86 and the browser's compilers take ten seconds and more of what is to be
 * measured: until then all is several times slower, and the compilers' threads need a core. `each` hears of each run.
 */
export async function warmUp(
  guest: Guest,
  system: Pick<System, "device">,
  jobs: readonly Job[],
  { warmUpMs }: Plan,
  each: (job: Job, figure: number) => void = () => {},
): Promise<void> {
  const start = performance.now();
  do {
    for (const job of jobs) each(job, await run(guest, job, job.command(system.device)));
  } while (performance.now() - start < warmUpMs);
}

/** All rows of one system and one job. */
export async function measureJob(
  guest: Guest,
  system: SystemName & Pick<System, "device">,
  job: Job,
  plan: Plan,
): Promise<Row[]> {
  const { instruments } = guest;
  const command = job.command(system.device);
  // What is written anew does not wait for what was written before.
  if (!job.writes) await guest.settle();
  for (let i = 0; i < plan.uncounted; i++) await run(guest, job, command);

  const rates: number[] = [];
  const growths: Growth[] = [];
  for (let i = 0; i < plan.runs; i++) {
    const before = await instruments?.counters();
    rates.push(await run(guest, job, command));
    const after = await instruments?.counters();
    if (before && after) growths.push(growth(before, after));
  }
  const rows = [makeRow(system, job.name, "rate", job.unit, rates)];
  if (!instruments) return rows;
  for (const [metric, counter] of perIoMetrics) {
    const figures = growths.map(({ perIo }) => perIo(counter));
    rows.push(makeRow(system, job.name, metric, "per I/O", figures));
  }
  const latencies = await instruments.latencies?.(async () => void (await run(guest, job, command)));
  if (latencies) {
    rows.push(makeRow(system, job.name, "latency-p50", "µs", [latencies.p50]));
    rows.push(makeRow(system, job.name, "latency-p99", "µs", [latencies.p99]));
  }
  if (plan.timedRuns > 0) {
    const figures = await exitTimes(guest, instruments, job, command, plan.timedRuns);
    rows.push(makeRow(system, job.name, "exit-time", "µs per I/O", figures));
  }
  return rows;
}

/** Looking at the clock at each register access takes time: these runs are for nothing else. */
async function exitTimes(
  guest: Guest,
  instruments: Instruments,
  job: Job,
  command: string,
  runs: number,
): Promise<readonly number[]> {
  const figures: number[] = [];
  await instruments.timeExits(true);
  for (let i = 0; i < runs; i++) {
    const before = await instruments.counters();
    await run(guest, job, command);
    figures.push(growth(before, await instruments.counters()).perIo("exitTimeUs"));
  }
  await instruments.timeExits(false);
  return figures;
}

async function run(guest: Guest, job: Job, command: string): Promise<number> {
  const { output, exitCode } = await guest.exec(command);
  if (exitCode !== 0) throw new Error(`${command}\n${output.trim()}`);
  return job.parse(output);
}

interface Growth {
  perIo(counter: CounterName): number;
}

/** What grew during a run, by the I/O commands that completed in it. */
function growth(before: Counters, after: Counters): Growth {
  const commands = after.commands - before.commands;
  if (commands <= 0) throw new Error("The device counted no I/O: did the job run on another disk?");
  return { perIo: counter => (after[counter] - before[counter]) / commands };
}

/** The row of that job and metric, if there is one. */
export function cellOf({ rows }: Result, job: string, metric: Metric): Row | undefined {
  return rows.find(row => row.job === job && row.metric === metric);
}
