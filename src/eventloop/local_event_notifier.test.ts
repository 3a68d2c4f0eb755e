import { expect, it } from "vitest";
import { MachineSignals } from "../devices/machine_signals.ts";
import { EventNotifier } from "./event_notifier.ts";
import { LocalEventNotifier } from "./local_event_notifier.ts";

const make = () => new LocalEventNotifier(new ArrayBuffer(64) as unknown as SharedArrayBuffer, 0);

it("ends a wait when it is set, and not before", async () => {
  const notifier = make();
  let awake = false;
  notifier.announceSleep();
  const waiting = notifier.waitTurning(60_000).then(() => {
    awake = true;
  });
  await new Promise(resolve => setTimeout(resolve, 5));
  expect(awake).toBe(false);
  expect(notifier.set()).toBe(true);
  await waiting;
  notifier.cancelSleep();
  expect(notifier.testAndClear()).toBe(true);
  expect(notifier.testAndClear()).toBe(false);
});

it("does not wait for what was set before, nor beyond its time", async () => {
  const notifier = make();
  notifier.set();
  await notifier.waitTurning(60_000);
  notifier.testAndClear();
  await notifier.waitTurning(1);
  expect(notifier.isSet).toBe(false);
});

it("stands in for the shared one where there is no shared memory", () => {
  expect(MachineSignals.create().serverNotifier).not.toBeInstanceOf(LocalEventNotifier);
  const shared = globalThis.SharedArrayBuffer;
  try {
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    const signals = MachineSignals.create();
    expect(signals.serverNotifier).toBeInstanceOf(LocalEventNotifier);
    expect(signals.vcpuNotifier).toBeInstanceOf(EventNotifier);
    signals.observed = true;
    expect(signals.observed).toBe(true);
  } finally {
    globalThis.SharedArrayBuffer = shared;
  }
});
