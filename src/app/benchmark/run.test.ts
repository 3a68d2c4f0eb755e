import { describe, expect, it } from "vitest";
import type { Counters } from "../../bench/definitions/guest.ts";
import { quickPlan } from "../../bench/definitions/measure.ts";
import { counterNames } from "../../trace/counters.ts";
import { type Choice, THIS_GUEST, thoroughnesses } from "./choice.ts";
import { type Measured, type MeasuredGuest, overwritesOwnDisk, type Progress, runBenchmark } from "./run.ts";

const system = {
  ...({ system: "nvme", serving: "mmio", extension: "dbbuf", interrupt: "msix" } as const),
  device: "/dev/nvme0n2",
};

/** A guest whose dd takes longer with each run; `answer` may answer in its place. */
function fakeGuest(mayWrite: boolean, answer: (command: string) => string | undefined = () => undefined) {
  const log: string[] = [];
  let runs = 0;
  const guest: MeasuredGuest = {
    system,
    mayWrite,
    commandsBeside: () => runs,
    async exec(command) {
      log.push(command);
      const other = answer(command);
      if (other !== undefined) return { output: other, exitCode: 0 };
      if (command === "uname -r") return { output: "6.1.170\n", exitCode: 0 };
      if (command.startsWith("grep")) return { output: "0\n", exitCode: 0 };
      runs += 1;
      return { output: `1+0 records in\n4096000 bytes (4 MB) copied, ${runs} s, x MB/s\n`, exitCode: 0 };
    },
    instruments: {
      counters: async () =>
        ({ ...Object.fromEntries(counterNames.map(name => [name, 0])), commands: runs * 100 }) as Counters,
      timeExits: async () => {},
      latencies: async run => {
        await run();
        return { p50: 40, p99: 90 };
      },
    },
    settle: async () => {},
    close: async () => void log.push("closed"),
  };
  return { guest, log };
}

async function run(choice: Partial<Choice>, guest: MeasuredGuest, signal = new AbortController().signal) {
  const measured: Measured[] = [];
  const progress: Progress[] = [];
  // A warm-up by the clock would take its time here.
  const { plan } = thoroughnesses.quick;
  Object.assign(plan, { warmUpMs: 0 });
  try {
    await runBenchmark(
      { thoroughness: "quick", systems: [THIS_GUEST], jobs: ["read-4k"], ...choice },
      async () => guest,
      { progress: p => progress.push(p), measured: m => measured.push(m) },
      signal,
    );
  } finally {
    Object.assign(plan, { warmUpMs: 7_500 });
  }
  return { measured, progress };
}

describe("runBenchmark", () => {
  it("gives the rates that dd printed in the runs that count, with its lines", async () => {
    const { guest, log } = fakeGuest(false);
    const { measured, progress } = await run({}, guest);
    const [{ rows, runs, warmUp, kernel, failure }] = measured;
    expect(failure).toBeUndefined();
    expect(kernel).toBe("6.1.170");
    // One warm-up run and one uncounted: 1000 I/Os in 3 to 7 s.
    expect(warmUp["read-4k"]).toEqual([1000]);
    expect(runs["read-4k"].map(({ figure }) => figure)).toEqual([3, 4, 5, 6, 7].map(s => 1000 / s));
    expect(runs["read-4k"][0].line).toBe("4096000 bytes (4 MB) copied, 3 s, x MB/s");
    expect(rows.find(({ metric }) => metric === "rate")).toMatchObject({ median: 200, runs: quickPlan.runs });
    expect(rows.find(({ metric }) => metric === "latency-p99")).toMatchObject({ median: 90, unit: "µs" });
    expect(log.at(-1)).toBe("closed");
    expect(log.some(command => command.includes("of=/dev/nvme0n2"))).toBe(false);
    const parts = progress.map(({ part }) => part);
    expect(parts).toEqual([...parts].sort((a, b) => a - b));
    expect(progress.map(({ stage }) => stage)).toContain("warming up");
  });

  it("writes to a disk only where that is allowed, and not to one that is mounted", async () => {
    const denied = fakeGuest(false);
    const [refused] = (await run({ jobs: ["write-4k"] }, denied.guest)).measured;
    expect(refused.failure).toContain("was not allowed");
    expect(denied.log.some(command => command.startsWith("dd"))).toBe(false);

    const mounted = fakeGuest(true, command => (command.startsWith("grep") ? "1\n" : undefined));
    const [stopped] = (await run({ jobs: ["write-4k"] }, mounted.guest)).measured;
    expect(stopped.failure).toContain("is mounted");
    expect(mounted.log.some(command => command.startsWith("dd"))).toBe(false);
  });

  it("fills a disk that it may overwrite before it reads", async () => {
    const { guest, log } = fakeGuest(true);
    await run({}, guest);
    const dd = log.filter(command => command.startsWith("dd"));
    expect(dd[0]).toContain("of=/dev/nvme0n2");
    expect(dd.slice(1).every(command => command.includes("if=/dev/nvme0n2"))).toBe(true);
  });

  it("goes on with the next system when one fails", async () => {
    const { guest } = fakeGuest(false, command =>
      command.startsWith("dd") ? "dd: no such disk" : undefined,
    );
    const { measured } = await run({ systems: ["a", "b"] }, guest);
    expect(measured.map(({ name, failure }) => [name, failure !== undefined])).toEqual([
      ["a", true],
      ["b", true],
    ]);
  });

  it("ends at once when it is cancelled, and closes the guest", async () => {
    const abort = new AbortController();
    const { guest, log } = fakeGuest(false);
    const hangs: MeasuredGuest = {
      ...guest,
      exec: command => (command.startsWith("dd") ? new Promise(() => abort.abort()) : guest.exec(command)),
    };
    await expect(run({}, hangs, abort.signal)).rejects.toThrow();
    expect(log.at(-1)).toBe("closed");
  });
});

describe("overwritesOwnDisk", () => {
  it("is so for jobs that write, in this guest", () => {
    const choice = { thoroughness: "quick", systems: [THIS_GUEST], jobs: ["read-4k"] } as const;
    expect(overwritesOwnDisk(choice)).toBe(false);
    expect(overwritesOwnDisk({ ...choice, jobs: ["read-4k", "write-4k-buffered"] })).toBe(true);
    expect(overwritesOwnDisk({ ...choice, systems: ["x"], jobs: ["write-4k"] })).toBe(false);
  });
});
