/**
 * `npm run bench`: boots the page in headless Chromium and prints what it measures.
 *
 *   --quick       fewer runs
 *   --json FILE   also writes the rows as an array of objects
 *
 * Every figure is a median of several runs after warm-up, with its spread; the machine's load is printed, because two
 * busy cores make all of it worse.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type BrowserContext, chromium, type Page } from "playwright";
import { build, preview } from "vite";
import { chromiumLaunch } from "../../e2e/chromium.ts";
import type { Automation } from "../app/automation.ts";
import type { BootStageTiming, InterruptKind, ServingMode } from "../machine/api.ts";
import type { CounterName } from "../trace/counters.ts";
import { type Job, jobs } from "./jobs.ts";
import { type Summary, summarize } from "./statistics.ts";

interface Row extends Summary, System {
  readonly job: string;
  readonly metric: string;
  readonly unit: string;
}

/** virtio-blk with KVM in the 2015 thread: the mark that 1 MiB reads through the iothread are held against. */
const THREAD_VIRTIO_BLK_MB_S = 344;

const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, json: { type: "string" } },
});
const runs = options.quick ? 3 : 7;
const warmUps = options.quick ? 2 : 3;
const boots = options.quick ? 2 : 5;

/** One row of the thread's experiment: which device, served where, with which extension and interrupt. */
interface System {
  readonly system: "nvme";
  readonly serving: ServingMode;
  readonly extension: "none" | "dbbuf";
  readonly interrupt: InterruptKind;
}

const nvme = (serving: ServingMode, extension: System["extension"], interrupt: InterruptKind): System => ({
  system: "nvme",
  serving,
  extension,
  interrupt,
});
/** What users get comes first. */
const systems: readonly System[] = [
  nvme("iothread+poll", "dbbuf", "msix"),
  nvme("iothread+poll", "none", "msix"),
  nvme("iothread+poll", "dbbuf", "intx"),
  nvme("iothread", "dbbuf", "msix"),
  nvme("mainloop", "dbbuf", "msix"),
  nvme("mmio", "dbbuf", "msix"),
];

const rows: Row[] = [];

await build({ logLevel: "error" });
const server = await preview({ logLevel: "error", preview: { host: "localhost", port: 0 } });
const url = server.resolvedUrls?.local[0];
if (!url) throw new Error("the preview server has no address");
try {
  console.log(`${cpus().length} × ${cpus()[0].model}; load before the start ${loadavg()[0].toFixed(2)}`);
  await benchBoot(url);
  for (const system of systems) await benchJobs(url, system);
} finally {
  await server.close();
}
const read = rows.find(row => row.job === "read-1m" && row.metric === "rate");
if (read) {
  const ratio = (read.median / THREAD_VIRTIO_BLK_MB_S).toFixed(2);
  console.log(
    `\n1 MiB reads through the iothread: ${read.median.toFixed(0)} MB/s, ${ratio} × the ${THREAD_VIRTIO_BLK_MB_S} MB/s that ` +
      "virtio-blk had natively in the 2015 thread",
  );
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`);

async function withBrowser(profile: string, use: (page: Page) => Promise<void>): Promise<void> {
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    ...chromiumLaunch,
    headless: true,
  });
  try {
    await use(context.pages()[0] ?? (await context.newPage()));
  } finally {
    await context.close();
  }
}

/** Opens the page; resolves at the shell prompt, with milliseconds from navigation and the page's own timing. */
async function boot(
  page: Page,
  address: string,
): Promise<{ ms: number; stages: readonly BootStageTiming[] }> {
  const start = performance.now();
  await page.goto(address);
  await page.waitForFunction(() => window.doorbell !== undefined);
  await page.evaluate(() => (window.doorbell as Automation).ready);
  const ms = performance.now() - start;
  return { ms, stages: await page.evaluate(() => (window.doorbell as Automation).bootStages()) };
}

/** Click to prompt: with an empty profile (download, seed, boot), and with the disk there already. */
async function benchBoot(address: string): Promise<void> {
  const first: number[] = [];
  const again: number[] = [];
  let lastStages: readonly BootStageTiming[] = [];
  for (let i = 0; i < boots; i++) {
    const profile = mkdtempSync(join(tmpdir(), "doorbell-bench-"));
    await withBrowser(profile, async page => {
      first.push((await boot(page, address)).ms);
    });
    await withBrowser(profile, async page => {
      const { ms, stages } = await boot(page, address);
      again.push(ms);
      lastStages = stages;
    });
    rmSync(profile, { recursive: true, force: true });
  }
  console.log("\nClick to prompt (new browser process each time)");
  report(systems[0], "first-start", "time", "ms", first);
  report(systems[0], "start", "time", "ms", again);
  for (const { stage, startMs, endMs } of lastStages) {
    console.log(
      `    ${stage.padEnd(10)} ${startMs.toFixed(0).padStart(6)} – ${(endMs ?? startMs).toFixed(0)} ms`,
    );
  }
}

async function benchJobs(address: string, system: System): Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), "doorbell-bench-"));
  await withBrowser(profile, async page => {
    const { serving, extension, interrupt } = system;
    const settings = { serving, shadow: extension === "none" ? "off" : extension, interrupts: interrupt };
    await boot(page, `${address}?${new URLSearchParams(settings)}`);
    console.log(
      `\n${system.system}, ${serving}, ${extension}, ${interrupt}; data in the block cache; ${warmUps} warm-up runs, then ${runs} runs`,
    );
    for (const job of jobs) await benchJob(page, system, job);
  });
  rmSync(profile, { recursive: true, force: true });
}

async function benchJob(page: Page, system: System, job: Job): Promise<void> {
  const run = async () => {
    const before = await counters(page);
    const { output, exitCode } = await page.evaluate(
      command => (window.doorbell as Automation).exec(command),
      job.command,
    );
    if (exitCode !== 0) throw new Error(`${job.command}\n${output}`);
    const after = await counters(page);
    const perIo = (name: CounterName) => (after[name] - before[name]) / (after.commands - before.commands);
    return { rate: job.parse(output), perIo };
  };
  for (let i = 0; i < warmUps; i++) await run();
  const results = [];
  for (let i = 0; i < runs; i++) results.push(await run());
  report(
    system,
    job.name,
    "rate",
    job.unit,
    results.map(({ rate }) => rate),
  );
  const metrics: readonly (readonly [string, CounterName])[] = [
    ["mmio-exits", "mmioExits"],
    ["interrupts", "interrupts"],
    ["wake-ups", "iothreadWakeups"],
  ];
  for (const [metric, counter] of metrics) {
    report(
      system,
      job.name,
      metric,
      "per I/O",
      results.map(({ perIo }) => perIo(counter)),
    );
  }
}

function counters(page: Page) {
  return page.evaluate(() => (window.doorbell as Automation).counters());
}

function report(system: System, job: string, metric: string, unit: string, figures: readonly number[]): void {
  const summary = summarize(figures);
  rows.push({ ...system, job, metric, unit, ...summary });
  const digits = summary.median < 10 ? 3 : 0;
  const show = (figure: number) => figure.toFixed(digits);
  console.log(
    `  ${job.padEnd(12)} ${metric.padEnd(11)} ${show(summary.median).padStart(8)} ${unit.padEnd(8)} (${show(summary.min)}–${show(summary.max)}, ${summary.runs} runs)`,
  );
}
