import { gzipSync } from "node:zlib";
import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { booted, counters, exec, expect, notInFirefox, quietFileSystem, test } from "./browser.ts";
import { isFirefox, leaveOut } from "./browser_under_test.ts";

/** Fails with what is wrong, where, and how to mend it. */
async function expectAccessible(page: Page, what: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}\n  ${target.join(" ")}\n  ${failureSummary}`),
  );
  expect(found, what).toEqual([]);
}

test("axe finds nothing wrong, in light and dark, wide and narrow", async ({ persistent }) => {
  const page = await persistent.open();
  if (isFirefox) leaveOut("the dark scheme", "Firefox’s driver cannot ask for it");
  else await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await booted(page);
  await exec(page, "dd if=/dev/nvme0n2 of=/dev/null bs=64k count=64 iflag=direct");
  const inBothSchemes = async (what: string) => {
    if (isFirefox) return await expectAccessible(page, what);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await expectAccessible(page, `${what}, ${colorScheme}`);
    }
  };
  await inBothSchemes("the terminal");
  await page.getByRole("button", { name: "Views", exact: true }).click();
  const tabs = page.getByRole("tab");
  await expect(tabs.first()).toBeVisible();
  const names = await tabs.allTextContents();
  expect(names.length).toBeGreaterThanOrEqual(3);
  for (const name of names) {
    await page.getByRole("tab", { name, exact: true }).click();
    await exec(page, "dd if=/dev/nvme0n2 of=/dev/null bs=4k count=64 iflag=direct");
    await inBothSchemes(`the tab ${name}`);
  }
  for (const name of [/^Disks/, /^Reset disks/, /What am I/]) {
    await page.getByRole("button", { name }).click();
    await expect(page.getByRole("dialog")).toBeVisible();
    await inBothSchemes(`the dialog ${name}`);
    await page.keyboard.press("Escape");
  }
  await page.setViewportSize({ width: 390, height: 844 });
  for (const name of names) {
    await page.getByRole("tab", { name, exact: true }).click();
    await inBothSchemes(`the tab ${name} on a phone`);
  }
});

test("the page is small, and there at once", async ({ persistent }) => {
  const page = await persistent.open("about:blank");
  const scripts = new Set<string>();
  page.on("request", request => {
    const url = request.url();
    // Workers are not the page: theirs are v86 and the device.
    const isOfPage = url.startsWith(persistent.baseUrl) && !url.includes("worker");
    if (request.resourceType() === "script" && isOfPage) scripts.add(url);
  });
  const paints: number[] = [];
  for (let i = 0; i < 3; i++) {
    await page.goto("/");
    await booted(page);
    paints.push(
      await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime),
    );
  }
  const sizes = new Map<string, number>();
  /** Asked for once more: a page that is left takes the bodies of its responses along. */
  const size = async () => {
    for (const url of scripts) {
      if (!sizes.has(url)) sizes.set(url, gzipSync(await (await page.request.get(url)).body()).length);
    }
    return [...sizes.values()].reduce((sum, each) => sum + each, 0);
  };
  const toTheShell = await size();
  await page.getByRole("button", { name: "Views", exact: true }).click();
  for (const tab of await page.getByRole("tab").all()) await tab.click();
  await page.getByRole("button", { name: /^Disks/ }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
  // The views are fetched when they are wanted.
  await expect.poll(size).toBeGreaterThan(toTheShell + 10_000);
  console.log(
    `first contentful paint ${paints.map(ms => ms.toFixed(0)).join(", ")} ms; JS of the page, gzip: ` +
      `${(toTheShell / 1000).toFixed(1)} KB to the shell, ${((await size()) / 1000).toFixed(1)} KB with each view opened`,
  );
  expect(Math.min(...paints)).toBeLessThan(1000);
  expect(toTheShell).toBeGreaterThan(50_000);
  expect(toTheShell).toBeLessThan(150_000);
  expect(await size()).toBeLessThan(175_000);
});

/** Commands of each dd. */
const COUNT = 10_000;

test("the page stays answerable while dd runs, and each command was announced once", async ({
  persistent,
}) => {
  notInFirefox("Firefox tells a page of no long tasks");
  const page = await persistent.open();
  await booted(page);
  await quietFileSystem(page);
  await page.evaluate(() => {
    const tasks: number[] = [];
    Object.assign(window, { longTasks: tasks });
    new PerformanceObserver(list => {
      for (const { duration } of list.getEntries()) tasks.push(duration);
    }).observe({ type: "longtask" });
  });
  const longTasks = () =>
    page.evaluate(() => (window as unknown as { longTasks: number[] }).longTasks.splice(0));
  const during = async (what: string) => {
    await longTasks();
    const before = await counters(page);
    await exec(page, `dd if=/dev/nvme0n2 of=/dev/null bs=4k count=${COUNT} iflag=direct`);
    const after = await counters(page);
    const tasks = await longTasks();
    console.log(`${what}: tasks over 50 ms while dd ran: ${tasks.map(Math.round).join(", ") || "none"}`);
    // At depth 1 a tail update is one command. A few are counted twice, found while the driver was about to ring; and a
    // few of Linux's own commands may share one.
    const announced = (c: typeof before) => c.doorbellsRung + c.doorbellsElided + c.doorbellsSwept;
    const submitted = (c: typeof before) => c.commands + c.adminCommands;
    const apart = announced(after) - announced(before) - (submitted(after) - submitted(before));
    expect(Math.abs(apart)).toBeLessThan(COUNT / 100);
    return tasks;
  };
  // What else runs on the machine stretches tasks, too: one run of a few must be free of long ones.
  const answerable = async (what: string) => {
    for (let attempt = 1; attempt <= 5; attempt++) if ((await during(what)).length === 0) return;
    throw new Error(`${what}: five runs of dd, each with tasks over 50 ms`);
  };
  await answerable("the terminal alone");
  await page.getByRole("button", { name: "Views", exact: true }).click();
  for (const name of ["Queues", "Timing"]) {
    await page.getByRole("tab", { name, exact: true }).click();
    await page.waitForTimeout(1000);
    await answerable(`with ${name} open`);
  }
});
