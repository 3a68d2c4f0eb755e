import type { Page, Worker } from "@playwright/test";
import { booted, exec, expect, expectCleanKernelLog, test } from "./browser.ts";

/** The page's worker that runs this script; the newest, as one that has just ended may still be listed. */
function workerOf(page: Page, script: "io.worker" | "vcpu.worker"): Worker {
  const worker = page.workers().findLast(candidate => candidate.url().includes(script));
  if (!worker) throw new Error(`no ${script} among the page's workers`);
  return worker;
}

/** The worker ends itself; by a timer, as Firefox ignores a close() that WebDriver calls. Its answer may be lost with it. */
function end(worker: Worker): Promise<void> {
  return worker.evaluate(() => void setTimeout(() => self.close())).catch(() => {});
}

/** A file that is synced, then writes that go on until the machine dies; resolves to how the last command was answered. */
async function writeUntilItDies(page: Page, file: string): Promise<{ ended: Promise<string> }> {
  await exec(page, `echo ${file} > /root/${file} && sync`);
  const ended = page.evaluate(() =>
    (window.doorbell as NonNullable<typeof window.doorbell>)
      .exec("while true; do dd if=/dev/urandom of=/root/noise bs=64k count=16 conv=fsync 2>/dev/null; done")
      .then(
        () => "answered",
        error => String(error),
      ),
  );
  await page.waitForTimeout(500);
  return { ended };
}

/** The page tells of the death, promises settle, and a restart finds what was synced. */
async function expectRestart(page: Page, ended: Promise<string>, file: string, reason: RegExp) {
  expect(await ended).toMatch(reason);
  expect(await page.evaluate(() => window.doorbell?.state)).toBe("failed");
  expect(await page.evaluate(() => window.doorbell?.exec("true").catch(String))).toContain("restart it");
  // Settles, whatever the answer is.
  await page.evaluate(() => window.doorbell?.disks().catch(() => {}));
  const alert = page.getByRole("alert").filter({ hasText: reason });
  await expect(alert).toContainText("what was flushed is safe");
  await alert.getByRole("button", { name: "Restart" }).click();
  await booted(page);
  const { output } = await exec(page, `cat /root/${file}`);
  expect(output).toBe(`${file}\n`);
  await expectCleanKernelLog(page);
}

test("workers that end without a word, and ones that throw, in the middle of writes", async ({
  persistent,
}) => {
  test.setTimeout(240_000);
  const page = await persistent.open();
  await booted(page);

  const one = await writeUntilItDies(page, "io-ended");
  await end(workerOf(page, "io.worker"));
  await expectRestart(page, one.ended, "io-ended", /I\/O worker stopped: the browser ended it/);

  const two = await writeUntilItDies(page, "vcpu-ended");
  await end(workerOf(page, "vcpu.worker"));
  await expectRestart(page, two.ended, "vcpu-ended", /machine worker stopped: the browser ended it/);

  const three = await writeUntilItDies(page, "io-threw");
  await workerOf(page, "io.worker").evaluate(
    () => void setTimeout(() => Promise.reject(new Error("thrown by the test"))),
  );
  await expectRestart(page, three.ended, "io-threw", /I\/O worker stopped: .*thrown by the test/);
  await exec(page, "for file in io-ended vcpu-ended io-threw; do grep -q $file /root/$file || exit 1; done");
});

test("a machine worker that has the disks itself ends during the boot and in the middle of writes", async ({
  persistent,
}) => {
  const page = await persistent.open("/?serving=mmio");
  await booted(page);
  const { ended } = await writeUntilItDies(page, "mmio-ended");
  await end(workerOf(page, "vcpu.worker"));
  await expectRestart(page, ended, "mmio-ended", /machine worker stopped/);
  // During a boot: `ready` settles.
  await page.evaluate(() => void window.doorbell?.restart().catch(() => {}));
  await page.waitForFunction(() => window.doorbell?.bootStages().some(({ stage }) => stage === "kernel"));
  const ready = page.evaluate(() => window.doorbell?.ready.then(() => "ready", String));
  await end(workerOf(page, "vcpu.worker"));
  expect(await ready).toContain("machine worker stopped");
});
