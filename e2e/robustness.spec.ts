import { booted, counters, exec, expect, expectCleanKernelLog, test } from "./browser.ts";

test("fifty controller resets under load lose nothing", async ({ persistent }) => {
  test.setTimeout(300_000);
  const page = await persistent.open();
  await booted(page);
  await exec(
    page,
    "fio --name=load --filename=/dev/nvme0n2 --rw=randrw --bs=4k --iodepth=16 --ioengine=libaio --direct=1 --thread " +
      "--size=64m --time_based --runtime=60 --continue_on_error=all >/tmp/fio.log 2>&1 & echo $! >/tmp/fio.pid",
  );
  const { output } = await exec(
    page,
    "for i in $(seq 50); do echo 1 > /sys/class/nvme/nvme0/reset_controller || exit 1; usleep 200000; done; cat /sys/class/nvme/nvme0/state",
  );
  expect(output).toContain("live");
  await exec(page, "kill $(cat /tmp/fio.pid); wait; true");
  await exec(
    page,
    "dd if=/dev/nvme0n1 of=/dev/null bs=1M count=16 iflag=direct && echo works > /root/works && sync",
  );
  const { output: log } = await exec(page, "dmesg");
  expect(log).not.toMatch(/timeout|nobody cared|I\/O error|journal/i);
  expect((await counters(page)).adminCommands).toBeGreaterThan(50 * 5);
});

test("the driver can be taken off the device and put back while I/O is under way", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await exec(
    page,
    "dd if=/dev/nvme0n2 of=/dev/null bs=64k iflag=direct 2>/dev/null & sleep 0.5; sync; " +
      "nvme reset /dev/nvme0; wait; nvme list",
  );
  await expectCleanKernelLogButResets(page);
});

async function expectCleanKernelLogButResets(page: Parameters<typeof exec>[0]): Promise<void> {
  const { output } = await exec(page, "dmesg");
  expect(output).not.toMatch(/timeout|completion polled|I\/O error|nobody cared/i);
}

test("poweroff is shown as such, and a restart brings the machine back", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await exec(page, "echo off > /root/note");
  const answer = page.evaluate(() =>
    window.doorbell?.exec("poweroff; sleep 100").then(
      () => "answered",
      error => String(error),
    ),
  );
  await page.waitForFunction(() => window.doorbell?.state === "stopped", null, { timeout: 30_000 });
  expect(await answer).toMatch(/switched off|ended|answered/);
  const refused = await page.evaluate(() =>
    window.doorbell?.restart().then(() => window.doorbell?.exec("cat /root/note")),
  );
  expect(refused?.output).toBe("off\n");
  await expectCleanKernelLog(page);
});

test("a kernel panic is told, and exec does not hang", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  const answer = await page.evaluate(() =>
    window.doorbell?.exec("echo c > /proc/sysrq-trigger").then(
      () => "answered",
      error => String(error),
    ),
  );
  expect(answer).toContain("panicked");
  await expect(page.getByRole("alert")).toContainText("panicked");
  await page.evaluate(() => window.doorbell?.restart());
  await exec(page, "true");
});

test("restarts that overlap all end at the prompt", async ({ persistent }) => {
  const page = await persistent.open();
  await page.waitForFunction(() => window.doorbell !== undefined);
  const settled = await page.evaluate(async () => {
    const { doorbell } = window;
    if (!doorbell) throw new Error("no handle");
    const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));
    const promises: Promise<unknown>[] = [doorbell.ready, doorbell.restart(), doorbell.restart()];
    await sleep(300);
    promises.push(doorbell.resetDisks("all"));
    await sleep(30);
    promises.push(doorbell.restart());
    await sleep(1200);
    promises.push(doorbell.restart());
    const outcomes = await Promise.allSettled(promises);
    return outcomes.map(({ status }) => status);
  });
  expect(settled).toEqual(Array(6).fill("fulfilled"));
  await exec(page, "echo alive");
  await expectCleanKernelLog(page);
});

test("a command that ends the automation shell is answered, and the next one works", async ({
  persistent,
}) => {
  const page = await persistent.open();
  await booted(page);
  const ended = await page.evaluate(() =>
    window.doorbell?.exec("kill -9 $$").then(
      () => "answered",
      error => String(error),
    ),
  );
  expect(ended).toContain("ended the automation shell");
  const { output } = await exec(page, "printf 'abc\\036de'; echo; echo alive");
  expect(output).toContain("alive");
  await exec(page, "exit 3", 3);
  await exec(page, "true");
  const long = await exec(page, `: ${"x".repeat(60_000)}; echo done`);
  expect(long.output).toBe("done\n");
});
