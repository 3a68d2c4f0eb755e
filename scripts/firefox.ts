/**
 * `npm run firefox`: takes a first visitor's steps in Debian's Firefox (set FIREFOX to use another one), driven by WebDriver
 * BiDi, and prints what it could do. Exits with 1 if a step failed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer, { type Page } from "puppeteer-core";
import { build } from "vite";
import { StaticServer } from "../e2e/static_server.ts";

/** Long enough for a loaded machine, short enough not to wait for ever. */
const STEP_MS = 120_000;

interface Visit {
  readonly page: Page;
  readonly server: StaticServer;
}

/** A step resolves to what is worth saying of it, and throws if it failed. They build on each other. */
const steps: readonly { readonly name: string; readonly run: (visit: Visit) => Promise<string> }[] = [
  {
    name: "first visit, host without headers: boot to the shell",
    async run({ page, server }) {
      await page.goto(server.url, { waitUntil: "domcontentloaded" });
      await booted(page);
      if (!(await page.evaluate(() => crossOriginIsolated))) throw new Error("not isolated");
      return "yes";
    },
  },
  { name: "`nvme list`", run: ({ page }) => run(page, "nvme list | grep -c nvme0n1", /^1/, "yes") },
  {
    name: "dd, 64 MiB written and read back",
    run: ({ page }) =>
      run(
        page,
        "dd if=/dev/urandom of=/root/a bs=1M count=64 && sync && echo 3 > /proc/sys/vm/drop_caches && md5sum </root/a >/root/sum && echo 3 > /proc/sys/vm/drop_caches && md5sum </root/a | cmp - /root/sum && echo same",
        /same/,
        "yes",
      ),
  },
  {
    name: "shadow doorbells: doorbells elided",
    async run({ page }) {
      await run(page, "dd if=/dev/nvme0n2 of=/dev/null bs=4k count=2000 iflag=direct", /./, "");
      const elided = await page.evaluate(() => window.doorbell?.counters().doorbellsElided ?? 0);
      if (elided === 0) throw new Error("none");
      return "yes";
    },
  },
  {
    name: "a reload keeps the data",
    async run({ page }) {
      await run(page, "cp /root/sum /root/kept && sync", /^/, "");
      await page.reload({ waitUntil: "domcontentloaded" });
      await booted(page);
      return run(page, "cmp /root/kept /root/sum && echo same", /same/, "yes");
    },
  },
  {
    name: "the Queues and Timing views",
    async run({ page }) {
      for (const label of ["Queues", "Timing"]) {
        await page.evaluate(text => {
          const buttons = [...document.querySelectorAll<HTMLElement>("button, [role=tab]")];
          buttons.findLast(({ textContent }) => textContent === text)?.click();
        }, label);
        await page.waitForFunction(
          text => document.querySelector('[role="tab"][aria-selected="true"]')?.textContent === text,
          { timeout: STEP_MS },
          label,
        );
      }
      return "yes";
    },
  },
  {
    name: "a disk in OPFS: made, attached, written",
    async run({ page }) {
      const path = await page.evaluate(async () => {
        const catalogue = window.doorbell?.catalogue;
        await catalogue?.create({ name: "opfs", capacityBytes: 2 ** 26, kind: "opfs" });
        return catalogue?.attach("opfs");
      });
      if (!path) throw new Error("Linux did not find it");
      return run(page, `dd if=/dev/zero of=${path} bs=1M count=16 oflag=direct && echo done`, /done/, "yes");
    },
  },
  {
    name: "without the server: boot to the shell",
    async run({ page, server }) {
      const kept = await page.evaluate(() => window.doorbell?.offline);
      if (!kept?.complete) throw new Error(kept?.detail ?? "no answer");
      await server.stop();
      await page.reload({ waitUntil: "domcontentloaded" });
      await booted(page);
      return run(page, "cmp /root/kept /root/sum && echo same", /same/, "yes");
    },
  },
];

async function booted(page: Page): Promise<void> {
  await page.waitForFunction(() => window.doorbell !== undefined, { timeout: STEP_MS });
  await page.evaluate(() => window.doorbell?.ready);
}

async function run(page: Page, command: string, expected: RegExp, result: string): Promise<string> {
  const answer = await page.evaluate(text => window.doorbell?.exec(text), command);
  if (answer?.exitCode !== 0 || !expected.test(answer.output)) throw new Error(answer?.output ?? "no answer");
  return result;
}

const folder = mkdtempSync(join(tmpdir(), "doorbell-firefox-page-"));
const profile = mkdtempSync(join(tmpdir(), "doorbell-firefox-"));
await build({ logLevel: "error", build: { outDir: folder, emptyOutDir: true } });
const server = await StaticServer.start(folder, "/sub/path/");
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
  headless: true,
  userDataDir: profile,
  protocolTimeout: STEP_MS,
});
try {
  const page = await browser.newPage();
  console.log(`| | ${await browser.version()} |`);
  console.log("|---|---|");
  for (const { name, run: take } of steps) {
    const result = await take({ page, server }).catch(error => {
      process.exitCode = 1;
      return `no: ${String(error).split("\n")[0].slice(0, 160)}`;
    });
    console.log(`| ${name} | ${result} |`);
  }
} finally {
  await browser.close().catch(() => {});
  await server.stop();
  for (const made of [folder, profile]) rmSync(made, { recursive: true, force: true, maxRetries: 5 });
}
