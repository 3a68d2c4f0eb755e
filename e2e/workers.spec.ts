import type { Page } from "@playwright/test";
import { booted, exec, expect, expectCleanKernelLog, stepNotInFirefox, test } from "./browser.ts";
import type { PersistentBrowser } from "./persistent_browser.ts";

/** What the page calls its workers. */
type WorkerName = "iothread" | "vcpu";

/** Opens the page so that the test can reach the workers that it makes. */
async function open(browser: PersistentBrowser, path: string): Promise<Page> {
  const page = await browser.open("about:blank");
  await page.addInitScript(() => {
    const made: [string | undefined, Worker][] = [];
    window.Worker = class extends Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        made.push([options?.name, this]);
      }
    };
    Object.assign(window, { made });
  });
  await page.goto(path);
  await booted(page);
  return page;
}

/** Ends the newest worker of this name without a word to the page, as a browser may that wants for memory. */
function end(page: Page, name: WorkerName): Promise<void> {
  return page.evaluate(name => {
    const { made } = window as unknown as { made: [string | undefined, Worker][] };
    made.findLast(([each]) => each === name)?.[1].terminate();
  }, name);
}

/** Has the page's worker throw where nobody catches it. */
async function throwIn(page: Page, script: string): Promise<void> {
  const worker = page.workers().findLast(candidate => candidate.url().includes(script));
  if (!worker) throw new Error(`no ${script} among the page's workers`);
  // The page ends it at once, and the answer may be lost with it.
  await worker
    .evaluate(() => void setTimeout(() => Promise.reject(new Error("thrown by the test"))))
    .catch(() => {});
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
  const page = await open(persistent, "/");

  const one = await writeUntilItDies(page, "io-ended");
  await end(page, "iothread");
  await expectRestart(page, one.ended, "io-ended", /I\/O worker stopped: the browser ended it/);

  const two = await writeUntilItDies(page, "vcpu-ended");
  await end(page, "vcpu");
  await expectRestart(page, two.ended, "vcpu-ended", /machine worker stopped: the browser ended it/);

  await stepNotInFirefox(
    "a worker throws",
    "what WebDriver has a worker throw does not reach the page",
    async () => {
      const three = await writeUntilItDies(page, "io-threw");
      await throwIn(page, "io.worker");
      await expectRestart(page, three.ended, "io-threw", /I\/O worker stopped: .*thrown by the test/);
    },
  );
  await exec(page, "for file in io-ended vcpu-ended; do grep -q $file /root/$file || exit 1; done");
});

test("a machine worker that has the disks itself ends during the boot and in the middle of writes", async ({
  persistent,
}) => {
  const page = await open(persistent, "/?serving=mmio");
  const { ended } = await writeUntilItDies(page, "mmio-ended");
  await end(page, "vcpu");
  await expectRestart(page, ended, "mmio-ended", /machine worker stopped/);
  // During a boot: `ready` settles.
  await page.evaluate(() => void window.doorbell?.restart().catch(() => {}));
  await page.waitForFunction(() => window.doorbell?.bootStages().some(({ stage }) => stage === "kernel"));
  const ready = page.evaluate(() => window.doorbell?.ready.then(() => "ready", String));
  await end(page, "vcpu");
  expect(await ready).toContain("machine worker stopped");
});
