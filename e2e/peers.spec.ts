/** The peers that the 2015 thread measured NVMe against, driven by Linux's own drivers, with the same checks as NVMe. */
import type { Page } from "@playwright/test";
import type { Automation } from "../src/app/automation.ts";
import { scratchPaths } from "../src/machine/scratch.ts";
import { booted, counters, exec, expect, expectCleanKernelLog, quietFileSystem, test } from "./browser.ts";

const suspend = (page: Page) => page.evaluate(() => (window.doorbell as Automation).snapshots.suspend());
const restoredFrom = (page: Page) => page.evaluate(() => (window.doorbell as Automation).restoredFrom);

const peers = [
  { scratch: "virtio-blk", serving: "iothread+poll", shadow: "dbbuf", interrupts: "msix" },
  { scratch: "virtio-blk", serving: "mmio", shadow: "off", interrupts: "intx" },
  { scratch: "virtio-blk", serving: "mainloop", shadow: "dbbuf", interrupts: "msix" },
  { scratch: "virtio-scsi", serving: "iothread+poll", shadow: "dbbuf", interrupts: "msix" },
  { scratch: "virtio-scsi", serving: "iothread", shadow: "off", interrupts: "intx" },
  { scratch: "virtio-scsi", serving: "mmio", shadow: "dbbuf", interrupts: "msix" },
] as const;

for (const peer of peers) {
  test(`the scratch disk works with ${Object.values(peer).join(", ")}`, async ({ persistent }) => {
    const page = await persistent.open(`/?${new URLSearchParams(peer)}`);
    await booted(page);
    const device = scratchPaths[peer.scratch];
    const { output: interrupts } = await exec(page, "grep virtio /proc/interrupts");
    expect(interrupts).toContain(peer.interrupts === "msix" ? "PCI-MSI" : "XT-PIC");
    const before = await counters(page);
    const fio = "--ioengine=libaio --direct=1 --thread --verify=crc32c --verify_fatal=1 --do_verify=1";
    const { output } = await exec(
      page,
      `fio --name=verify --filename=${device} --rw=randwrite --bsrange=512-256k --iodepth=16 --size=32m ${fio}`,
    );
    expect(output).toMatch(/err= 0/);
    const { output: mixed } = await exec(
      page,
      `fio --name=mixed --filename=${device} --rw=randrw --bsrange=4k-1m --iodepth=16 --offset=64m --size=64m --io_size=64m ${fio}`,
    );
    expect(mixed).toMatch(/err= 0/);
    const after = await counters(page);
    expect(after.bytesWritten - before.bytesWritten).toBeGreaterThan(48 * 2 ** 20);

    // Flush, discard and write zeroes.
    const { output: zeroed } = await exec(
      page,
      `blkdiscard -o 0 -l 1M ${device} && blkdiscard -z -o 1M -l 1M ${device} && dd if=${device} bs=1M count=2 2>/dev/null | tr -d '\\0' | wc -c`,
    );
    expect(zeroed).toBe("0\n");
    await exec(page, `mkfs.ext4 -q ${device} && mount ${device} /mnt && echo kept > /mnt/kept && sync`);
    const { output: trimmed } = await exec(page, "fstrim -v /mnt");
    expect(trimmed).toContain("trimmed");
    expect((await counters(page)).flushes).toBeGreaterThan(after.flushes);

    // Saved and switched off under load, it goes on in the next visit.
    if (peer.serving.startsWith("iothread") || peer.interrupts === "intx") {
      const load =
        "fio --name=load --filename=/mnt/load --size=8m --rw=randwrite --bs=16k --iodepth=8 --ioengine=libaio --direct=1 --thread=1 --verify=crc32c --verify_fatal=1 --rate_iops=100 --output=/run/load.out";
      await quietFileSystem(page);
      await exec(page, `( ${load}; echo $? > /run/load.status ) </dev/null >/dev/null 2>&1 & sleep 2`);
      await suspend(page);
      await page.goto(`/?${new URLSearchParams(peer)}`);
      await booted(page);
      expect(await restoredFrom(page)).toBe("own");
      await exec(page, "while [ ! -f /run/load.status ]; do sleep 1; done; grep -q '^0$' /run/load.status");
      const [old] = await page.evaluate(() => (window.doorbell as Automation).snapshots.list());
      expect(old.refusal).toContain("has been written to since it was taken");
    }

    // The reset button without an unmount: what was synced is there, and the journal makes the rest good.
    await page.evaluate(() => window.doorbell?.restart());
    const { output: kept } = await exec(page, `mount ${device} /mnt && cat /mnt/kept && umount /mnt`);
    expect(kept).toBe("kept\n");
    await exec(page, `e2fsck -fn ${device}`);
    // Linux asks a SCSI disk for what it does not have when it finds it; nothing may fail after that.
    expect(after.errors).toBe(before.errors);
    await expectCleanKernelLog(page);
  });
}

test("v86's own IDE disk takes the scratch disk's place", async ({ persistent }) => {
  const page = await persistent.open("/?scratch=ide");
  await booted(page);
  const { output } = await exec(
    page,
    "fio --name=verify --filename=/dev/sda --rw=randwrite --bsrange=4k-128k --iodepth=1 --ioengine=psync --direct=1 " +
      "--thread --size=16m --verify=crc32c --verify_fatal=1 --do_verify=1",
  );
  expect(output).toMatch(/err= 0/);
  const disks = await page.evaluate(() => window.doorbell?.disks());
  expect(disks?.map(({ path }) => path)).toEqual(["/dev/nvme0n1"]);
  // It is in memory, and in a snapshot of the machine.
  await quietFileSystem(page);
  await exec(page, "mkfs.ext4 -q -E lazy_itable_init=0 /dev/sda && mount /dev/sda /mnt");
  await exec(page, "dd if=/dev/urandom of=/mnt/data bs=64k count=64 && cd /mnt && md5sum data > /run/sum");
  const { bytes } = await suspend(page);
  expect(bytes).toBeLessThan(64 << 20);
  await page.goto("/?scratch=ide");
  await booted(page);
  expect(await restoredFrom(page)).toBe("own");
  await exec(page, "echo 3 > /proc/sys/vm/drop_caches && cd /mnt && md5sum -c /run/sum && echo more > more");
  await exec(page, "cd / && umount /mnt && e2fsck -fn /dev/sda");
  await expectCleanKernelLog(page);
});
