/** The comparisons that the benchmark is made for. */
import type { ServingMode } from "../machine/api.ts";
import type { Result } from "./definitions/measure.ts";
import { figure } from "./definitions/statistics.ts";
import { label, type SystemName } from "./definitions/systems.ts";
import { thread2015 as thread } from "./definitions/thread.ts";
import { type Column, cell, headLines, line } from "./table.ts";

interface Comparison {
  readonly title: string;
  readonly of: Result | undefined;
  /** The best of these in each column. */
  readonly by: readonly Result[];
}

/** Lines of ratios of medians, a column for each of the rate table. Empty if nothing can be compared. */
export function ratioLines(results: readonly Result[], columns: readonly Column[]): readonly string[] {
  const find = (wanted: Partial<SystemName>) => results.filter(({ system }) => matches(system, wanted));
  const polling = nvmeResult(results, "iothread+poll");
  const against = (title: string, by: readonly Result[]): Comparison => ({ title, of: polling, by });
  const comparisons: readonly Comparison[] = [
    against("÷ virtio-blk iothread+poll", find({ system: "virtio-blk", serving: "iothread+poll" })),
    against("÷ virtio-scsi iothread+poll", find({ system: "virtio-scsi", serving: "iothread+poll" })),
    against("÷ ide (v86's own)", find({ system: "ide" })),
    against("÷ qemu-nvme mmio", find({ system: "qemu-nvme", serving: "mmio" })),
    against(
      "÷ best QEMU row of each column",
      results.filter(({ system }) => system.system.startsWith("qemu-")),
    ),
    // The thread's eventfd was served by the main loop, and so was its virtio.
    {
      title: "nvme mainloop ÷ virtio-blk mainloop",
      of: nvmeResult(results, "mainloop"),
      by: find({ system: "virtio-blk", serving: "mainloop" }),
    },
  ];
  const lines = comparisons.flatMap(({ title, of, by }) => {
    if (!of || by.length === 0) return [];
    const cells = columns.map(column => ratio(of, by, column));
    return cells.every(text => text === "–") ? [] : [line(`  ${title}`, cells)];
  });
  if (lines.length === 0) return [];
  const title = polling ? `Ratios of medians: ${label(polling.system)} …` : "Ratios of medians";
  return [title, headLines(columns)[0], ...lines];
}

function ratio(of: Result, by: readonly Result[], column: Column): string {
  const numerator = cell(of, column);
  const denominators = by.flatMap(result => cell(result, column)?.median ?? []);
  return numerator && denominators.length > 0
    ? (numerator.median / Math.max(...denominators)).toFixed(2)
    : "–";
}

/** Our NVMe with all that it has. */
function nvmeResult(results: readonly Result[], serving: ServingMode): Result | undefined {
  const wanted: SystemName = { system: "nvme", serving, extension: "dbbuf", interrupt: "msix" };
  return results.find(({ system }) => matches(system, wanted));
}

function matches(system: SystemName, wanted: Partial<SystemName>): boolean {
  return (Object.keys(wanted) as (keyof SystemName)[]).every(key => system[key] === wanted[key]);
}

/** The thread's own figures, for reference. */
export function threadLines(results: readonly Result[]): readonly string[] {
  const { nvme, virtioBlk, virtioScsi } = thread;
  const lines = [
    `The 2015 thread (QEMU with KVM, a fast backend): nvme + Google's extension + eventfd ${nvme} MB/s, ` +
      `virtio-blk ${virtioBlk}, virtio-scsi ${virtioScsi};`,
    `  so nvme ÷ virtio-blk ${(nvme / virtioBlk).toFixed(2)}, nvme ÷ virtio-scsi ${(nvme / virtioScsi).toFixed(2)}.`,
  ];
  const polling = nvmeResult(results, "iothread+poll");
  const read = polling && cell(polling, { job: "read-1m", metric: "rate" });
  if (read) {
    lines.push(
      `  Here ${label(read)} reads 1 MiB blocks at ${figure(read.median)} MB/s: ` +
        `${(read.median / virtioBlk).toFixed(2)} × the thread's virtio-blk.`,
    );
  }
  return lines;
}
