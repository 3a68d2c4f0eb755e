import { describe, expect, it } from "vitest";
import { counterNames } from "../../trace/counters.ts";
import type { Counters, Guest } from "./guest.ts";
import type { Job } from "./jobs.ts";
import { measureJob, warmUp } from "./measure.ts";
import { defaultSystem } from "./systems.ts";

const plan = { warmUpMs: 0, uncounted: 2, runs: 3, timedRuns: 1 };
const job: Job = {
  name: "read-4k",
  title: "read 4k",
  unit: "IOPS",
  writes: false,
  command: device => `read ${device}`,
  parse: Number,
};

/** A guest whose runs do ten I/Os each and give the given rates in turn. */
class FakeGuest implements Guest {
  readonly log: string[] = [];
  readonly instruments = {
    counters: async () => this.#counters(),
    timeExits: async (on: boolean) => {
      this.log.push(`timing ${on ? "on" : "off"}`);
    },
  };
  readonly #rates: number[];
  #runs = 0;

  constructor(rates: readonly number[]) {
    this.#rates = [...rates];
  }

  async exec(command: string) {
    this.#runs += 1;
    this.log.push(command);
    return { output: String(this.#rates.shift()), exitCode: 0 };
  }

  async settle() {
    this.log.push("settle");
  }

  async close() {}

  #counters(): Counters {
    const zeroes = Object.fromEntries(counterNames.map(name => [name, 0])) as Record<string, number>;
    const n = this.#runs;
    return {
      ...zeroes,
      commands: n * 10,
      mmioExits: n * 20,
      interrupts: n * 10,
      exitTimeUs: n * 35,
    } as Counters;
  }
}

describe("measureJob", () => {
  it("leaves the first runs out, and gives median and extremes of the rest", async () => {
    const guest = new FakeGuest([1, 1, 300, 100, 200, 1]);
    const [rate] = await measureJob(guest, defaultSystem, job, plan);
    expect(rate).toEqual({
      system: "nvme",
      serving: "iothread+poll",
      extension: "dbbuf",
      interrupt: "msix",
      job: "read-4k",
      metric: "rate",
      unit: "IOPS",
      median: 200,
      min: 100,
      max: 300,
      runs: 3,
    });
  });

  it("does not wait for what was written before it writes again", async () => {
    const guest = new FakeGuest([1, 1, 1, 1, 1, 1]);
    await measureJob(guest, defaultSystem, { ...job, writes: true }, plan);
    expect(guest.log).not.toContain("settle");
  });

  it("gives counters per I/O", async () => {
    const rows = await measureJob(new FakeGuest([1, 1, 1, 1, 1, 1]), defaultSystem, job, plan);
    expect(rows.map(({ metric, median, runs }) => [metric, median, runs])).toEqual([
      ["rate", 1, 3],
      ["mmio-exits", 2, 3],
      ["interrupts", 1, 3],
      ["wake-ups", 0, 3],
      ["exit-time", 3.5, 1],
    ]);
  });

  it("waits for what was written first, and times exits in runs of their own at the end", async () => {
    const guest = new FakeGuest([1, 1, 1, 1, 1, 1]);
    await measureJob(guest, defaultSystem, job, plan);
    const run = "read /dev/nvme0n2";
    expect(guest.log).toEqual(["settle", run, run, run, run, run, "timing on", run, "timing off"]);
  });

  it("gives rates alone where nothing counts", async () => {
    const guest: Guest = {
      exec: async () => ({ output: "7", exitCode: 0 }),
      settle: async () => {},
      close: async () => {},
    };
    const rows = await measureJob(guest, defaultSystem, job, plan);
    expect(rows.map(({ metric, median }) => [metric, median])).toEqual([["rate", 7]]);
  });

  it("fails with the command and its output when the command fails", async () => {
    const guest: Guest = {
      exec: async () => ({ output: "No such device\n", exitCode: 1 }),
      settle: async () => {},
      close: async () => {},
    };
    await expect(measureJob(guest, defaultSystem, job, plan)).rejects.toThrow(
      "read /dev/nvme0n2\nNo such device",
    );
  });

  it("fails when the counted device did nothing", async () => {
    const guest = new FakeGuest([1, 1, 1]);
    const still = await guest.instruments.counters();
    const idle: Guest = {
      exec: command => guest.exec(command),
      settle: () => guest.settle(),
      close: () => guest.close(),
      instruments: { ...guest.instruments, counters: async () => still },
    };
    await expect(measureJob(idle, defaultSystem, job, plan)).rejects.toThrow("no I/O");
  });
});

describe("warmUp", () => {
  it("runs all jobs in turn, once at least", async () => {
    const guest = new FakeGuest([1, 1, 1, 1]);
    const write: Job = { ...job, command: device => `write ${device}` };
    await warmUp(guest, defaultSystem, [write, job], plan);
    expect(guest.log).toEqual(["write /dev/nvme0n2", "read /dev/nvme0n2"]);
  });

  it("… and again until its time is over", async () => {
    const guest = new FakeGuest(Array.from({ length: 100 }, () => 1));
    await warmUp(guest, defaultSystem, [job], { ...plan, warmUpMs: 5 });
    expect(guest.log.length).toBeGreaterThan(1);
  });
});
