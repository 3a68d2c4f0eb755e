import type { Automation } from "../src/app/automation.ts";
import { booted, counters, exec, expect, expectCleanKernelLog, test } from "./browser.ts";

/** Each serving mode, with both extensions and both interrupt kinds spread over them. */
const modes = [
  { serving: "mmio", shadow: "dbbuf", interrupts: "msix" },
  { serving: "mainloop", shadow: "dbbuf", interrupts: "intx" },
  { serving: "iothread", shadow: "dbbuf", interrupts: "msix" },
  { serving: "iothread+poll", shadow: "off", interrupts: "msix" },
  { serving: "iothread+poll", shadow: "dbbuf", interrupts: "intx" },
  { serving: "mmio", shadow: "off", interrupts: "intx" },
] as const;

for (const mode of modes) {
  test(`data is right and survives a reset with ${Object.values(mode).join(", ")}`, async ({
    persistent,
  }) => {
    const page = await persistent.open(`/?${new URLSearchParams(mode)}`);
    await booted(page);
    const { output: interrupts } = await exec(page, "grep nvme /proc/interrupts");
    expect(interrupts).toContain(mode.interrupts === "msix" ? "PCI-MSI" : "XT-PIC");
    const { output: oacs } = await exec(page, "nvme id-ctrl /dev/nvme0 | grep ^oacs");
    // Bit 8: Doorbell Buffer Config.
    expect((Number(/0x\w+/.exec(oacs)?.[0]) >> 8) & 1).toBe(mode.shadow === "dbbuf" ? 1 : 0);
    const { output } = await exec(
      page,
      "fio --name=verify --filename=/dev/nvme0n2 --rw=randwrite --bsrange=512-256k --iodepth=16 --ioengine=libaio --direct=1 " +
        "--thread --size=32m --verify=crc32c --verify_fatal=1 --do_verify=1",
    );
    expect(output).toMatch(/err= 0/);
    await exec(page, "echo kept > /root/kept; sync");
    await page.evaluate(() => window.doorbell?.restart());
    const { output: kept } = await exec(page, "cat /root/kept");
    expect(kept).toBe("kept\n");
    const { errors, iothreadWakeups, polls } = await counters(page);
    expect(errors).toBe(0);
    // An iothread serves where one was asked for, and busy-waits only where that was asked for.
    expect(iothreadWakeups > 0).toBe(mode.serving.startsWith("iothread"));
    expect(polls > 0).toBe(mode.serving === "iothread+poll");
    // One read, step by step.
    const steps = await page.evaluate(async () => {
      const { exec: run, slowMotion } = window.doorbell as Automation;
      slowMotion.pause();
      const read = run("dd if=/dev/nvme0n2 of=/dev/null bs=4k count=1 iflag=direct");
      const happened = [];
      for (const kind of ["doorbell", "fetch", "completion"] as const) {
        happened.push(await slowMotion.step(kind));
      }
      slowMotion.resume();
      return [...happened, (await read).exitCode];
    });
    expect(steps).toEqual([true, true, true, 0]);
    await expectCleanKernelLog(page);
  });
}

test("interrupt coalescing, set from the guest, saves interrupts", async ({ persistent }) => {
  const page = await persistent.open();
  await booted(page);
  const perIo = async () => {
    const before = await counters(page);
    await exec(
      page,
      "fio --name=j --filename=/dev/nvme0n2 --rw=randread --bs=4k --iodepth=32 --ioengine=libaio --direct=1 --thread " +
        "--gtod_reduce=1 --norandommap --size=64m --number_ios=20000 --io_size=1g",
    );
    const after = await counters(page);
    return (after.interrupts - before.interrupts) / (after.commands - before.commands);
  };
  const plain = await perIo();
  // Up to 16 entries or 2 ms.
  await exec(page, "nvme set-feature /dev/nvme0 -f 8 -v 0x140f");
  const { output } = await exec(page, "nvme get-feature /dev/nvme0 -f 8");
  expect(output).toContain("0x0000140f");
  const coalesced = await perIo();
  expect(coalesced).toBeLessThan(0.09);
  expect(coalesced).toBeLessThan(plain);
  // One I/O at a time still goes on: nothing that a halted guest waits for is held back.
  const { ms } = await exec(page, "dd if=/dev/nvme0n2 of=/dev/null bs=4k count=1000 iflag=direct");
  expect(ms).toBeLessThan(20_000);
  await expectCleanKernelLog(page);
  console.log(`interrupts per I/O at depth 32: ${plain.toFixed(3)}, ${coalesced.toFixed(3)} with coalescing`);
});

test("Google's extension is there under its opcode and vendor, and refuses what the extension refuses", async ({
  persistent,
}) => {
  const page = await persistent.open("/?shadow=google");
  await booted(page);
  const { output: vendor } = await exec(page, "cat /sys/class/nvme/nvme0/device/vendor");
  expect(vendor).toBe("0x1ae0\n");
  const { output: oacs } = await exec(page, "nvme id-ctrl /dev/nvme0 | grep ^oacs");
  expect((Number(/0x\w+/.exec(oacs)?.[0]) >> 8) & 1).toBe(0);
  // Null pages: vendor status 1C0h, Do Not Retry. The standard command is not there.
  const { output } = await exec(page, "nvme admin-passthru /dev/nvme0 --opcode=0xc0 2>&1; true");
  expect(output).toMatch(/0x41c0/i);
  const { output: standard } = await exec(page, "nvme admin-passthru /dev/nvme0 --opcode=0x7c 2>&1; true");
  expect(standard).toMatch(/Invalid Command Opcode|0x4001/i);
  // Linux of today does not speak it: each command rings.
  const before = await counters(page);
  await exec(page, "dd if=/dev/nvme0n2 of=/dev/null bs=4k count=500 iflag=direct");
  const after = await counters(page);
  expect(after.doorbellsRung - before.doorbellsRung).toBeGreaterThanOrEqual(500);
  expect(after.doorbellsElided).toBe(0);
});
