import { expect, it } from "vitest";
import { MachineSignals } from "../../devices/machine_signals.ts";
import { FirmwarePace } from "./firmware_pace.ts";
import type { V86Cpu } from "./seams.ts";

function rig() {
  const halted = new Uint8Array(new SharedArrayBuffer(1));
  const { pace: machine } = MachineSignals.create();
  return { halted, machine, pace: new FirmwarePace({ in_hlt: halted } as unknown as V86Cpu, machine) };
}

it("stops the guest at a register write, until the next safe point", () => {
  const { halted, pace } = rig();
  pace.cut();
  expect(halted[0]).toBe(1);
  expect(pace.resume()).toBe(true);
  expect(halted[0]).toBe(0);
});

it("does not wake a guest that has halted by itself", () => {
  const { halted, pace } = rig();
  pace.cut();
  pace.resume();
  halted[0] = 1;
  expect(pace.resume()).toBe(false);
  expect(halted[0]).toBe(1);
});

it("leaves a kernel alone, but for a stop from just before", () => {
  const { halted, pace } = rig();
  pace.cut();
  pace.isOn = false;
  pace.resume();
  expect(halted[0]).toBe(0);
  pace.cut();
  expect(halted[0]).toBe(0);
});

it("stops a kernel too while the machine does not go at full speed", () => {
  const { halted, machine, pace } = rig();
  pace.isOn = false;
  machine.slowness = 0;
  pace.cut();
  expect(halted[0]).toBe(1);
  expect(pace.resume()).toBe(true);
});
