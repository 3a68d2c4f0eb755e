import type { Automation } from "../src/app/automation.ts";
import { booted, counters, exec, expect, test } from "./browser.ts";

test("the queue view shows what the controller and the guest know", async ({ persistent }) => {
  // Counters and queues begin together.
  const page = await persistent.open("/?start=boot");
  await booted(page);
  const button = page.getByRole("button", { name: "Views", exact: true });
  await button.click();
  await expect(button).toHaveAttribute("aria-pressed", "true");
  const io = page.getByRole("region", { name: "Queue 1" });
  const admin = page.getByRole("region", { name: "Admin queue" });
  await expect(io).toContainText("1024 entries");
  // The terminal makes room at once: nothing of the panel is beyond the window's edge.
  const right = () => page.locator(".panel").evaluate(panel => panel.getBoundingClientRect().right);
  expect(await right()).toBeLessThanOrEqual(1280);
  await expect(admin).toContainText("32 entries");

  await test.step("counters equal the machine's own once it is idle", async () => {
    await exec(page, "dd if=/dev/nvme0n2 of=/dev/null bs=4k count=700 iflag=direct");
    const figure = (label: string) =>
      page.locator(".doorbells > div", { has: page.getByRole("button", { name: label }) }).locator("dd");
    await expect
      .poll(async () => {
        const { commands, doorbellsRung, doorbellsElided } = await counters(page);
        const texts = [commands, doorbellsRung, doorbellsElided].map(n => n.toLocaleString("en-US"));
        return (
          await Promise.all(["commands", "rung", "elided"].map(l => figure(l).textContent()))
        ).join() === texts.join()
          ? "equal"
          : texts.join();
      })
      .toBe("equal");
  });

  await test.step("the queue has turned by as many entries as commands were completed", async () => {
    const { commands } = await counters(page);
    await expect(io.locator("dd").first()).toHaveText(String(commands % 1024)); // SQ head
    await expect(io.getByRole("img").first()).toHaveAccessibleName(/0 between them/);
  });

  await test.step("entries of the read are there, answered, and decode", async () => {
    const entries = io.getByRole("group", { name: /submission/ }).getByRole("button");
    await expect(entries).toHaveCount(12);
    const details = page.locator(".entry-details");
    // Again if Linux has sent a command of its own in between (ext4 initialises its inode tables).
    await expect(async () => {
      await exec(page, "dd if=/dev/nvme0n2 of=/dev/null bs=64k count=16 skip=3 iflag=direct");
      await expect(entries.last()).toHaveAccessibleName(/Read, answered/, { timeout: 2000 });
      await entries.last().click();
      const start = details.getByRole("row", { name: /Starting LBA/ });
      await expect(start).toContainText(String((18 * 65536) / 512), { timeout: 2000 });
    }).toPass({ timeout: 60_000 });
    await expect(details).toContainText("02h Read");
    await expect(details.getByRole("row", { name: /Logical blocks/ })).toContainText("128");
    await expect(details.locator(".bytes")).toContainText(/^00 {2}02 00/);
    await page.keyboard.press("Escape");
    await expect(details).toBeHidden();
    await expect(entries.last()).toBeFocused();
  });

  await test.step("a label explains itself with its section", async () => {
    await io.getByRole("button", { name: "EventIdx" }).first().focus();
    await expect(page.locator(".explainer")).toContainText("annex B.5");
  });

  await test.step("the border moves by keys, and the size is remembered", async () => {
    const border = page.getByRole("separator", { name: "Size of the panel" });
    const before = Number(await border.getAttribute("aria-valuenow"));
    await border.press("ArrowLeft");
    await expect(border).toHaveAttribute("aria-valuenow", String(before + 4));
    expect(await page.evaluate(() => localStorage.getItem("doorbell-panel"))).toBe(String(before + 4));
  });

  await test.step("a restart shows the new machine's queues", async () => {
    await page.evaluate(() => (window.doorbell as Automation).restart());
    const { commands } = await counters(page);
    await expect.poll(async () => Number(await io.locator("dd").first().textContent())).toBeLessThan(1024);
    expect(commands).toBeLessThan(1024);
  });

  await test.step("closed, it is gone", async () => {
    await page.getByRole("button", { name: "Close the panel" }).click();
    await expect(io).toHaveCount(0);
    await expect(button).toHaveAttribute("aria-pressed", "false");
  });
});
