import type { Page } from "@playwright/test";
import type { Automation } from "../src/app/automation.ts";
import { booted, counters, exec, expect, quietFileSystem, test } from "./browser.ts";

/** Slow motion, single steps and all lessons, in one boot. Linux gives a command 2 s here, in place of 30. */

const READ = "dd if=/dev/nvme0n2 of=/dev/null bs=4k count=1 iflag=direct";
const LESSONS = [
  "What a doorbell is",
  "The phase tag",
  "Shadow doorbells and EventIdx",
  "Polling against sleeping",
  "What a flush costs",
  "A timeout and its recovery",
];

const motion = (page: Page) =>
  page.evaluate(() => {
    const { speed, standsStill } = (window.doorbell as Automation).slowMotion;
    return { speed, standsStill };
  });

test("slow motion, single steps, and all lessons", async ({ persistent }) => {
  const page = await persistent.open(`/?${new URLSearchParams({ kernel: "nvme_core.io_timeout=2" })}`);
  await booted(page);
  await quietFileSystem(page);
  await page.getByRole("button", { name: "Views", exact: true }).click();
  const strip = page.getByRole("region", { name: "Slow motion" });
  const state = strip.getByRole("status");
  const happenings = strip.getByRole("list");
  const io = page.getByRole("region", { name: "Queue 1" });
  const marked = io.locator(".entry.marked");
  await expect(io).toContainText("1024 entries");

  await test.step("paused, the guest stands still, and so does its clock", async () => {
    const before = await exec(page, "cat /proc/uptime");
    await strip.getByRole("button", { name: "Pause" }).click();
    await expect(state).toContainText("stand still");
    await expect(page.locator("#notices")).toContainText("Paused");
    await page.waitForTimeout(4000);
    await strip.getByRole("button", { name: "Go on" }).click();
    const after = await exec(page, "cat /proc/uptime");
    const passed = Number.parseFloat(after.output) - Number.parseFloat(before.output);
    expect(passed).toBeLessThan(3.5);
    await expect(state).toHaveText("Full speed.");
    await expect(page.locator("#notices")).not.toContainText("Paused");
  });

  await test.step("one read by doorbell, fetch and completion, with the keyboard; the driver notices nothing", async () => {
    await exec(page, `sync; ${READ}; sleep 1`);
    const start = await counters(page);
    await page.evaluate(() => (window.doorbell as Automation).slowMotion.pause());
    const done = page.evaluate(command => (window.doorbell as Automation).exec(command), READ);
    const since = async () => {
      const now = await counters(page);
      return {
        doorbells: now.doorbellsRung + now.doorbellsElided - (start.doorbellsRung + start.doorbellsElided),
        commands: now.commands - start.commands,
      };
    };
    const press = async (name: string) => {
      await strip.getByRole("button", { name }).focus();
      await page.keyboard.press("Enter");
      await expect.poll(() => motion(page)).toEqual({ speed: "paused", standsStill: true });
    };
    await press("Doorbell");
    await expect(happenings).toContainText(/3\.1\.24|5\.7/);
    await expect(marked).toHaveAccessibleName(/Read, waits to be fetched/);
    expect(await since()).toEqual({ doorbells: 1, commands: 0 });
    await press("Fetch");
    await expect(happenings).toContainText(/fetched entry \d+ of queue 1: Read/);
    await expect(marked).toHaveAccessibleName(/Read, (fetched|done)/);
    // Longer than Linux would wait, were its clock going.
    await page.waitForTimeout(2500);
    await press("Completion");
    await expect(happenings).toContainText(/wrote entry \d+ of completion queue 1/);
    await expect(marked).toHaveAccessibleName(/phase \d, not yet read by the driver/);
    expect(await since()).toEqual({ doorbells: 1, commands: 1 });
    await strip.getByRole("button", { name: "Go on" }).click();
    expect((await done).exitCode).toBe(0);
    expect((await exec(page, "dmesg")).output).not.toMatch(/timeout, |completion polled/);
  });

  await test.step("slow motion slows guest and controller, and what is typed comes through", async () => {
    const { ms: full } = await exec(page, READ);
    await strip.getByLabel("Speed").selectOption("1/10");
    await expect(state).toContainText("1/10");
    const { ms } = await exec(page, READ);
    for (let i = 0; i < 5; i++) {
      const text = `${i} ${"a line that takes several fillings of the serial port ".repeat(3)}`;
      expect((await exec(page, `echo "${text}"`)).output).toBe(`${text}\n`);
    }
    await strip.getByLabel("Speed").selectOption("full");
    console.log(`a dd of one block: ${full.toFixed(0)} ms, at 1/10 ${ms.toFixed(0)} ms`);
    expect(ms).toBeGreaterThan(3 * full);
  });

  await page.getByRole("tab", { name: "Lessons" }).click();
  const view = page.getByRole("region", { name: "Lessons" });
  for (const title of LESSONS) {
    await test.step(`lesson: ${title}`, async () => {
      await view.getByRole("button", { name: title }).click();
      await expect(view.getByRole("heading", { name: title })).toBeFocused();
      for (;;) {
        await view.locator("button.primary").click();
        const finding = view.getByRole("status");
        await expect(finding).toContainText(/[✓✕]/, { timeout: 60_000 });
        const said = await finding.textContent();
        console.log(`${title}: ${said}`);
        expect(said).toMatch(/^✓/);
        const next = view.getByRole("button", { name: /^(Next|Done)/ });
        const isLast = (await next.textContent())?.startsWith("Done");
        await next.click();
        if (isLast) break;
      }
      await expect(view.locator(".lesson-item", { hasText: title })).toContainText("done");
    });
  }

  await test.step("nothing of them is left", async () => {
    expect((await motion(page)).speed).toBe(1);
    expect(await page.evaluate(() => window.doorbell?.faults.list())).toEqual([]);
    await expect
      .poll(async () => (await exec(page, "cat /sys/block/nvme0n1/queue/io_timeout; ls /root")).output)
      .toMatch(/^2000\n(?![\s\S]*lesson)/);
  });

  await test.step("a lesson that is left in its middle leaves all as it was", async () => {
    await view.getByRole("button", { name: LESSONS[0] }).click();
    await view.locator("button.primary").click();
    await expect(view.getByRole("status")).toContainText("✓");
    expect((await motion(page)).speed).toBe("paused");
    await page.getByRole("button", { name: "Close the panel" }).click();
    expect((await motion(page)).speed).toBe(1);
    await exec(page, "true");
  });

  await test.step("a restart while it stands still starts at full speed", async () => {
    await page.evaluate(() => (window.doorbell as Automation).slowMotion.pause());
    await page.evaluate(() => (window.doorbell as Automation).restart());
    expect((await motion(page)).speed).toBe(1);
  });
});
