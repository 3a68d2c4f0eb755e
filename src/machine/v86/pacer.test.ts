import { describe, expect, it } from "vitest";
import { MachineSignals } from "../../devices/machine_signals.ts";
import { Step } from "../../devices/pace.ts";
import { GuestClock } from "./guest_clock.ts";
import { Pacer } from "./pacer.ts";

/** A host whose time goes on by 1 ms with each look at the devices; `at` is called with each. */
function make(at: (look: number, rig: ReturnType<typeof rigOf>) => void = () => {}) {
  const rig = rigOf();
  let looks = 0;
  const pacer = new Pacer({
    ...rig,
    notifier: rig.signals.vcpuNotifier,
    turn: async () => {},
    pace: rig.signals.pace,
    stepNeedsGuest: () => rig.needsGuest,
    now: () => rig.host.now,
    serve: () => {
      rig.signals.vcpuNotifier.testAndClear();
      rig.host.now += 1;
      at(looks++, rig);
      // So that no test sleeps.
      rig.signals.vcpuNotifier.set();
    },
  });
  return { signals: rig.signals, host: rig.host, clock: rig.clock, pacer, rig };
}

function rigOf() {
  const host = { now: 0 };
  const signals = MachineSignals.create();
  return { host, signals, clock: new GuestClock(() => host.now), needsGuest: false, idle: 0 };
}

const busy = (ranMs: number) => ({ ranMs, idleMs: () => 0 });

it("leaves a machine at full speed alone", () => {
  expect(make().pacer.isFree).toBe(true);
});

describe("standing still", () => {
  it("holds the guest and its clock until it is let go", async () => {
    const { pacer, signals, clock } = make((look, { signals: { pace } }) => {
      if (look === 1) expect(pace.guestStands).toBe(true);
      if (look === 500) pace.slowness = 1;
    });
    signals.pace.slowness = 0;
    expect(pacer.isFree).toBe(false);
    await pacer.hold(busy(1));
    expect(clock.now()).toBe(0);
    expect(signals.pace.guestStands).toBe(false);
    expect(pacer.isFree).toBe(true);
  });

  it("lets the guest run for a step only if the devices need it", async () => {
    const { pacer, signals, host, rig } = make((look, rig) => {
      if (look === 10) rig.signals.pace.ask(Step.fetch);
      if (look === 20) rig.needsGuest = true;
    });
    signals.pace.slowness = 0;
    await pacer.hold(busy(1));
    expect(host.now).toBe(21);
    expect(pacer.isFree).toBe(true);
    rig.signals.pace.take(Step.fetch);
    expect(pacer.isFree).toBe(false);
  });
});

describe("slow motion", () => {
  it("holds it for so many times as long as it ran", async () => {
    const { pacer, signals, host, clock } = make();
    signals.pace.slowness = 100;
    await pacer.hold(busy(2));
    expect(host.now).toBeGreaterThanOrEqual(198);
    expect(host.now).toBeLessThan(202);
    expect(clock.now()).toBe(0);
    expect(pacer.isFree).toBe(false);
  });

  it("stretches idle time, of which the guest sees its part", async () => {
    const { pacer, signals, host, clock } = make();
    signals.pace.slowness = 10;
    await pacer.hold({ ranMs: 1, idleMs: () => 5 });
    expect(host.now).toBe(50);
    expect(clock.now()).toBe(5);
  });

  it("ends idle time when something comes", async () => {
    const { pacer, signals, host, clock, rig } = make((look, rig) => {
      if (look === 19) rig.idle = 0;
    });
    signals.pace.slowness = 10;
    rig.idle = 8;
    await pacer.hold({ ranMs: 1, idleMs: () => rig.idle });
    expect(host.now).toBe(20);
    expect(clock.now()).toBe(2);
  });

  it("goes on at once at full speed", async () => {
    const { pacer, signals, host } = make((look, { signals: { pace } }) => {
      if (look === 7) pace.slowness = 1;
    });
    signals.pace.slowness = 1000;
    await pacer.hold(busy(4));
    expect(host.now).toBeLessThan(12);
  });
});
