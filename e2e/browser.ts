import { execFileSync } from "node:child_process";
import { test as base, expect, type Locator, type Page } from "@playwright/test";
import type { Automation } from "../src/app/automation.ts";
import type { ExecResult } from "../src/machine/api.ts";
import { isFirefox, leaveOut } from "./browser_under_test.ts";
import { PersistentBrowser } from "./persistent_browser.ts";

export { notInFirefox } from "./browser_under_test.ts";
export { expect };

/** `browser` is fresh for each test: an empty profile, so a first visit. */
export const test = base.extend<{ persistent: PersistentBrowser }>({
  persistent: async ({ baseURL }, use) => {
    const browser = new PersistentBrowser(baseURL ?? "");
    await use(browser);
    await browser.close();
  },
});

/** A step of a test that Firefox, or what drives it, cannot take: left out there, with the reason. */
export async function stepNotInFirefox(
  title: string,
  reason: string,
  body: () => Promise<void>,
): Promise<void> {
  if (isFirefox) leaveOut(title, reason);
  else await test.step(title, body);
}

/** Fills in a number; what drives Firefox would add it to the one that is there. */
export async function fillNumber(field: Locator, value: number): Promise<void> {
  await field.fill("");
  await field.fill(String(value));
}

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

/** From here on Linux sends no commands of its own for long: ext4 fills its new inode tables in the background, for minutes. */
export async function quietFileSystem(page: Page): Promise<void> {
  await exec(page, "mount -o remount,noinit_itable / && sync");
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
