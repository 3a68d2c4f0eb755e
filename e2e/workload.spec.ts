import { booted, counters, exec, expect, expectCleanKernelLog, test } from "./browser.ts";

test("fio verifies random writes and reads of 4k to 1M at depth 16 over 256 MiB", async ({ persistent }) => {
  test.setTimeout(300_000);
  const page = await persistent.open();
  await booted(page);
  const { output } = await exec(
    page,
    "fio --name=verify --filename=/dev/nvme0n2 --rw=randwrite --bsrange=4k-1m --iodepth=16 --ioengine=libaio --direct=1 " +
      "--thread --size=256m --verify=crc32c --verify_fatal=1 --do_verify=1",
  );
  expect(output).toMatch(/err= 0/);
  const { output: mixed } = await exec(
    page,
    "fio --name=mixed --filename=/dev/nvme0n2 --rw=randrw --bsrange=4k-1m --iodepth=16 --ioengine=libaio --direct=1 " +
      "--thread --size=256m --io_size=256m --verify=crc32c --verify_fatal=1 --do_verify=1",
  );
  expect(mixed).toMatch(/err= 0/);
  expect((await counters(page)).errors).toBe(0);
  await expectCleanKernelLog(page);
});

test("a million I/Os with shadow doorbells, without a stall", async ({ persistent }) => {
  test.setTimeout(900_000);
  const page = await persistent.open();
  await booted(page);
  const before = await counters(page);
  const { ms } = await exec(
    page,
    "fio --name=million --filename=/dev/nvme0n2 --rw=randread --bs=4k --iodepth=32 --ioengine=libaio --direct=1 --thread " +
      "--gtod_reduce=1 --norandommap --size=128m --number_ios=1000000 --io_size=100g",
  );
  const after = await counters(page);
  const commands = after.commands - before.commands;
  expect(commands).toBeGreaterThanOrEqual(1_000_000);
  expect(after.errors).toBe(0);
  await expectCleanKernelLog(page);
  console.log(
    `${commands} I/Os in ${(ms / 1000).toFixed(1)} s; doorbells: ${after.doorbellsRung - before.doorbellsRung} rung, ` +
      `${after.doorbellsElided - before.doorbellsElided} elided; sweeps that saved a doorbell: ` +
      `${after.doorbellsSwept - before.doorbellsSwept}; ${after.mmioExits - before.mmioExits} MMIO exits`,
  );
});
