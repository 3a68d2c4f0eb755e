import type { Page } from "@playwright/test";
import type { FaultRule } from "../src/devices/nvme/faults/rules.ts";
import { booted, exec, expect, fillNumber, test } from "./browser.ts";
import { bootIntoRam, runInRam as run } from "./ram_system.ts";

/**
 * Injected faults against Linux: each of them on a read, a write and a flush of the scratch disk, what the driver does
 * about it, and the data afterwards. The system runs in RAM, as its disk hangs on the same controller.
 */

const DISK = "/dev/nvme0n2";
const PCI = "/sys/bus/pci/devices/0000:00:0e.0";
/** Linux gives a command so many seconds; 30 where nothing else is said. */
const TIMEOUT = "nvme_core.io_timeout=2 nvme_core.admin_timeout=3";

const set = (page: Page, ...rules: FaultRule[]) =>
  page.evaluate(list => window.doorbell?.faults.set(list), rules);
const clear = (page: Page) => page.evaluate(() => window.doorbell?.faults.clear());
const firedCounts = (page: Page) =>
  page.evaluate(async () => (await window.doorbell?.faults.list())?.map(({ fired }) => fired));
const kernelLog = async (page: Page) => (await exec(page, "dmesg -c")).output;

/** One page of the disk at a time; /tmp/ref holds what the disk should hold. */
const operations = {
  read: `dd if=${DISK} of=/tmp/got bs=4k count=1 iflag=direct`,
  write: `dd if=/tmp/block of=${DISK} bs=4k count=1 oflag=direct conv=notrunc`,
  flush: `dd if=/tmp/block of=${DISK} bs=4k count=1 conv=fsync,notrunc`,
} as const;
type Kind = keyof typeof operations;
const kinds = Object.keys(operations) as Kind[];

/** The disk's first 256 KiB with random data, and /tmp/ref with the same. */
const fillDisk = (page: Page) =>
  run(
    page,
    `dd if=/dev/urandom of=/tmp/ref bs=4k count=64 && dd if=/tmp/ref of=${DISK} bs=4k oflag=direct conv=fsync`,
  );

/** Fresh data for the next write. */
const newBlock = (page: Page) =>
  run(
    page,
    "dd if=/dev/urandom of=/tmp/block bs=4k count=1; dd if=/tmp/block of=/tmp/ref bs=4k conv=notrunc",
  );
/** Bytes in which the disk's first 256 KiB, read past the page cache, are not what they should be. */
async function wrongBytes(page: Page): Promise<number> {
  return Number(
    await run(page, `dd if=${DISK} bs=4k count=64 iflag=direct 2>/dev/null | cmp -l - /tmp/ref | wc -l`),
  );
}

/** Runs the operation with the rule armed for its kind of command, lifts it, and says how it went. */
async function injure(page: Page, kind: Kind, action: Record<string, unknown>, exitCode = 0) {
  if (kind !== "read") await newBlock(page);
  await kernelLog(page);
  await set(page, { nsid: 2, command: kind, count: 1, ...action } as FaultRule);
  const start = Date.now();
  await run(page, operations[kind], exitCode);
  const ms = Date.now() - start;
  const [fired] = (await firedCounts(page)) ?? [];
  await clear(page);
  const log = await kernelLog(page);
  console.log(`${kind}, ${JSON.stringify(action)}: fired ${fired}, exit ${exitCode}, ${ms} ms\n${log}`);
  return { fired, ms, log };
}

const quiet = /^(?![\s\S]*(nvme|I\/O error|nobody cared))/;

test("each fault on read, write and flush: what Linux does, and the data afterwards", async ({
  persistent,
}) => {
  test.setTimeout(300_000);
  const page = await persistent.open(`/?${new URLSearchParams({ kernel: `rescue ${TIMEOUT}` })}`);
  await bootIntoRam(page);
  await fillDisk(page);

  for (const kind of kinds) {
    await test.step(`delay, ${kind}: it takes so long`, async () => {
      const { fired, ms, log } = await injure(page, kind, { action: "delay", ms: 500 });
      expect(fired).toBe(1);
      expect(ms).toBeGreaterThanOrEqual(500);
      expect(log).toMatch(quiet);
      expect(await wrongBytes(page)).toBe(0);
    });

    await test.step(`stall, ${kind}: it takes so long`, async () => {
      const { fired, ms, log } = await injure(page, kind, { action: "stall", ms: 500 });
      expect(fired).toBe(1);
      expect(ms).toBeGreaterThanOrEqual(500);
      expect(log).toMatch(quiet);
      expect(await wrongBytes(page)).toBe(0);
    });

    await test.step(`fail, ${kind}: tried again`, async () => {
      const { fired, log } = await injure(page, kind, {
        action: "fail",
        sct: 2,
        sc: kind === "read" ? 0x81 : 0x80,
      });
      expect(fired).toBe(1);
      expect(log).toMatch(quiet);
      expect(await wrongBytes(page)).toBe(0);
    });

    await test.step(`fail for good, ${kind}: I/O error`, async () => {
      const { fired, log } = await injure(
        page,
        kind,
        { action: "fail", sct: 2, sc: kind === "read" ? 0x81 : 0x80, dnr: true },
        1,
      );
      expect(fired).toBe(1);
      expect(log).toMatch(/error, dev nvme0n2/);
      if (kind === "write") expect(await wrongBytes(page)).toBeGreaterThan(4000);
      await run(page, operations[kind]);
      expect(await wrongBytes(page)).toBe(0);
    });

    await test.step(`drop, ${kind}: timeout, Abort, reset, tried again`, async () => {
      const { fired, log } = await injure(page, kind, { action: "drop" });
      expect(fired).toBe(1);
      expect(log).toMatch(/timeout, aborting/);
      expect(log).toMatch(/timeout, reset controller/);
      expect(await wrongBytes(page)).toBe(0);
    });

    await test.step(`duplicate, ${kind}: the second completion is refused`, async () => {
      const { fired, log } = await injure(page, kind, { action: "duplicate" });
      expect(fired).toBe(1);
      expect(log).toMatch(/genctr mismatch|invalid id \d+ completed/);
      expect(await wrongBytes(page)).toBe(0);
    });

    await test.step(`interrupt, ${kind}: nothing to see`, async () => {
      const { fired, log } = await injure(page, kind, { action: "interrupt" });
      expect(fired).toBe(1);
      expect(log).toMatch(quiet);
      expect(await wrongBytes(page)).toBe(0);
    });

    await test.step(`fatal, ${kind}: reset, tried again`, async () => {
      const { fired, log } = await injure(page, kind, { action: "fatal" });
      expect(fired).toBe(1);
      expect(log).toMatch(/controller is down; will reset: CSTS=0x3/);
      expect(await wrongBytes(page)).toBe(0);
    });
  }

  await test.step("corrupt, read: wrong once, right the next time", async () => {
    const { fired, log } = await injure(page, "read", { action: "corrupt", bytes: 3 });
    expect(fired).toBe(1);
    expect(log).toMatch(quiet);
    await set(page, { action: "corrupt", bytes: 3, command: "read", nsid: 2, count: 1 });
    expect(await wrongBytes(page)).toBe(3);
    expect(await wrongBytes(page)).toBe(0);
    await clear(page);
  });

  await test.step("corrupt, write: wrong until it is written again", async () => {
    const { fired, log } = await injure(page, "write", { action: "corrupt", bytes: 3 });
    expect(fired).toBe(1);
    expect(log).toMatch(quiet);
    expect(await wrongBytes(page)).toBe(3);
    await run(page, operations.write);
    expect(await wrongBytes(page)).toBe(0);
  });

  await test.step("corrupt, flush: is no rule", async () => {
    await expect(set(page, { action: "corrupt", command: "flush" })).rejects.toThrow(/needs data to corrupt/);
  });

  for (const kind of kinds) {
    await test.step(`remove, ${kind}: the disk is gone, I/O errors; plugged in again, all data is there`, async () => {
      await newBlock(page);
      await kernelLog(page);
      await set(page, { action: "remove", command: kind, nsid: 2, count: 1 });
      await run(page, operations[kind], 1);
      await expect(async () => {
        expect((await exec(page, "cat /proc/partitions")).output).not.toContain("nvme");
      }).toPass({ timeout: 20_000 });
      const log = await kernelLog(page);
      console.log(`${kind}, remove:\n${log}`);
      expect(log).toMatch(/CSTS=0xffffffff/);
      await clear(page);
      await exec(page, `echo 1 > ${PCI}/remove; echo 1 > /sys/bus/pci/rescan`);
      await expect(async () => {
        expect((await exec(page, "cat /proc/partitions")).output).toContain("nvme0n2");
      }).toPass({ timeout: 20_000 });
      await run(page, operations.write);
      expect(await wrongBytes(page)).toBe(0);
    });
  }
});

test("the Faults tab arms a fault, shows what it hits, and goes back to normal", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await page.getByRole("button", { name: "Views", exact: true }).click();
  await page.getByRole("tab", { name: "Faults" }).click();
  const view = page.getByRole("region", { name: "Faults" });
  const banner = page.locator("#notices");
  const read = "dd if=/dev/nvme0n2 of=/dev/null bs=4k count=3 iflag=direct 2>/dev/null";
  const rows = view.locator("table.fired tbody tr");

  await test.step("what cannot be is refused with its reason, and nothing is armed", async () => {
    await fillNumber(view.getByLabel("Milliseconds"), 99_999_999);
    await view.getByRole("button", { name: "Arm", exact: true }).click();
    await expect(view.getByRole("alert").or(view.locator(".error"))).toContainText(/ms|Milliseconds/i);
    expect(await page.evaluate(() => window.doorbell?.faults.list())).toEqual([]);
  });

  await test.step("by keyboard: a delay of reads of the scratch disk", async () => {
    await fillNumber(view.getByLabel("Milliseconds"), 150);
    await view.getByRole("combobox", { name: /^Command/ }).selectOption({ label: "Read" });
    await fillNumber(view.getByLabel("Namespace"), 2);
    await fillNumber(view.getByLabel("At most"), 2);
    await view.getByRole("button", { name: "Arm", exact: true }).focus();
    await page.keyboard.press("Enter");
    await expect(banner).toContainText("broken on purpose");
    const { ms } = await exec(page, read);
    expect(ms).toBeGreaterThanOrEqual(300);
    await expect(view).toContainText("2×");
    await expect(rows).toHaveCount(2);
    await expect(rows.first()).toContainText(/\d\d:\d\d:\d\d\.\d{3}.*delay.*Read, namespace 2, block 8/);
  });

  await test.step("one click, and all is as before", async () => {
    await banner.getByRole("button", { name: "Back to normal" }).click();
    await expect(banner).not.toContainText("broken on purpose");
    expect(await page.evaluate(() => window.doorbell?.faults.list())).toEqual([]);
    await exec(page, read);
    await expect(rows).toHaveCount(2);
  });
});
