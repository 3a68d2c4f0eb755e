import type { Page } from "@playwright/test";
import type { Automation } from "../src/app/automation.ts";
import { booted, exec, expect, expectCleanKernelLog, quietFileSystem, test } from "./browser.ts";

const restored = (page: Page) => page.evaluate(() => (window.doorbell as Automation).restored);
const list = (page: Page) => page.evaluate(() => (window.doorbell as Automation).snapshots.list());
const commands = (page: Page) => page.evaluate(() => (window.doorbell as Automation).counters().commands);

/** The guest's clock, in seconds, is right. */
async function expectTime(page: Page): Promise<void> {
  const { output } = await exec(page, "date +%s");
  expect(Math.abs(Number(output) - Date.now() / 1000)).toBeLessThan(10);
}

test("a machine that is switched off under load with a snapshot goes on in the next visit; one whose disk has moved on is refused", async ({
  persistent,
}) => {
  let page = await persistent.open("/?start=boot");
  await booted(page);
  await exec(page, "mkfs.ext4 -q -E lazy_itable_init=0 /dev/nvme0n2 && mount /dev/nvme0n2 /mnt");
  await quietFileSystem(page);
  await exec(page, "echo in memory only > /run/note; sleep 1000 & echo $! > /run/pid");

  // Random writes whose checksums only the fio of this boot knows.
  const fio =
    "fio --name=verify --filename=/mnt/data --size=24m --rw=randwrite --bs=16k --iodepth=8 --ioengine=libaio --direct=1 --thread=1 --verify=crc32c --verify_fatal=1 --rate_iops=100 --output=/run/fio.out";
  await exec(page, `( ${fio}; echo $? > /run/fio.status ) </dev/null >/dev/null 2>&1 & sleep 1`);
  const before = await commands(page);
  await expect
    .poll(() => commands(page))
    .toBeGreaterThan(before + 100)
    .catch(async () => expect((await exec(page, "cat /run/fio.out /run/fio.status")).output).toBe(""));
  const taken = await page.evaluate(() => (window.doorbell as Automation).snapshots.suspend());
  expect(taken.bytes).toBeGreaterThan(1 << 20);
  expect(await page.evaluate(() => window.doorbell?.state)).toBe("stopped");

  // The browser ends with it.
  await persistent.kill();
  page = await persistent.open("about:blank");
  const said: string[] = [];
  page.on("console", message => said.push(message.text()));
  await page.goto("/");
  await booted(page);
  expect(await restored(page), said.join("\n")).toBe(true);
  expect(await page.evaluate(() => window.doorbell?.bootStages().map(({ stage }) => stage))).not.toContain(
    "kernel",
  );
  await expectTime(page);
  await expect(page.locator("#boot")).toContainText("Restored from a snapshot");
  await expect(page.locator("#notices")).not.toContainText("random numbers");
  expect((await exec(page, "cat /run/note; kill $(cat /run/pid)")).output).toContain("in memory only");
  await exec(
    page,
    "while [ ! -f /run/fio.status ]; do sleep 1; done; cat /run/fio.out; grep -q '^0$' /run/fio.status",
  );
  expect((await exec(page, "cat /run/fio.out")).output).toMatch(/err= 0/);
  await exec(page, "umount /mnt && e2fsck -f -n /dev/nvme0n2");

  // The one that was gone on from is of the past now, and so is the next, once something is written.
  const [old] = await list(page);
  expect(old.refusal).toContain("has been written to since it was taken");
  await quietFileSystem(page);
  const fresh = await page.evaluate(() => (window.doorbell as Automation).snapshots.take());
  await expectTime(page);
  await page.evaluate(id => (window.doorbell as Automation).snapshots.restore(id), fresh.id);
  await booted(page);
  expect(await restored(page)).toBe(true);
  await exec(page, "echo newer > /root/newer; sync");
  const refused = await page.evaluate(
    id =>
      (window.doorbell as Automation).snapshots.restore(id).then(
        () => "",
        (error: Error) => error.message,
      ),
    fresh.id,
  );
  expect(refused).toContain("disk “system” has been written to since it was taken");
  // What runs goes on, and nothing is lost.
  expect((await exec(page, "cat /root/newer")).output).toBe("newer\n");

  // A damaged file, and one that is none, are refused.
  const refusals = await page.evaluate(async id => {
    const { snapshots } = window.doorbell as Automation;
    const bytes = new Uint8Array(await (await snapshots.save(id)).arrayBuffer());
    bytes[20] = 0;
    const refusalOf = (file: Blob) =>
      snapshots.add(file).then(
        () => "",
        (error: Error) => error.message,
      );
    return [
      await refusalOf(new Blob(["no snapshot at all, but a text"])),
      await refusalOf(new Blob([bytes])),
    ];
  }, fresh.id);
  expect(refusals[0]).toBe("This file is no snapshot of a Doorbell machine.");
  expect(refusals[1]).toContain("The snapshot is damaged");

  // Asked to boot, the next visit boots; so it does where the snapshot does not fit any more.
  await page.goto("/?start=boot");
  await booted(page);
  expect(await restored(page)).toBe(false);
  expect((await exec(page, "cat /root/newer")).output).toBe("newer\n");
  await exec(page, "mount -o remount,ro / && e2fsck -f -n /dev/nvme0n1");
  await expectCleanKernelLog(page);
});

test("a machine goes on in another serving mode, by messages and by the pin", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  await exec(page, "echo msix > /run/note; echo kept > /root/kept; sync");
  // A disk that is kept in files.
  await page.evaluate(async () => {
    const { catalogue } = window.doorbell as Automation;
    await catalogue.create({ name: "in files", capacityBytes: 32 << 20, kind: "opfs" });
    await catalogue.attach("in files");
  });
  await exec(page, "mkfs.ext4 -q -E lazy_itable_init=0 /dev/nvme0n3 && mount /dev/nvme0n3 /mnt");
  const suspend = () => page.evaluate(() => (window.doorbell as Automation).snapshots.suspend());
  const goOn = async (query: string, note: string) => {
    await suspend();
    await page.goto(query);
    await booted(page);
    expect(await page.evaluate(() => (window.doorbell as Automation).restoredFrom)).toBe("own");
    expect((await exec(page, "cat /run/note")).output).toBe(`${note}\n`);
    // Past the page cache: the queues work.
    await exec(page, "dd if=/dev/nvme0n1 of=/dev/null bs=64k count=64 iflag=direct");
    await exec(page, "dd if=/dev/zero of=/dev/nvme0n2 bs=64k count=16 oflag=direct && sync");
    expect((await exec(page, "cat /root/kept")).output).toBe("kept\n");
    await expectTime(page);
  };
  // Switched on in the same visit.
  await suspend();
  await page.evaluate(() => (window.doorbell as Automation).start("own"));
  expect(await page.evaluate(() => (window.doorbell as Automation).restoredFrom)).toBe("own");
  expect((await exec(page, "cat /run/note")).output).toBe("msix\n");
  await goOn("/?serving=mmio", "msix");
  await goOn("/?serving=mainloop", "msix");
  await exec(page, "echo in files > /mnt/file; sync");
  await goOn("/?serving=iothread", "msix");
  await quietFileSystem(page);
  const { id } = await page.evaluate(() => (window.doorbell as Automation).snapshots.take());
  await exec(page, "echo newer > /mnt/file; sync /mnt/file");
  const said = await page.evaluate(
    id =>
      (window.doorbell as Automation).snapshots.restore(id).then(
        () => "",
        (error: Error) => error.message,
      ),
    id,
  );
  expect(said).toContain("disk “in files” has been written to since it was taken");
  await exec(page, "grep -q newer /mnt/file && umount /mnt && e2fsck -fn /dev/nvme0n3");
  await expectCleanKernelLog(page);
  await page.evaluate(() => (window.doorbell as Automation).catalogue.detach("in files"));

  await page.goto("/?interrupts=intx&serving=mainloop&start=boot");
  await booted(page);
  await exec(page, "echo intx > /run/note");
  await goOn("/?interrupts=intx&serving=mmio", "intx");
  await goOn("/?interrupts=intx", "intx");
  await expectCleanKernelLog(page);
});
