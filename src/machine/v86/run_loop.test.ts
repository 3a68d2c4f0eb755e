import { expect, it, vi } from "vitest";
import { MachineSignals } from "../../devices/machine_signals.ts";
import { Step } from "../../devices/pace.ts";
import { FirmwarePace } from "./firmware_pace.ts";
import { GuestClock } from "./guest_clock.ts";
import { RunLoop } from "./run_loop.ts";
import type { V86Emulator } from "./seams.ts";

/** A guest that is always busy, in place of v86; each tick is a call of do_tick(). */
function make() {
  const { v86, halted } = fakeV86();
  const signals = MachineSignals.create();
  const { pace } = signals;
  const clock = new GuestClock();
  const firmwarePace = new FirmwarePace(v86.v86.cpu, pace);
  firmwarePace.isOn = false;
  const rig = { v86: v86.v86, pace, clock, signals, ticks: 0, onTick: () => {}, onHousekeeping: () => {} };
  v86.v86.do_tick = () => {
    rig.ticks += 1;
    rig.onTick();
    v86.v86.cpu.run_hardware_timers(0, clock.now());
    v86.v86.yield(0, 0);
  };
  let inHousekeeping = false;
  const own = { yield: v86.v86.yield, register_yield: v86.v86.register_yield };
  const loop = new RunLoop({
    emulator: v86,
    devices: [{ safePoint: () => {}, hasWork: false, ioInFlight: false, stepNeedsGuest: true }],
    notifier: signals.vcpuNotifier,
    turn: () => passed(0),
    counters: signals.counters,
    mainLoop: undefined,
    firmwarePace,
    pace,
    clock,
    haltPollMaxUs: 0,
    onHalted: () => {},
    housekeeping: () => {
      expect(inHousekeeping).toBe(false);
      inHousekeeping = true;
      rig.onHousekeeping();
      inHousekeeping = false;
    },
  });
  const run = () => v86.v86.yield(0, 0);
  const stop = () => {
    v86.v86.running = false;
    pace.slowness = 1;
    signals.vcpuNotifier.set();
  };
  return { rig, run, stop, halted, loop, own };
}

function fakeV86() {
  const halted = new Uint8Array(new SharedArrayBuffer(1));
  const cpu = {
    in_hlt: halted,
    flags: new Int32Array(new SharedArrayBuffer(4)).fill(1 << 9),
    run_hardware_timers: () => 100,
  };
  const v86 = {
    v86: {
      cpu,
      running: true,
      tick_counter: 7,
      yield: vi.fn(),
      register_yield: vi.fn(),
      unregister_yield: () => {},
      do_tick: () => {},
    },
  };
  return { halted, v86: v86 as unknown as V86Emulator };
}

const passed = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

it.each([1, 0, 10])(
  "what a byte for the guest sets off does not come back in its middle (slowness %i)",
  async slowness => {
    const { rig, run, stop } = make();
    let fed = 0;
    rig.onHousekeeping = () => {
      fed += 1;
      // A byte for the serial port raises its interrupt, which makes v86 ask to go on.
      rig.v86.yield(0, 0);
    };
    run();
    await passed(10);
    rig.pace.slowness = slowness;
    rig.signals.vcpuNotifier.set();
    await passed(30);
    stop();
    expect(fed).toBeGreaterThan(1);
  },
);

it("does not let the guest run while the machine stands still, and its clock stands", async () => {
  const { rig, run, stop } = make();
  run();
  await passed(10);
  expect(rig.ticks).toBeGreaterThan(1);
  rig.pace.slowness = 0;
  await passed(10);
  expect(rig.pace.guestStands).toBe(true);
  const { ticks } = rig;
  const time = rig.clock.now();
  await passed(30);
  expect(rig.ticks).toBe(ticks);
  expect(rig.clock.now()).toBe(time);
  rig.pace.slowness = 1;
  rig.signals.vcpuNotifier.set();
  await passed(10);
  expect(rig.ticks).toBeGreaterThan(ticks);
  stop();
});

it("lets it run until the step has happened, and no further", async () => {
  const { rig, run, stop, halted } = make();
  rig.pace.slowness = 0;
  run();
  await passed(10);
  expect(rig.ticks).toBe(0);
  rig.onTick = () => {
    if (rig.ticks === 5) rig.pace.take(Step.doorbell);
  };
  rig.pace.ask(Step.doorbell);
  rig.signals.vcpuNotifier.set();
  await passed(20);
  expect(rig.ticks).toBe(5);
  expect(rig.pace.guestStands).toBe(true);
  // v86 was made to leave at the safe point; the guest itself has not halted.
  expect(halted[0]).toBe(0);
  stop();
});

it.each([1, 0])("hands the guest back to v86's own loop, from slowness %i", async slowness => {
  const { rig, run, loop, own } = make();
  rig.pace.slowness = slowness;
  run();
  await passed(10);
  loop.end();
  const { ticks } = rig;
  expect(rig.v86).toMatchObject(own);
  expect(own.register_yield).toHaveBeenCalledOnce();
  expect(own.yield).toHaveBeenCalledExactlyOnceWith(0, 7);
  await passed(20);
  expect(rig.ticks).toBe(ticks);
});

it("hands over one that stands, to be started later", () => {
  const { rig, loop, own } = make();
  rig.v86.running = false;
  loop.end();
  loop.end();
  expect(own.register_yield).toHaveBeenCalledOnce();
  expect(own.yield).not.toHaveBeenCalled();
});

it("ends in the middle of a tick, too", async () => {
  const { rig, run, loop, own } = make();
  rig.onTick = () => {
    if (rig.ticks === 3) loop.end();
  };
  run();
  await passed(20);
  expect(rig.ticks).toBe(3);
  // Once by the end, and once by the tick itself; v86 drops the older of the two.
  expect(own.yield).toHaveBeenCalledWith(0, 7);
});
