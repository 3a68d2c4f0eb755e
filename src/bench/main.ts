/**
 * `npm run bench`: boots Linux in headless Chromium, and under QEMU where that is installed, runs the same jobs in each
 * and prints what it measures. See options.ts for the command line, systems.ts for the rows, jobs.ts for the columns.
 */
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { Browser, openBrowserGuest } from "./browser_guest.ts";
import { clickToPromptLines, measureClickToPrompt } from "./click_to_prompt.ts";
import { fullSizes, makeJobs, quickSizes } from "./definitions/jobs.ts";
import {
  fullPlan,
  measureJob,
  type Plan,
  quickPlan,
  type Result,
  type Row,
  warmUp,
} from "./definitions/measure.ts";
import { CLICK_TO_PROMPT, label, type System, selectSystems } from "./definitions/systems.ts";
import { type Options, parseOptions, UsageError, usage } from "./options.ts";
import { openQemuGuest, qemuVersion } from "./qemu_guest.ts";
import { headLines, resultLines } from "./report.ts";
import { type Server, servePage } from "./server.ts";
import { benchStorage } from "./storage.ts";
import { benchViews } from "./views.ts";

/** On a busy machine a quick run leaves its last rows out, rather than take longer than it promises. */
const QUICK_LIMIT_MS = 175_000;

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(usage);
  else if (options.part === "storage") await benchStorage(options.quick);
  else if (options.part === "views") await benchViews(options.quick);
  else await bench(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message} See npm run bench -- --help.`);
  process.exitCode = 2;
}

async function bench({ quick, only, json }: Options): Promise<void> {
  const plan = quick ? quickPlan : fullPlan;
  const rows: Row[] = [];
  // Written as it grows, so that what was measured is not lost with the rest; and a bad name shows at once.
  const save = (more: readonly Row[]) => {
    rows.push(...more);
    if (json !== undefined) writeRows(json, rows);
  };
  save([]);

  const qemu = qemuVersion();
  const selected = selectSystems(quick, only, qemu !== undefined);
  const withClicks = only.length === 0 || only.some(text => CLICK_TO_PROMPT.includes(text));
  print(headLines(plan, qemu));
  const page = withClicks || selected.some(({ kind }) => kind === "page") ? await servePage() : undefined;
  const browser = new Browser();
  try {
    if (withClicks && page) {
      const clicks = await measureClickToPrompt(page.address, quick ? 1 : 5);
      save(clicks.rows);
      print(["", ...clickToPromptLines(clicks), ""]);
    }
    const measure = (system: System) => measureSystem(system, plan, quick, browser, page);
    const results: Result[] = [];
    for await (const result of measureAll(selected, measure, quick ? QUICK_LIMIT_MS : Infinity)) {
      results.push(result);
      save(result.rows);
    }
    if (results.length > 0) print(resultLines(results, quick));
    if (results.some(({ failure }) => failure !== undefined)) process.exitCode = 1;
  } finally {
    await browser.dispose();
    await page?.close();
  }
}

/** One row after the other, with a line of progress each, while there is time. */
async function* measureAll(
  selected: readonly System[],
  measure: (system: System) => Promise<Result>,
  limitMs: number,
): AsyncGenerator<Result> {
  // What a row takes is what the one before of its kind took.
  const lastMs = { page: 0, qemu: 0 };
  for (const [i, system] of selected.entries()) {
    const start = performance.now();
    // The clock started with the process.
    if (start + lastMs[system.kind] > limitMs) {
      console.log(`       No time left for ${label(system)}.`);
      continue;
    }
    const load = loadavg()[0].toFixed(2);
    process.stdout.write(`${`${i + 1}/${selected.length}`.padStart(5)}  load ${load}  ${label(system)} …`);
    const result = await measure(system);
    const ms = performance.now() - start;
    lastMs[system.kind] = ms;
    console.log(` ${(ms / 1000).toFixed(1)} s`);
    if (result.failure !== undefined) console.log(`       Failed: ${result.failure}`);
    yield result;
  }
}

/** Boots the row's guest and runs all jobs. A row that fails does not keep the others from being measured. */
async function measureSystem(
  system: System,
  plan: Plan,
  quick: boolean,
  browser: Browser,
  page: Server | undefined,
): Promise<Result> {
  const rows: Row[] = [];
  try {
    const guest =
      system.kind === "qemu"
        ? await openQemuGuest(system)
        : await openBrowserGuest(browser, page?.address ?? "", system);
    try {
      const jobs = makeJobs(quick ? quickSizes : fullSizes);
      await warmUp(guest, system, jobs, plan);
      for (const job of jobs) {
        rows.push(...(await measureJob(guest, system, job, plan)));
      }
    } finally {
      await guest.close();
    }
    return { system, rows };
  } catch (error) {
    // Whatever state the browser is in, the next row starts with a new process.
    await browser.quit();
    return { system, rows, failure: error instanceof Error ? error.message : String(error) };
  }
}

function writeRows(file: string, rows: readonly Row[]): void {
  try {
    writeFileSync(file, `${JSON.stringify(rows, null, 2)}\n`);
  } catch (error) {
    throw new UsageError(`Cannot write ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function print(lines: readonly string[]): void {
  for (const text of lines) console.log(text);
}
