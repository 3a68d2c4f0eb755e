import { booted, counters, exec, expect, test } from "./browser.ts";

const SECONDS = 10;
/** What each of the machine's two workers takes at least for the work below. */
const WORKED_MS = 50;

test("busy waiting ends: an idle guest leaves both workers nearly idle", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  // Work that makes both threads poll at their longest.
  const atRest = persistent.cpuTimes();
  await exec(page, "dd if=/dev/zero of=/dev/nvme0n2 bs=4k count=2000 oflag=direct; sync");
  expect((await counters(page)).polls).toBeGreaterThan(0);
  await page.waitForTimeout(5000);
  const before = persistent.cpuTimes();
  await page.waitForTimeout(SECONDS * 1000);
  const workers = [...persistent.cpuTimes()]
    .filter(([thread]) => /DedicatedWorker|DOM Worker/.test(thread))
    // Firefox has workers of its own.
    .filter(([thread]) => (before.get(thread) ?? 0) - (atRest.get(thread) ?? 0) >= WORKED_MS)
    .map(([thread, ms]) => (ms - (before.get(thread) ?? 0)) / (SECONDS * 10))
    .sort((a, b) => a - b);
  console.log(
    `idle guest, ${SECONDS} s: the workers took ${workers.map(percent => `${percent.toFixed(1)} %`).join(" and ")} of a core`,
  );
  expect(workers).toHaveLength(2);
  const [iothread, vcpu] = workers;
  expect(iothread).toBeLessThan(1);
  expect(vcpu).toBeLessThan(5);
});
