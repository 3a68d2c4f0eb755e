/** Measures the chosen jobs on one guest after the other. Knows guests only as the command line's benchmark does. */
import type { Guest } from "../../bench/definitions/guest.ts";
import { allJobs, type Job } from "../../bench/definitions/jobs.ts";
import { measureJob, type Plan, type Result, warmUp } from "../../bench/definitions/measure.ts";
import type { SystemName } from "../../bench/definitions/systems.ts";
import { type Choice, THIS_GUEST, thoroughnesses } from "./choice.ts";

/** A guest that is measured, with what it is called. */
export interface MeasuredGuest extends Guest {
  readonly system: SystemName & { readonly device: string };
  /** Whether its scratch disk may be overwritten. */
  readonly mayWrite: boolean;
  /** I/O commands of the page's own guest so far, where that is another one: it should stand still. */
  commandsBeside(): number;
}

export interface Progress {
  /** As in Choice. */
  readonly system: string;
  readonly stage: "starting" | "warming up" | "measuring";
  /** Title of the job that runs, and what its last run gave. */
  readonly job?: string;
  readonly lastFigure?: string;
  /** Of all, 0 to 1; estimated. */
  readonly part: number;
}

/** One counted run, with what the program in the guest said itself. */
export interface CountedRun {
  readonly figure: number;
  /** The line with the rate. */
  readonly line: string;
  /** By the browser's clock, from the command to its end. */
  readonly hostMs: number;
}

export interface Measured extends Result {
  /** As in Choice. */
  readonly name: string;
  /** Runs that count, by job. */
  readonly runs: Readonly<Record<string, readonly CountedRun[]>>;
  /** Figures of the runs that warmed up, by job. */
  readonly warmUp: Readonly<Record<string, readonly number[]>>;
  readonly kernel: string;
  /** I/O commands of the page's own guest meanwhile. */
  readonly commandsBeside: number;
}

export interface RunEvents {
  progress(progress: Progress): void;
  measured(measured: Measured): void;
}

/** Shares of a guest's time. */
const STARTED = 0.15;
const WARM = 0.55;

/** Rejects when `signal` is aborted, after the guest under way is closed; what was measured before has been told. */
export async function runBenchmark(
  { thoroughness, systems, jobs: names }: Choice,
  open: (name: string, signal: AbortSignal) => Promise<MeasuredGuest>,
  events: RunEvents,
  signal: AbortSignal,
): Promise<void> {
  const { plan, sizes } = thoroughnesses[thoroughness];
  const all = allJobs(sizes);
  const jobs = all.filter(({ name }) => names.includes(name));
  for (const [i, name] of systems.entries()) {
    const report = (progress: Omit<Progress, "system">) =>
      events.progress({ ...progress, system: name, part: (i + progress.part) / systems.length });
    report({ stage: "starting", part: 0 });
    signal.throwIfAborted();
    const guest = await open(name, signal);
    try {
      events.measured(await measureGuest(name, guest, jobs, all, plan, report, signal));
    } finally {
      await guest.close();
    }
  }
}

async function measureGuest(
  name: string,
  guest: MeasuredGuest,
  jobs: readonly Job[],
  all: readonly Job[],
  plan: Plan,
  report: (progress: Omit<Progress, "system">) => void,
  signal: AbortSignal,
): Promise<Measured> {
  const { system } = guest;
  let log: CountedRun[] = [];
  let present: { readonly job: Job; readonly index: number } | undefined;
  const cancellable: Guest = {
    ...guest,
    async exec(command) {
      signal.throwIfAborted();
      const start = performance.now();
      const result = await abortable(guest.exec(command), signal);
      const hostMs = performance.now() - start;
      if (!present || result.exitCode !== 0) return result;
      const { job, index } = present;
      const figure = job.parse(result.output);
      log.push({ figure, line: rateLine(result.output), hostMs });
      const each = Math.min(1, log.length / (plan.uncounted + plan.runs + plan.timedRuns + 1));
      report({
        stage: "measuring",
        job: job.title,
        lastFigure: `${Math.round(figure)} ${job.unit}`,
        part: WARM + (1 - WARM) * ((index + each) / jobs.length),
      });
      return result;
    },
  };
  const measured = {
    ...{ name, system, rows: [] as Result["rows"][number][], warmUp: {} as Record<string, number[]> },
    ...{ runs: {} as Record<string, readonly CountedRun[]>, kernel: "", commandsBeside: 0 },
  };
  const beside = guest.commandsBeside();
  try {
    measured.kernel = (await cancellable.exec("uname -r")).output.trim();
    await prepare(cancellable, guest, jobs, all);
    const start = performance.now();
    await warmUp(cancellable, system, jobs, plan, (job, figure) => {
      measured.warmUp[job.name] = [...(measured.warmUp[job.name] ?? []), figure];
      report({
        stage: "warming up",
        job: job.title,
        lastFigure: `${Math.round(figure)} ${job.unit}`,
        part: STARTED + (WARM - STARTED) * Math.min(1, (performance.now() - start) / plan.warmUpMs),
      });
    });
    for (const [index, job] of jobs.entries()) {
      present = { job, index };
      log = [];
      measured.rows.push(...(await measureJob(cancellable, system, job, plan)));
      measured.runs[job.name] = log.slice(plan.uncounted, plan.uncounted + plan.runs);
    }
    return { ...measured, commandsBeside: guest.commandsBeside() - beside };
  } catch (error) {
    signal.throwIfAborted();
    return { ...measured, failure: error instanceof Error ? error.message : String(error) };
  }
}

/** A fresh guest's disk is empty: reads are to find data and not holes. Nobody's data is overwritten unasked. */
async function prepare(
  guest: Guest,
  { system, mayWrite }: MeasuredGuest,
  jobs: readonly Job[],
  all: readonly Job[],
): Promise<void> {
  const { device } = system;
  if (!mayWrite) {
    const writer = jobs.find(job => job.writes);
    if (writer) throw new Error(`“${writer.title}” would overwrite ${device}, which was not allowed.`);
    return;
  }
  const { output } = await guest.exec(`grep -c "^${device} " /proc/mounts; true`);
  if (output.trim() !== "0") throw new Error(`${device} is mounted: unmount it before it is overwritten.`);
  const filler = all.find(({ name }) => name === "write-1m");
  if (filler) await guest.exec(filler.command(device));
}

/** Whether one of the jobs overwrites the disk of the page's own guest. */
export function overwritesOwnDisk({ systems, jobs }: Choice): boolean {
  const { sizes } = thoroughnesses.quick;
  return (
    systems.includes(THIS_GUEST) && allJobs(sizes).some(({ name, writes }) => writes && jobs.includes(name))
  );
}

/** dd's last line, or fio's. */
const rateLine = (output: string): string => output.trim().split("\n").at(-1)?.slice(0, 400) ?? "";

/** The promise, or a rejection as soon as the signal is aborted. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
