import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Health } from "../devices/nvme/health.ts";
import { SharedState } from "../devices/nvme/shared_state.ts";
import { DriveHealth } from "./drive_health.ts";

const memory = () => {
  const values = new Map<string, string>();
  return {
    values,
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
  };
};

const boot = (health: DriveHealth, keeps = true) => {
  const shared = new SharedState();
  health.begin(shared, keeps);
  return new Health(shared, 0);
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("a boot goes on counting where the last one was", () => {
  const drive = new DriveHealth(memory());
  boot(drive).inUse = true;
  const second = boot(drive);
  expect([second.powerCycles, second.unsafeShutdowns]).toEqual([2, 1]);
});

it("so does the next visit, from what was kept last", () => {
  const kept = memory();
  const first = boot(new DriveHealth(kept));
  first.countError(true);
  vi.advanceTimersByTime(5000);
  first.countError(true); // lost with the tab
  const next = boot(new DriveHealth(kept));
  expect([next.powerCycles, next.mediaErrors]).toEqual([2, 1]);
});

it("a machine that only reads keeps nothing", () => {
  const kept = memory();
  boot(new DriveHealth(kept), false);
  vi.advanceTimersByTime(60_000);
  expect(kept.values.size).toBe(0);
});

it.each(["", "{", "null", '{"a":1}', '["x"]', "[1,2]"])("what is not a record (%j) starts anew", text => {
  const kept = memory();
  kept.setItem("doorbell.driveHealth", text);
  expect(boot(new DriveHealth(kept)).powerCycles).toBe(1);
});

it("storage that refuses does no harm", () => {
  const drive = new DriveHealth({
    getItem: () => {
      throw new Error("no");
    },
    setItem: () => {
      throw new Error("no");
    },
  });
  expect(boot(drive).powerCycles).toBe(1);
  vi.advanceTimersByTime(10_000);
});
