/** All that the benchmark prints but its progress. */
import { cpus, loadavg } from "node:os";
import type { Plan, Result } from "./definitions/measure.ts";
import { driveFolder } from "./qemu_guest.ts";
import { ratioLines, threadLines } from "./ratios.ts";
import { costColumns, rateColumns, tableLines } from "./table.ts";

/** What is measured, and under which conditions. */
export function headLines(
  { warmUpMs, uncounted, runs, timedRuns }: Plan,
  qemu: string | undefined,
): readonly string[] {
  return [
    `${cpus().length} × ${cpus()[0].model}; load before the start ${loadavg()[0].toFixed(2)}`,
    `Each row: a fresh boot, all jobs in turn for ${warmUpMs / 1000} s to warm up; then, of each job, ${uncounted} + ${runs} runs, ` +
      `of which ${runs} count; then ${timedRuns} with the time of register accesses taken.`,
    "All data is in memory: the page's in its block cache (writes go on to IndexedDB), that of v86's IDE disk in RAM,",
    qemu === undefined
      ? "and QEMU is not installed (qemu-system-i386): its rows are left out."
      : `and QEMU's in the page cache (QEMU ${qemu}, TCG, cache=writeback, files in ${driveFolder()}).`,
  ];
}

const costTitle =
  "What one I/O costs: the guest's register accesses (exits), interrupts, the iothread's wake-ups, vCPU time in exits";

const quickNote = "A full run warms up for longer, and its rates in the page are higher. QEMU's are not.";

/** All tables. */
export function resultLines(results: readonly Result[], quick: boolean): readonly string[] {
  const rates = rateColumns(results);
  const costs = costColumns(results);
  const ratios = ratioLines(results, rates);
  return [
    "",
    "Rates: median, and how far the farthest run was from it. dd (O_DIRECT) and fio's random reads",
    ...tableLines(results, rates),
    ...(costs.length > 0 ? ["", costTitle, ...tableLines(results, costs)] : []),
    ...(ratios.length > 0 ? ["", ...ratios] : []),
    "",
    ...threadLines(results),
    "",
    ...(quick ? [quickNote] : []),
    ...notes(results),
  ];
}

/** What must be known to read the table right, as far as it has such rows. */
function notes(results: readonly Result[]): readonly string[] {
  const has = (test: (system: Result["system"]) => boolean) => results.some(({ system }) => test(system));
  return [
    ...(has(({ extension }) => extension === "google")
      ? [
          "google: today's Linux speaks only the standardised extension, so this is nvme without shadow doorbells.",
        ]
      : []),
    ...(has(({ system }) => system === "qemu-nvme")
      ? [
          "qemu-nvme mmio: ioeventfd=off, the doorbell's write is trapped in the vCPU thread; QEMU's main loop does the I/O in both.",
        ]
      : []),
    ...(has(({ system }) => system === "ide") ? ["ide: not ours, so nothing counts its exits."] : []),
    `Load at the end ${loadavg()[0].toFixed(2)}; on a busy machine all of this is slower, and the polling rows most of all.`,
  ];
}
