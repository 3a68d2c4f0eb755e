import { describe, expect, it } from "vitest";
import { MachineSignals } from "../devices/machine_signals.ts";
import { Step } from "../devices/pace.ts";
import type { Speed } from "./api.ts";
import { SlowMotion } from "./slow_motion.ts";

function make() {
  const rig = { signals: MachineSignals.create(), running: true, told: [] as [Speed, string | undefined][] };
  const slow: SlowMotion = new SlowMotion({
    signals: () => rig.signals,
    isRunning: () => rig.running,
    changed: speed => rig.told.push([speed, slow.stepping]),
  });
  return { rig, slow };
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

describe("speed", () => {
  it("is in the words that the threads read, and wakes them", () => {
    const { rig, slow } = make();
    const { pace, serverNotifier, vcpuNotifier } = rig.signals;
    for (const speed of [10, 100, 1000, 1] as const) {
      slow.set(speed);
      expect(pace.slowness).toBe(speed);
      expect(pace.isFull).toBe(speed === 1);
      expect([serverNotifier.testAndClear(), vcpuNotifier.testAndClear()]).toEqual([true, true]);
    }
    slow.pause();
    expect([pace.slowness, pace.isStanding]).toEqual([0, true]);
    slow.resume();
    expect(pace.isFull).toBe(true);
    expect(rig.told.map(([speed]) => speed)).toEqual([10, 100, 1000, 1, "paused", 1]);
  });

  it("is one of five, and only full speed without a machine", () => {
    const { rig, slow } = make();
    for (const speed of [0, 2, -1, Number.NaN, "slow", undefined]) {
      expect(() => slow.set(speed as Speed)).toThrow(/no speed/);
    }
    rig.running = false;
    expect(() => slow.pause()).toThrow(/not running/);
    slow.resume();
    expect(rig.told).toEqual([]);
  });

  it("begins anew with each boot", () => {
    const { rig, slow } = make();
    slow.pause();
    const { pace } = rig.signals;
    slow.forget();
    expect(slow.speed).toBe(1);
    expect(pace.isFull).toBe(true);
  });
});

describe("step", () => {
  it("pauses first, and is over when its event has happened and the guest stands still again", async () => {
    const { rig, slow } = make();
    const { pace } = rig.signals;
    const step = slow.step("doorbell");
    await pause(30);
    expect([slow.speed, slow.stepping, pace.step]).toEqual(["paused", undefined, Step.none]);
    pace.guestStands = true;
    await pause(30);
    expect([slow.stepping, pace.step, slow.standsStill]).toEqual(["doorbell", Step.doorbell, false]);
    // One at a time.
    expect(await slow.step("fetch")).toBe(false);
    pace.guestStands = false;
    pace.take(Step.doorbell);
    await pause(30);
    expect(slow.stepping).toBe("doorbell");
    pace.guestStands = true;
    expect(await step).toBe(true);
    expect([slow.stepping, slow.standsStill]).toEqual([undefined, true]);
    expect(rig.told.at(-1)).toEqual(["paused", undefined]);
  });

  it.each(["resume", "another boot"])("is called off by %s", async how => {
    const { rig, slow } = make();
    rig.signals.pace.guestStands = true;
    const step = slow.step("completion");
    await pause(20);
    if (how === "resume") slow.resume();
    else {
      slow.forget();
      rig.signals = MachineSignals.create();
    }
    expect(await step).toBe(false);
    expect(rig.signals.pace.step).toBe(Step.none);
    expect(slow.speed).toBe(1);
  });

  it("is one of three", async () => {
    const { slow } = make();
    for (const kind of ["none", "interrupt", "", 3]) {
      await expect(slow.step(kind as never)).rejects.toThrow(/is no step/);
    }
  });
});
