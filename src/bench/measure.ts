/** Runs the jobs on a guest, wherever it runs, and makes rows of the figures. */
import type { CounterName } from "../trace/counters.ts";
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

export type Metric = "rate" | "mmio-exits" | "interrupts" | "wake-ups" | "exit-time" | "time";

/** How often each job runs. Warm-up runs are not counted. */
export interface Plan {
  /** Warm-up is over when so many runs in a row were not faster than the fastest before them, … */
  readonly steadyRuns: number;
  /** … or after this time. */
  readonly warmUpMs: number;
  readonly runs: number;
  /** Further runs, with the time of register accesses taken. */
  readonly timedRuns: number;
}

/** By less than this, no run counts as faster than another. */
const FASTER = 1.05;

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

/** All rows of one system and one job. */
export async function measureJob(guest: Guest, system: System, job: Job, plan: Plan): Promise<Row[]> {
  const { instruments } = guest;
  const command = job.command(system.device);
  // What is written anew does not wait for what was written before.
  if (!job.writes) await guest.settle();
  await warmUp(() => run(guest, job, command), plan);

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
  if (plan.timedRuns > 0) {
    const figures = await exitTimes(guest, instruments, job, command, plan.timedRuns);
    rows.push(makeRow(system, job.name, "exit-time", "µs per I/O", figures));
  }
  return rows;
}

/** v86 and the browser compile what runs often, which takes seconds of it: until then all is several times slower. */
async function warmUp(runOnce: () => Promise<number>, { steadyRuns, warmUpMs }: Plan): Promise<void> {
  const start = performance.now();
  let mark = 0;
  let steady = 0;
  do {
    const rate = await runOnce();
    // Slow progress is progress too: the mark stays until it is passed.
    steady = rate > mark * FASTER ? 0 : steady + 1;
    if (steady === 0) mark = rate;
  } while (steady < steadyRuns && performance.now() - start < warmUpMs);
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
