/**
 * Mixed reads and writes with verification, in every serving mode × extension × interrupt kind: ten minutes each with
 * `npm run soak` (SOAK_SECONDS sets another time, -g picks rows). The test suite gives a few seconds to half of them, in
 * which each two settings still meet.
 */
import { scratchPaths } from "../src/machine/scratch.ts";
import { booted, counters, exec, expect, expectCleanKernelLog, test } from "./browser.ts";

const isSuite = process.env.SOAK_SECONDS === undefined;
const seconds = Number(process.env.SOAK_SECONDS ?? 4);

const rows = ["mmio", "mainloop", "iothread", "iothread+poll"].flatMap(serving =>
  ["off", "dbbuf", "google"].flatMap(shadow =>
    ["intx", "msix"].map(interrupts => ({ scratch: "nvme" as const, serving, shadow, interrupts })),
  ),
);
const peers = (["virtio-blk", "virtio-scsi"] as const).flatMap(scratch =>
  ["intx", "msix"].map(interrupts => ({ scratch, serving: "iothread+poll", shadow: "dbbuf", interrupts })),
);

// Interrupt kinds alternate along modes and extensions.
const inSuite = (_: unknown, i: number) => i % 2 === (i >> 1) % 2;

for (const row of isSuite ? [...rows.filter(inSuite), ...peers.filter(inSuite)] : [...rows, ...peers]) {
  test(`soak: ${Object.values(row).join(" ")}`, async ({ persistent }) => {
    test.setTimeout((seconds * 2 + 90) * 1000);
    const page = await persistent.open(`/?${new URLSearchParams(row)}`);
    await booted(page);
    const before = await counters(page);
    const { output } = await exec(
      page,
      `fio --name=soak --filename=${scratchPaths[row.scratch]} --rw=randrw --bsrange=512-128k --iodepth=32 --ioengine=libaio ` +
        `--direct=1 --thread --size=128m --io_size=100g --time_based --runtime=${seconds} --fsync=256 ` +
        "--verify=crc32c --verify_backlog=256 --verify_fatal=1",
    );
    expect(output).toMatch(/err= 0/);
    const after = await counters(page);
    const grown = (name: keyof typeof after) => after[name] - before[name];
    expect(grown("errors")).toBe(0);
    expect(grown("commands")).toBeGreaterThan(seconds * 10);
    // Linux polls for a completion that it waits for in vain, and says so: none of our doorbells may get lost.
    await expectCleanKernelLog(page);
    console.log(
      `${Object.values(row).join(" ")}: ${grown("commands")} commands in ${seconds} s, ${grown("mmioExits")} MMIO exits, ` +
        `doorbells ${grown("doorbellsRung")} rung, ${grown("doorbellsElided")} elided, ${grown("doorbellsSwept")} swept`,
    );
  });
}
