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

/** Reads of the scratch disk, with the commands that each is at least. */
const million: readonly (readonly [what: string, commands: number, script: string])[] = [
  [
    "one at a time: for each the driver decides anew whether a doorbell is due",
    500_000,
    "for i in $(seq 16); do dd if=/dev/nvme0n2 of=/dev/null bs=4k count=31250 iflag=direct || exit 1; done",
  ],
  [
    "in bursts of 256",
    400_000,
    "echo 4 > /sys/block/nvme0n2/queue/max_sectors_kb; " +
      "for i in $(seq 16); do dd if=/dev/nvme0n2 of=/dev/null bs=1M count=98 iflag=direct || exit 1; done",
  ],
  [
    "at random, 32 at once",
    100_000,
    "fio --name=random --filename=/dev/nvme0n2 --rw=randread --bs=4k --iodepth=32 --ioengine=libaio --direct=1 --thread " +
      "--gtod_reduce=1 --norandommap --size=128m --number_ios=100000 --io_size=100g",
  ],
];

test("a million I/Os with shadow doorbells, without a stall", async ({ persistent }) => {
  test.setTimeout(900_000);
  const page = await persistent.open();
  await booted(page);
  let total = 0;
  for (const [what, atLeast, script] of million) {
    const before = await counters(page);
    const { ms } = await exec(page, script);
    const after = await counters(page);
    const grown = (name: keyof typeof after) => after[name] - before[name];
    expect(grown("commands"), what).toBeGreaterThanOrEqual(atLeast);
    expect(after.errors).toBe(0);
    total += grown("commands");
    console.log(
      `${what}: ${grown("commands")} I/Os in ${(ms / 1000).toFixed(1)} s; doorbells: ${grown("doorbellsRung")} rung, ` +
        `${grown("doorbellsElided")} elided; sweeps that saved a doorbell: ${grown("doorbellsSwept")}; ` +
        `${grown("mmioExits")} MMIO exits`,
    );
  }
  expect(total).toBeGreaterThanOrEqual(1_000_000);
  // Linux polls for a completion that it waits for in vain, and says so.
  await expectCleanKernelLog(page);
});
