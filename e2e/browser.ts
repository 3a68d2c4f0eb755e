import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, test as base, chromium, expect, type Page } from "@playwright/test";
import type { Automation } from "../src/app/automation.ts";
import type { ExecResult } from "../src/machine/api.ts";
import { chromiumLaunch } from "./chromium.ts";

export { expect };

/** A browser with a profile on disk: what a person has, and what can be killed and started again. */
export class PersistentBrowser {
  readonly profile = mkdtempSync(join(tmpdir(), "doorbell-e2e-"));
  readonly baseUrl: string;
  #context: BrowserContext | undefined;

  constructor(baseUrl: string) {
    this.baseUrl = baseUrl;
  }

  /** Opens the page, starting the browser if it does not run. */
  async open(path = "/", viewport = { width: 1280, height: 800 }): Promise<Page> {
    this.#context ??= await chromium.launchPersistentContext(this.profile, {
      ...chromiumLaunch,
      headless: true,
      baseURL: this.baseUrl,
      viewport,
    });
    const page = await this.#context.newPage();
    await page.goto(path);
    return page;
  }

  /** SIGKILL to the whole browser: nothing gets the chance to tidy up. */
  async kill(): Promise<void> {
    const gone = new Promise(resolve => this.#context?.once("close", resolve));
    for (const pid of this.#pids()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Its parent's death was faster.
      }
    }
    await gone;
    this.#context = undefined;
  }

  async close(): Promise<void> {
    await this.#context?.close();
    this.#context = undefined;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** CPU time of each thread of the browser so far, in milliseconds, by "pid/tid name". */
  cpuTimes(): Map<string, number> {
    const ours = new Set(this.#pids());
    const parents = processes().map(pid => [pid, parentOf(pid)] as const);
    // Renderers are grandchildren: until nobody is added.
    for (let before = 0; before < ours.size; ) {
      before = ours.size;
      for (const [pid, parent] of parents) if (ours.has(parent)) ours.add(pid);
    }
    const times = new Map<string, number>();
    for (const pid of ours) {
      for (const tid of readdirSync(`/proc/${pid}/task`)) {
        const { name, fields } = stat(`/proc/${pid}/task/${tid}`);
        // utime and stime, in ticks of 10 ms.
        times.set(`${pid}/${tid} ${name}`, (Number(fields[11]) + Number(fields[12])) * 10);
      }
    }
    return times;
  }

  /** The processes that were started with our profile, by their command line. */
  #pids(): number[] {
    return processes().filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(this.profile);
      } catch {
        return false;
      }
    });
  }
}

const processes = (): number[] =>
  readdirSync("/proc")
    .filter(name => /^\d+$/.test(name))
    .map(Number);

/** Name and the fields behind it of a process's or thread's stat file; empty for one that is gone. */
function stat(path: string): { readonly name: string; readonly fields: readonly string[] } {
  try {
    const text = readFileSync(`${path}/stat`, "utf8");
    const end = text.lastIndexOf(")");
    return { name: text.slice(text.indexOf("(") + 1, end), fields: text.slice(end + 2).split(" ") };
  } catch {
    return { name: "", fields: [] };
  }
}

const parentOf = (pid: number): number => Number(stat(`/proc/${pid}`).fields[1]);

/** `browser` is fresh for each test: an empty profile, so a first visit. */
export const test = base.extend<{ persistent: PersistentBrowser }>({
  persistent: async ({ baseURL }, use) => {
    const browser = new PersistentBrowser(baseURL ?? "");
    await use(browser);
    await browser.close();
  },
});

/** Waits for the shell prompt. */
export async function booted(page: Page): Promise<void> {
  await page.waitForFunction(() => window.doorbell !== undefined);
  await page.evaluate(() => (window.doorbell as Automation).ready);
}

/** Runs a command in the guest; fails the test if its exit code is not the expected one. */
export async function exec(page: Page, command: string, exitCode = 0): Promise<ExecResult> {
  const result = await page.evaluate(text => (window.doorbell as Automation).exec(text), command);
  expect(result.exitCode, `${command}\n${result.output}`).toBe(exitCode);
  return result;
}

export function counters(page: Page) {
  return page.evaluate(() => (window.doorbell as Automation).counters());
}

/** The kernel's log, with what must never be in it checked. */
export async function expectCleanKernelLog(page: Page): Promise<void> {
  const { output } = await exec(page, "dmesg");
  expect(output).toContain("nvme nvme0:");
  expect(output).not.toMatch(/nvme.*(timeout|error|abort|reset|completion polled|failed|invalid)/i);
  expect(output).not.toMatch(/I\/O error|EXT4-fs error|nobody cared|soft lockup|rcu.*stall/i);
}

/** Runs a program that must exist on the machine that runs the tests. */
export function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: "utf8" });
}
