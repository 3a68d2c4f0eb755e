import type { Page } from "@playwright/test";
import { booted, exec, expect, expectCleanKernelLog, notInFirefox, test } from "./browser.ts";

const state = (page: Page) => page.evaluate(() => window.doorbell?.state);

/** How many tabs or workers hold each disk's lock at present. */
const holders = (page: Page) =>
  page.evaluate(async () => {
    const { held = [] } = await navigator.locks.query();
    const disks = held.map(({ name }) => name ?? "").filter(name => name.startsWith("doorbell-disk-"));
    return Object.fromEntries(disks.map(name => [name, disks.filter(other => other === name).length]));
  });

const oneOwner = { "doorbell-disk-system": 1, "doorbell-disk-scratch": 1 };

async function blocked(page: Page): Promise<void> {
  await page.waitForFunction(() => window.doorbell?.state === "blocked", null, { timeout: 30_000 });
}

test("a second tab says who has the disks, works on a copy, and takes over", async ({ persistent }) => {
  test.setTimeout(180_000);
  const first = await persistent.open();
  await booted(first);
  await exec(first, "echo first > /root/owner; sync");

  const second = await persistent.open();
  await blocked(second);
  const panel = second.getByRole("region", { name: "Another tab has this machine’s disks" });
  await expect(panel).toContainText("system, scratch");
  await expect(panel).toContainText(first.url());
  expect(await second.evaluate(() => window.doorbell?.ready.catch(String))).toContain("Another tab");
  expect(await state(first)).toBe("running");
  expect(await holders(second)).toEqual(oneOwner);

  // The copy: as of now, its own from then on.
  await panel.getByRole("button", { name: "Open read-only" }).click();
  await booted(second);
  await expect(panel).toBeHidden();
  await expect(second.locator("#notices")).toContainText("Read-only copy");
  const { output: copied } = await exec(second, "cat /root/owner");
  expect(copied).toBe("first\n");
  await exec(second, "echo copy > /root/owner; echo copy > /root/copy; echo raw > /dev/nvme0n2; sync");
  await expectCleanKernelLog(second);
  await exec(first, "echo more >> /root/owner; sync; test ! -e /root/copy");
  const refused = await second.evaluate(() => window.doorbell?.resetDisks("all").catch(String));
  expect(refused).toContain("copy of the disks");
  expect(await holders(second)).toEqual(oneOwner);

  // Leaving the copy asks first, and then finds the disks in use; from there on by keyboard alone.
  await second.getByRole("button", { name: "Use the disks" }).click();
  await second.getByRole("button", { name: "Drop the copy" }).click();
  await blocked(second);
  await expect(panel.getByRole("button", { name: "Take over" })).toBeFocused();
  await exec(first, "echo unsynced >> /root/owner");
  await second.keyboard.press("Enter");
  await blocked(first);
  await booted(second);
  expect(await holders(second)).toEqual(oneOwner);
  const { output: taken } = await exec(second, "cat /root/owner");
  expect(taken).toBe("first\nmore\nunsynced\n");
  await exec(second, "test ! -e /root/copy; head -c 4 /dev/nvme0n2 | od -An -tx1 | grep -q '00 00 00 00'");
  await expectCleanKernelLog(second);

  // The first tab knows, does nothing any more, and can take it back.
  await expect(first.locator("#notices")).toContainText("taken this machine's disks over");
  expect(await first.evaluate(() => window.doorbell?.exec("true").catch(String))).toContain("taken");
  await exec(second, "echo second >> /root/owner");
  await first.getByRole("button", { name: "Take it back" }).click();
  await blocked(second);
  await booted(first);
  const { output: back } = await exec(first, "cat /root/owner");
  expect(back).toBe("first\nmore\nunsynced\nsecond\n");
  expect(await holders(first)).toEqual(oneOwner);
});

test("the disks of a tab that hangs are taken away from it, and it says so once it goes on", async ({
  persistent,
}) => {
  notInFirefox("all tabs of a site share a process there: where one hangs, so do the others");
  const first = await persistent.open();
  await booted(first);
  await exec(first, "echo kept > /root/owner; sync");
  const hanging = first.evaluate(() => {
    for (const end = performance.now() + 20_000; performance.now() < end; );
  });
  const second = await persistent.open("/?disks=takeover");
  await booted(second);
  const { output } = await exec(second, "cat /root/owner");
  expect(output).toBe("kept\n");
  await exec(second, "echo second > /root/second; sync");
  await hanging;
  await blocked(first);
  await expect(first.locator("#notices")).toContainText("had not answered");
  expect(await holders(second)).toEqual(oneOwner);
  await exec(second, "cat /root/second; e2fsck -f -n /dev/nvme0n1 >/tmp/fsck 2>&1; true");
  await expectCleanKernelLog(second);
});
