/**
 * `npm run bench`: boots Linux in headless Chromium, and under QEMU where that is installed, runs the same jobs in each
 * and prints what it measures. See options.ts for the command line, systems.ts for the rows, jobs.ts for the columns.
 */
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { Browser, openBrowserGuest } from "./browser_guest.ts";
import { clickToPromptLines, measureClickToPrompt } from "./click_to_prompt.ts";
import { fullSizes, makeJobs, quickSizes } from "./jobs.ts";
import { measureJob, type Plan, type Row } from "./measure.ts";
import { type Options, parseOptions, UsageError, usage } from "./options.ts";
import { driveFolder, openQemuGuest, qemuVersion } from "./qemu_guest.ts";
import { ratioLines, threadLines } from "./ratios.ts";
import { type Server, servePage } from "./server.ts";
import { CLICK_TO_PROMPT, label, type System, selectSystems } from "./systems.ts";
import { costColumns, type Result, rateColumns, tableLines } from "./table.ts";

const fullPlan: Plan = { warmUps: 3, runs: 7, timedRuns: 2 };
const quickPlan: Plan = { warmUps: 1, runs: 5, timedRuns: 1 };

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(usage);
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
      const clicks = await measureClickToPrompt(page.address, quick ? 2 : 5);
      save(clicks.rows);
      print(["", ...clickToPromptLines(clicks), ""]);
    }
    const results: Result[] = [];
    for (const [i, system] of selected.entries()) {
      const load = loadavg()[0].toFixed(2);
      process.stdout.write(`${`${i + 1}/${selected.length}`.padStart(5)}  load ${load}  ${label(system)} …`);
      const start = performance.now();
      const result = await measureSystem(system, plan, quick, browser, page);
      results.push(result);
      save(result.rows);
      console.log(` ${((performance.now() - start) / 1000).toFixed(1)} s`);
      if (result.failure !== undefined) console.log(`       Failed: ${result.failure}`);
    }
    if (results.length > 0) print(resultLines(results));
    if (results.some(({ failure }) => failure !== undefined)) process.exitCode = 1;
  } finally {
    await browser.dispose();
    await page?.close();
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
      for (const job of makeJobs(quick ? quickSizes : fullSizes)) {
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

function headLines({ warmUps, runs, timedRuns }: Plan, qemu: string | undefined): readonly string[] {
  return [
    `${cpus().length} × ${cpus()[0].model}; load before the start ${loadavg()[0].toFixed(2)}`,
    `Each job: ${warmUps} warm-up runs, then ${runs} runs, then ${timedRuns} with the time of register accesses taken.`,
    "All data is in memory: the page's in its block cache (writes go on to IndexedDB), that of v86's IDE disk in RAM,",
    qemu === undefined
      ? "and QEMU is not installed (qemu-system-i386): its rows are left out."
      : `and QEMU's in the page cache (QEMU ${qemu}, TCG, cache=writeback, files in ${driveFolder()}).`,
  ];
}

function resultLines(results: readonly Result[]): readonly string[] {
  const rates = rateColumns(results);
  const ratios = ratioLines(results, rates);
  return [
    "",
    "Rates: median, and how far the farthest run was from it. dd (O_DIRECT) and fio's random reads",
    ...tableLines(results, rates),
    "",
    "What one I/O costs: register accesses of the guest (exits), interrupts, wake-ups of the iothread, vCPU time in exits",
    ...tableLines(
      results.filter(({ rows }) => rows.some(({ metric }) => metric === "mmio-exits")),
      costColumns(results),
    ),
    ...(ratios.length > 0 ? ["", ...ratios] : []),
    "",
    ...threadLines(results),
    "",
    ...notes(results),
  ];
}

/** What must be known to read the table right, as far as it has such rows. */
function notes(results: readonly Result[]): readonly string[] {
  const has = (test: (system: Result["system"]) => boolean) => results.some(({ system }) => test(system));
  return [
    ...(has(({ extension }) => extension === "google")
      ? [
          "google: today's Linux speaks only the standardised extension, so this is nvme without shadow doorbells.",
        ]
      : []),
    ...(has(({ system }) => system === "qemu-nvme")
      ? [
          "qemu-nvme mmio: ioeventfd=off, the doorbell's write is trapped in the vCPU thread; QEMU's main loop does the I/O in both.",
        ]
      : []),
    ...(has(({ system }) => system === "ide") ? ["ide: not ours, so nothing counts its exits."] : []),
    `Load at the end ${loadavg()[0].toFixed(2)}; on a busy machine all of this is slower, and the polling rows most of all.`,
  ];
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
