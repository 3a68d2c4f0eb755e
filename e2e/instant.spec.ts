import type { Page } from "@playwright/test";
import type { Automation } from "../src/app/automation.ts";
import { booted, counters, exec, expect, expectCleanKernelLog, test } from "./browser.ts";
import { PersistentBrowser } from "./persistent_browser.ts";

const restoredFrom = (page: Page) => page.evaluate(() => (window.doorbell as Automation).restoredFrom);

/** Waits for the prompt; resolves to how long after the navigation it was there, in milliseconds. */
async function prompted(page: Page): Promise<number> {
  await booted(page);
  return await page.evaluate(() => {
    const doorbell = window.doorbell as Automation;
    const [{ startTime }] = performance.getEntriesByType("navigation");
    return Math.max(...doorbell.bootStages().map(({ endMs = 0 }) => endMs)) - startTime;
  });
}

/** What must differ from visitor to visitor. */
async function secrets(page: Page): Promise<string[]> {
  const { output } = await exec(
    page,
    "head -c 32 /dev/urandom | md5sum; cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id",
  );
  return output.trim().split("\n");
}

test("a first visit goes on from the shipped snapshot, and what it writes is there for good", async ({
  persistent,
}) => {
  let page = await persistent.open();
  const ms = await prompted(page);
  console.log(`instant start: prompt ${Math.round(ms)} ms after the start of the machine`);
  expect(await restoredFrom(page)).toBe("shipped");
  const stages = await page.evaluate(() => (window.doorbell as Automation).bootStages());
  expect(stages.map(({ stage }) => stage)).not.toContain("kernel");
  await expect(page.locator("#boot")).toContainText(/Resumed from a snapshot in \d+ ms/);
  await expect(page.locator(".xterm-rows")).toContainText("root@doorbell:~#");
  await expect(page.locator(".xterm-rows")).toContainText("Welcome to Doorbell");
  await expect(page.locator("#notices")).not.toContainText("random numbers");

  const { output: date } = await exec(page, "date +%s");
  expect(Math.abs(Number(date) - Date.now() / 1000)).toBeLessThan(2);
  // Programs that are not in memory, and so wait for the disk to be filled.
  expect((await exec(page, "nvme list")).output).toContain("/dev/nvme0n2");
  expect(
    (await exec(page, "nvme error-log /dev/nvme0 | grep -c 'error_count.*: [1-9]' || true")).output,
  ).toBe("0\n");
  const before = await counters(page);
  await exec(page, "dd if=/dev/zero of=/dev/nvme0n2 bs=64k count=64 oflag=direct && blkdiscard /dev/nvme0n2");
  expect((await counters(page)).commands).toBeGreaterThan(before.commands + 64);
  await page.getByRole("button", { name: "Views", exact: true }).click();
  await expect(page.getByRole("region", { name: "Queue 1" })).toContainText("1024 entries");
  await expectCleanKernelLog(page);

  const drawn = await secrets(page);
  const other = new PersistentBrowser(persistent.baseUrl);
  try {
    const elsewhere = await other.open();
    await booted(elsewhere);
    expect(await restoredFrom(elsewhere)).toBe("shipped");
    const theirs = await secrets(elsewhere);
    for (const [i, value] of drawn.entries()) expect(theirs[i]).not.toBe(value);
  } finally {
    await other.close();
  }

  await exec(page, "dd if=/dev/urandom of=/root/data bs=64k count=32 2>/dev/null && sync");
  const { output: sum } = await exec(page, "sha256sum /root/data");
  await persistent.kill();
  page = await persistent.open();
  await booted(page);
  expect(await restoredFrom(page)).toBeUndefined();
  expect((await exec(page, "sha256sum /root/data")).output).toBe(sum);
  await exec(page, "mount -o remount,ro / && e2fsck -f -n /dev/nvme0n1");
  await expectCleanKernelLog(page);
});

test("killed while the disk is being filled it begins anew; unwritten it goes on again; asked to, it boots", async ({
  persistent,
}) => {
  let page = await persistent.open();
  await booted(page);
  // At once: of the disk there is little or nothing.
  await persistent.kill();
  page = await persistent.open();
  await booted(page);
  expect(await restoredFrom(page)).toBe("shipped");
  await exec(page, "nvme list");
  await persistent.kill();

  page = await persistent.open("about:blank");
  // What the status line says of the machine, and whether the prompt was there then.
  await page.addInitScript(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    new MutationObserver(() => {
      const word = document.querySelector("#status .word")?.textContent ?? "";
      const hasPrompt =
        document.querySelector(".xterm-rows")?.textContent?.includes("root@doorbell") ?? false;
      const now = `${word}${hasPrompt ? ", prompt" : ""}`;
      if (said.at(-1) !== now) said.push(now);
    }).observe(document, { childList: true, subtree: true, characterData: true });
  });
  await page.goto("/");
  const ms = await prompted(page);
  expect(await restoredFrom(page)).toBe("shipped");
  console.log(`instant start, second visit: prompt ${Math.round(ms)} ms after the start of the machine`);
  await expect(page.locator("#status .word").first()).toHaveText("running");
  const said = await page.evaluate(() => (window as unknown as { said: readonly string[] }).said);
  expect(said).toContain("resuming");
  expect(said).not.toContain("booting, prompt");

  await page.getByRole("button", { name: /Resumed from/ }).click();
  await page.getByRole("button", { name: "Boot it instead" }).click();
  await page.waitForURL(/start=boot/);
  await booted(page);
  expect(await restoredFrom(page)).toBeUndefined();
  const stages = await page.evaluate(() => (window.doorbell as Automation).bootStages());
  expect(stages.map(({ stage }) => stage)).toEqual(
    expect.arrayContaining(["firmware", "kernel", "userspace"]),
  );
  await exec(page, "mount -o remount,ro / && e2fsck -f -n /dev/nvme0n1");
  await expectCleanKernelLog(page);
});
