import type { Page } from "@playwright/test";
import type { Automation } from "../src/app/automation.ts";
import type { StepName } from "../src/devices/pace.ts";
import { booted, counters, exec, expect, test } from "./browser.ts";

/** Slow motion, single steps and the lessons, in one boot. Linux gives a command 2 s here, in place of 30. */

const READ = "dd if=/dev/nvme0n2 of=/dev/null bs=4k count=1 iflag=direct";

const step = (page: Page, kind: StepName) =>
  page.evaluate(name => (window.doorbell as Automation).slowMotion.step(name), kind);

test("slow motion, single steps, and all lessons", async ({ persistent }) => {
  const page = await persistent.open(`/?${new URLSearchParams({ kernel: "nvme_core.io_timeout=2" })}`);
  await booted(page);

  await test.step("paused, the guest stands still, its clock and its commands too", async () => {
    const before = await exec(page, "cat /proc/uptime");
    await page.evaluate(() => (window.doorbell as Automation).slowMotion.pause());
    await expect.poll(() => page.evaluate(() => window.doorbell?.slowMotion.standsStill)).toBe(true);
    await page.waitForTimeout(4000);
    await page.evaluate(() => (window.doorbell as Automation).slowMotion.resume());
    const after = await exec(page, "cat /proc/uptime");
    const passed = Number.parseFloat(after.output) - Number.parseFloat(before.output);
    console.log(`uptime: ${passed} s passed in 4 s and more`);
    expect(passed).toBeLessThan(3.5);
  });

  await test.step("one read, step by step, and the driver notices nothing", async () => {
    await exec(page, `${READ}; sync`);
    const start = await counters(page);
    await page.evaluate(() => (window.doorbell as Automation).slowMotion.pause());
    const done = page.evaluate(command => (window.doorbell as Automation).exec(command), READ);
    const since = async () => {
      const now = await counters(page);
      return [
        now.doorbellsRung + now.doorbellsElided - start.doorbellsRung - start.doorbellsElided,
        now.commands - start.commands,
        now.interrupts - start.interrupts,
      ];
    };
    for (const kind of ["doorbell", "fetch", "completion"] as const) {
      expect(await step(page, kind)).toBe(true);
      console.log(kind, await since());
      await page.waitForTimeout(1500);
    }
    await page.evaluate(() => (window.doorbell as Automation).slowMotion.resume());
    expect((await done).exitCode).toBe(0);
    expect((await exec(page, "dmesg")).output).not.toMatch(/timeout, |completion polled/);
  });

  await test.step("slow motion", async () => {
    for (const speed of [10, 100] as const) {
      await page.evaluate(n => (window.doorbell as Automation).slowMotion.set(n), speed);
      const { ms } = await exec(page, "true");
      await page.evaluate(() => (window.doorbell as Automation).slowMotion.resume());
      const full = await exec(page, "true");
      console.log(`1/${speed}: ${ms} ms, full ${full.ms}`);
    }
  });
});
