import type { Page } from "@playwright/test";
import type { Automation } from "../src/app/automation.ts";
import { booted, exec, expect, expectCleanKernelLog, test } from "./browser.ts";

const CHUNK = 256 * 1024;
const MIB = 1 << 20;

/** What the page says that a disk takes, and how many chunks its database really has. */
async function usage(page: Page, disk: "system" | "scratch") {
  const allocated = await page.evaluate(async name => {
    const disks = await (window.doorbell as Automation).disks();
    return disks.find(candidate => candidate.name === name)?.allocatedBytes ?? Number.NaN;
  }, disk);
  const stored = await page.evaluate(
    name =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open(`doorbell-disk-${name}`);
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const db = opening.result;
          const count = db.transaction("chunks").objectStore("chunks").count();
          count.onsuccess = () => {
            db.close();
            resolve(count.result);
          };
          count.onerror = () => reject(count.error);
        };
      }),
    disk,
  );
  return { allocated, stored };
}

test("deallocated blocks give their room back, zeroes take none, and Format NVM deletes everything", async ({
  persistent,
}) => {
  const page = await persistent.open();
  await booted(page);
  const flush = "nvme flush /dev/nvme0n2 -n 2 >/dev/null";

  await exec(page, `dd if=/dev/urandom of=/dev/nvme0n2 bs=1M count=8 oflag=direct 2>/dev/null && ${flush}`);
  expect(await usage(page, "scratch")).toEqual({ allocated: 8 * MIB, stored: (8 * MIB) / CHUNK });

  await exec(page, `blkdiscard -f -o ${MIB} -l ${5 * MIB} /dev/nvme0n2 && ${flush}`);
  expect(await usage(page, "scratch")).toEqual({ allocated: 3 * MIB, stored: (3 * MIB) / CHUNK });
  const { output: zeroes } = await exec(
    page,
    "dd if=/dev/nvme0n2 bs=1M skip=1 count=5 iflag=direct 2>/dev/null | tr -d '\\0' | wc -c",
  );
  expect(zeroes.trim()).toBe("0");

  // Write Zeroes: over data it gives the room back, elsewhere it takes none.
  await exec(page, `blkdiscard -f -z -o 0 -l ${MIB} /dev/nvme0n2 && ${flush}`);
  await exec(page, `blkdiscard -f -z -o ${100 * MIB} -l ${64 * MIB} /dev/nvme0n2 && ${flush}`);
  expect(await usage(page, "scratch")).toEqual({ allocated: 2 * MIB, stored: (2 * MIB) / CHUNK });
  const { output: used } = await exec(page, "nvme id-ns /dev/nvme0n2 | grep -w nuse");
  expect(Number(used.split(":")[1])).toBe((2 * MIB) / 512);

  await exec(page, "nvme format /dev/nvme0n2 --ses=1 --force >/dev/null");
  expect(await usage(page, "scratch")).toEqual({ allocated: 0, stored: 0 });
  const { output: rest } = await exec(
    page,
    "dd if=/dev/nvme0n2 bs=1M count=8 iflag=direct 2>/dev/null | tr -d '\\0' | wc -c",
  );
  expect(rest.trim()).toBe("0");
  await exec(page, "echo again > /dev/nvme0n2 && sync && head -c 5 /dev/nvme0n2 | grep -q again");
  await expectCleanKernelLog(page);
});

test("what is deleted on ext4 and trimmed gives its room back", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await exec(page, "dd if=/dev/urandom of=/root/big bs=1M count=24 2>/dev/null && sync");
  const full = await usage(page, "system");
  await exec(page, "rm /root/big && sync && fstrim / && sync");
  const trimmed = await usage(page, "system");
  expect(full.allocated - trimmed.allocated).toBeGreaterThan(20 * MIB);
  expect(full.stored - trimmed.stored).toBeGreaterThan((20 * MIB) / CHUNK);
  await exec(page, "mount -o remount,ro / && e2fsck -fn /dev/nvme0n1");
  await expectCleanKernelLog(page);
});
