import type { CDPSession, Page } from "@playwright/test";
import { booted, exec, expect, notInFirefox, test } from "./browser.ts";

notInFirefox("no room is made by a limit that only Chromium’s protocol sets and lifts while the page runs");

/** A machine whose browser gives it `quotaSize` bytes; `setQuota` changes that, and lifts it without a number. */
async function openWithQuota(page: Page, baseUrl: string, quotaSize: number) {
  const session: CDPSession = await page.context().newCDPSession(page);
  const { origin } = new URL(baseUrl);
  const setQuota = async (bytes?: number) => {
    await session.send("Storage.overrideQuotaForOrigin", {
      origin,
      ...(bytes !== undefined && { quotaSize: bytes }),
    });
  };
  await setQuota(quotaSize);
  await page.goto("/");
  await booted(page);
  return setQuota;
}

/** Runs a command until it succeeds. */
function eventually(page: Page, command: string) {
  return expect
    .poll(async () => (await page.evaluate(text => window.doorbell?.exec(text), command))?.exitCode, {
      message: command,
      timeout: 60_000,
    })
    .toBe(0);
}

const dirtyBytes = (page: Page) =>
  page.evaluate(async () =>
    ((await window.doorbell?.disks()) ?? []).reduce((sum, disk) => sum + disk.dirtyBytes, 0),
  );

test("no more room: ext4 goes read-only, the page says why; with room again all is saved and a reset goes on", async ({
  persistent,
}) => {
  test.setTimeout(180_000);
  const page = await persistent.open("about:blank");
  const setQuota = await openWithQuota(page, persistent.baseUrl, 100e6);
  const notices = page.locator("#notices");
  await exec(page, "echo flushed > /root/flushed; sync");
  const { output } = await exec(
    page,
    "dd if=/dev/urandom of=/root/big bs=1M count=120 conv=fsync 2>&1; echo status $?",
  );
  expect(output).toMatch(/No space left|Input\/output error|Read-only file system/);
  expect(output).toContain("status 1");
  await expect(notices).toContainText("gives no more room for the system disk", { timeout: 30_000 });
  await eventually(page, "touch /root/more 2>&1 | grep -q 'Read-only file system'");
  const { output: log } = await exec(page, "dmesg");
  expect(log).toMatch(/critical space allocation error|No space/i);
  expect(log).toMatch(/Remounting filesystem read-only|Detected aborted journal/);
  // Linux goes on reading, and what could not be saved is bounded and still there.
  await exec(page, "grep -q flushed /root/flushed");
  expect(await dirtyBytes(page)).toBeGreaterThan(0);

  await setQuota();
  await expect(notices).toContainText("is saved again", { timeout: 30_000 });
  await expect.poll(() => dirtyBytes(page)).toBe(0);
  await page.evaluate(() => window.doorbell?.restart());
  await exec(page, "grep -q flushed /root/flushed && echo on > /root/more && sync");
  await page.evaluate(() => window.doorbell?.restart());
  await exec(page, "grep -q on /root/more");
  const { output: fsck } = await exec(page, "e2fsck -f -n /dev/nvme0n1 2>&1; true");
  expect(fsck).toMatch(/Pass 5/);
});

test("no more room on a raw disk: the write's Flush fails, and discarding blocks makes room without any help", async ({
  persistent,
}) => {
  test.setTimeout(180_000);
  const page = await persistent.open("about:blank");
  await openWithQuota(page, persistent.baseUrl, 100e6);
  const { output } = await exec(
    page,
    "dd if=/dev/urandom of=/dev/nvme0n2 bs=1M count=120 oflag=direct conv=fsync 2>&1; echo status $?",
  );
  expect(output).toMatch(/No space left on device/);
  await expect(page.locator("#notices")).toContainText("gives no more room", { timeout: 30_000 });
  await exec(page, "blkdiscard /dev/nvme0n2");
  await eventually(page, "nvme flush /dev/nvme0n2 -n 2 && nvme flush /dev/nvme0n1 -n 1");
  await expect(page.locator("#notices")).toContainText("is saved again", { timeout: 30_000 });
  await exec(page, "dd if=/dev/urandom of=/dev/nvme0n2 bs=1M count=8 oflag=direct conv=fsync");
});
