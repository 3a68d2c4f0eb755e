import { describe, expect, it, vi } from "vitest";
import type { ArmedRule, FaultReport, FaultRule } from "../devices/nvme/faults/rules.ts";
import { FaultInjection, mergeReports } from "./fault_injection.ts";
import type { FaultApi } from "./protocol.ts";
import type { Connected } from "./workers.ts";

/** A worker with what it reports. */
function worker(report: FaultReport = { counts: new Map(), fired: [] }) {
  const sent: (readonly ArmedRule[])[] = [];
  const api: FaultApi = {
    setFaults: async armed => void sent.push(armed),
    faultReport: async () => report,
  };
  const connected = { api, answer: <R>(call: Promise<R>) => call, terminate() {} };
  return { sent, connected: connected as unknown as Connected<FaultApi> };
}

function setUp(...reports: FaultReport[]) {
  const workers = (reports.length > 0 ? reports : [undefined]).map(report => worker(report));
  const cutStalls = vi.fn();
  const changes: number[] = [];
  const faults = new FaultInjection({
    workers: async () => workers.map(({ connected }) => connected),
    cutStalls,
    changed: armed => changes.push(armed.length),
  });
  return { faults, workers, cutStalls, changes };
}

const drop: FaultRule = { action: "drop", command: "read" };

describe("FaultInjection", () => {
  it("sends all rules to each worker, and keeps the numbers of those that stay", async () => {
    const { faults, workers, changes } = setUp(
      { counts: new Map(), fired: [] },
      { counts: new Map(), fired: [] },
    );
    const first = await faults.arm(drop);
    const second = await faults.arm({ action: "delay", ms: 5 });
    await faults.disarm(first);
    for (const { sent } of workers) {
      expect(sent.map(armed => armed.map(({ id }) => id))).toEqual([[first], [first, second], [second]]);
    }
    expect(faults.armed.map(({ id }) => id)).toEqual([second]);
    await faults.clear();
    expect(changes).toEqual([1, 2, 1, 0]);
  });

  it("refuses a bad rule before anything is sent", async () => {
    const { faults, workers } = setUp();
    await faults.set([drop]);
    const bad = { action: "drop", ms: 5 } as unknown as FaultRule;
    await expect(faults.set([drop, bad])).rejects.toThrow("no such field");
    await expect(faults.arm(bad)).rejects.toThrow("no such field");
    expect(workers[0].sent.length).toBe(1);
    expect(faults.armed.length).toBe(1);
  });

  it("lets threads that stand still go on when rules change, and when they are lifted", async () => {
    const { faults, cutStalls } = setUp();
    await faults.set([{ action: "stall", ms: 10_000 }]);
    await faults.clear();
    expect(cutStalls).toHaveBeenCalledTimes(2);
  });

  it("adds up what the threads report, in the order of time", async () => {
    const { faults } = setUp(
      { counts: new Map([[1, 2]]), fired: [{ id: 1, action: "drop", at: 5 }] },
      {
        counts: new Map([
          [1, 1],
          [9, 4],
        ]),
        fired: [
          { id: 9, action: "delay", at: 3 },
          { id: 1, action: "drop", at: 7 },
        ],
      },
    );
    await faults.set([drop, { action: "duplicate" }]);
    expect((await faults.list()).map(({ fired }) => fired)).toEqual([3, 0]);
    expect((await faults.fired()).map(({ at }) => at)).toEqual([3, 5, 7]);
    expect(mergeReports([])).toEqual({ counts: new Map(), fired: [] });
  });

  it("has no rules any more when the machine is gone", async () => {
    const { faults, changes } = setUp();
    await faults.set([drop]);
    faults.forget();
    faults.forget();
    expect(faults.armed).toEqual([]);
    expect(changes).toEqual([1, 0]);
  });
});
