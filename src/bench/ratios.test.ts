import { describe, expect, it } from "vitest";
import { makeRow, type Result } from "./definitions/measure.ts";
import { defaultSystem, label, systems } from "./definitions/systems.ts";
import { ratioLines, threadLines } from "./ratios.ts";
import { rateColumns } from "./table.ts";

/** A result of the system with that label. */
function result(name: string, read1m: number, read4k: number): Result {
  const system = systems.find(candidate => label(candidate) === name);
  if (!system) throw new Error(`no system ${name}`);
  return {
    system,
    rows: [
      makeRow(system, "read-1m", "rate", "MB/s", [read1m]),
      makeRow(system, "read-4k", "rate", "IOPS", [read4k]),
    ],
  };
}

const nvme = result(label(defaultSystem), 900, 20_000);
const lines = (...results: readonly Result[]) => ratioLines(results, rateColumns(results));

describe("ratios", () => {
  it("are of the default's medians to the others', column by column", () => {
    const text = lines(nvme, result("virtio-blk iothread+poll none msix", 600, 25_000)).join("\n");
    expect(text).toContain(`${label(defaultSystem)} …`);
    expect(text).toMatch(/÷ virtio-blk iothread\+poll +1\.50 +0\.80/);
    expect(text).not.toContain("qemu");
  });

  it("are to the best of QEMU's rows in each column, too", () => {
    const text = lines(
      nvme,
      result("qemu-nvme mmio dbbuf msix", 1800, 10_000),
      result("qemu-virtio-blk iothread+poll none msix", 900, 40_000),
    ).join("\n");
    expect(text).toMatch(/÷ qemu-nvme mmio +0\.50 +2\.00/);
    expect(text).toMatch(/÷ best QEMU row of each column +0\.50 +0\.50/);
  });

  it("repeat the thread's comparison where both were served by the main loop", () => {
    const text = lines(
      result("nvme mainloop dbbuf msix", 300, 3000),
      result("virtio-blk mainloop none msix", 400, 3000),
    ).join("\n");
    expect(text).toMatch(/nvme mainloop ÷ virtio-blk mainloop +0\.75 +1\.00/);
  });

  it("are left out where one side is missing", () => {
    expect(lines(nvme)).toEqual([]);
    expect(lines({ ...nvme, rows: [] }, result("ide mmio none intx", 1, 1))).toEqual([]);
  });
});

describe("the thread's figures", () => {
  it("stand beside ours", () => {
    const text = threadLines([nvme]).join("\n");
    expect(text).toContain("294 MB/s, virtio-blk 344, virtio-scsi 296");
    expect(text).toContain("nvme ÷ virtio-blk 0.85, nvme ÷ virtio-scsi 0.99");
    expect(text).toContain("900 MB/s: 2.62 ×");
  });

  it("stand alone without any of ours", () => {
    expect(threadLines([]).join("\n")).not.toContain("Here");
    expect(threadLines([result("ide mmio none intx", 1, 1)]).join("\n")).not.toContain("Here");
  });
});
