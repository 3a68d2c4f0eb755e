import type { Page } from "@playwright/test";
import type { Automation } from "../src/app/automation.ts";
import { booted, exec, expect, expectCleanKernelLog, notInFirefox, test } from "./browser.ts";
import { isFirefox } from "./browser_under_test.ts";
import type { PersistentBrowser } from "./persistent_browser.ts";

/** 64 MiB of random data through ext4, synced. Returns its sha256 as the guest computed it. */
async function writeAndSync(page: Page): Promise<string> {
  await exec(
    page,
    "dd if=/dev/urandom of=/root/data bs=1M count=64 2>/dev/null && sha256sum /root/data > /root/data.sum",
  );
  const { output } = await exec(page, "sync; cut -c1-64 /root/data.sum");
  return output.trim();
}

async function expectData(page: Page, sha256: string): Promise<void> {
  expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  const { output } = await exec(page, "sha256sum /root/data | cut -c1-64");
  expect(output.trim()).toBe(sha256);
  await expectCleanKernelLog(page);
}

test("what was synced is there after a reload of the page", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  const sha256 = await writeAndSync(page);
  await page.reload();
  await booted(page);
  // To the drive that was a power cut, and its SMART log remembers.
  const { output } = await exec(page, "nvme smart-log /dev/nvme0");
  expect(output).toMatch(/^power_cycles\s*:\s*2$/m);
  expect(output).toMatch(/^unsafe_shutdowns\s*:\s*1$/m);
  await expectData(page, sha256);
});

test("what was synced survives SIGKILL of the browser right after sync returned", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  const sha256 = await writeAndSync(page);
  await persistent.kill();
  const again = await persistent.open();
  await booted(again);
  await expectData(again, sha256);
});

test("data synced in a small write survives SIGKILL many times over", async ({ persistent }) => {
  test.setTimeout(300_000);
  let page = await persistent.open();
  await booted(page);
  for (let round = 1; round <= 4; round++) {
    await exec(page, `echo round ${round} >> /root/rounds; fsync /root/rounds 2>/dev/null || sync`);
    await persistent.kill();
    page = await persistent.open();
    await booted(page);
    const { output } = await exec(page, "cat /root/rounds");
    expect(output.trim().split("\n")).toEqual(Array.from({ length: round }, (_, i) => `round ${i + 1}`));
  }
  // The journal was replayed each time; nothing else was left to repair.
  await exec(page, "e2fsck -f -n /dev/nvme0n1 >/tmp/fsck; grep -q clean /tmp/fsck || true");
  await expectCleanKernelLog(page);
});

test("a hard reset of the guest keeps what was synced, and the disk serves on", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await exec(page, "echo kept > /root/kept; sync");
  await page.evaluate(() => window.doorbell?.restart());
  const { output } = await exec(page, "cat /root/kept");
  expect(output).toBe("kept\n");
  await expectCleanKernelLog(page);
});

test("the guest's own reboot comes back to a prompt", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await exec(page, "echo rebooted > /root/note");
  const { output: before } = await exec(page, "cat /proc/sys/kernel/random/boot_id");
  // The command's answer may or may not come out before the guest goes down.
  await page.evaluate(() => void window.doorbell?.exec("reboot").catch(() => {}));
  await page.waitForFunction(() => window.doorbell?.state === "booting", null, { timeout: 30_000 });
  await booted(page);
  const { output: after } = await exec(page, "cat /proc/sys/kernel/random/boot_id; cat /root/note");
  expect(after).toContain("rebooted");
  expect(after).not.toContain(before.trim());
  await expectCleanKernelLog(page);
});

test("resetting the system disk brings the shipped image back; the scratch disk keeps its data", async ({
  persistent,
}) => {
  const page = await persistent.open();
  await booted(page);
  await exec(page, "echo mine > /root/mine; echo raw > /dev/nvme0n2; sync");
  await page.evaluate(() => window.doorbell?.resetDisks("system"));
  await exec(page, "test ! -e /root/mine");
  const { output } = await exec(page, "head -c 4 /dev/nvme0n2");
  expect(output).toBe("raw\n");
  await page.evaluate(() => window.doorbell?.resetDisks("scratch"));
  const { output: zeroes } = await exec(page, "head -c 4 /dev/nvme0n2 | od -An -tx1");
  expect(zeroes.trim()).toBe("00 00 00 00");
});

test("a disk that does not mount ends in a rescue shell that says so", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await exec(page, "dd if=/dev/zero of=/dev/nvme0n1 bs=1M count=4 oflag=direct conv=fsync 2>/dev/null");
  await page.reload();
  await booted(page);
  expect(await page.evaluate(() => window.doorbell?.rescue)).toBe(true);
  await expect(page.locator(".xterm-rows")).toContainText("does not mount");
  await exec(page, "test -b /dev/nvme0n1");
  await page.evaluate(() => window.doorbell?.resetDisks("system"));
  expect(await page.evaluate(() => window.doorbell?.rescue)).toBe(false);
  await exec(page, "test -x /usr/bin/fio -o -x /bin/fio");
});

/** Pieces of 4 MiB. */
const MOST = 40;
/** Firefox's limit for all sites together, in KiB; a site gets a fifth of it. -1: none but the disk's. */
const FIREFOX_LIMIT = "dom.quotaManager.temporaryStorage.fixedLimit";

/**
 * Room for less than MOST pieces, whatever the rest takes: what the browser tells of that is an estimate. Before the page opens
 * its databases, because Chromium hands out what room it remembers for half a minute.
 */
async function openWithLittleRoom(persistent: PersistentBrowser): Promise<Page> {
  if (isFirefox) {
    persistent.firefoxPreferences = { [FIREFOX_LIMIT]: 500_000 };
    return await persistent.open("about:blank");
  }
  const page = await persistent.open("about:blank");
  const session = await page.context().newCDPSession(page);
  const origin = new URL(persistent.baseUrl).origin;
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 100e6 });
  return page;
}

test("a browser that gives no more room in the middle of writes keeps all that it had acknowledged", async ({
  persistent,
}) => {
  test.setTimeout(240_000);
  let page = await openWithLittleRoom(persistent);
  await page.goto("/");
  await booted(page);
  const { output: sum } = await exec(
    page,
    "dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null && md5sum < /tmp/data",
  );
  let acknowledged = 0;
  for (; acknowledged < MOST; acknowledged++) {
    const { exitCode } = await page.evaluate(
      command => (window.doorbell as Automation).exec(command),
      `dd if=/tmp/data of=/dev/nvme0n2 bs=4M seek=${acknowledged} oflag=direct conv=notrunc,fsync 2>/dev/null`,
    );
    if (exitCode !== 0) break;
  }
  expect(acknowledged).toBeGreaterThan(1);
  expect(acknowledged).toBeLessThan(MOST);
  await persistent.kill();
  persistent.firefoxPreferences = { [FIREFOX_LIMIT]: -1 };
  page = await persistent.open();
  await booted(page);
  for (let i = 0; i < acknowledged; i++) {
    const { output } = await exec(
      page,
      `dd if=/dev/nvme0n2 bs=4M skip=${i} count=1 iflag=direct 2>/dev/null | md5sum`,
    );
    expect(output, `piece ${i} of ${acknowledged}`).toBe(sum);
  }
});

test("a site whose data is cleared under the running machine says so; a restart begins with a new disk", async ({
  persistent,
}) => {
  notInFirefox("only Chromium’s protocol clears the data of a site");
  const page = await persistent.open();
  await booted(page);
  await exec(page, "echo mine > /root/mine; sync");
  const session = await page.context().newCDPSession(page);
  await session.send("Storage.clearDataForOrigin", {
    origin: new URL(persistent.baseUrl).origin,
    storageTypes: "all",
  });
  await exec(page, "dd if=/dev/zero of=/dev/nvme0n2 bs=4k count=1 oflag=direct conv=notrunc,fsync", 1);
  await expect(page.locator("#notices")).toContainText("scratch disk could not be saved", {
    timeout: 30_000,
  });
  await page.evaluate(() => window.doorbell?.restart());
  await exec(page, "test ! -e /root/mine && echo new > /root/mine && sync");
  await exec(
    page,
    "dd if=/dev/zero of=/dev/nvme0n2 bs=4k count=1 oflag=direct conv=notrunc,fsync 2>/dev/null",
  );
  await page.reload();
  await booted(page);
  const { output } = await exec(page, "cat /root/mine");
  expect(output).toBe("new\n");
  await expectCleanKernelLog(page);
});
