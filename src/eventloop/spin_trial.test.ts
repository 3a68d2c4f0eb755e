import { describe, expect, it } from "vitest";
import { SpinTrial } from "./spin_trial.ts";

/** A machine in which a wait takes `spunMs` when it begins with spinning, `sleptMs` when it does not. */
class Machine {
  readonly trial = new SpinTrial();
  now = 0;
  spunMs: number;
  sleptMs: number;

  constructor(spunMs: number, sleptMs: number) {
    this.spunMs = spunMs;
    this.sleptMs = sleptMs;
  }

  /** Waits for `ms`; returns the share of waits that began with spinning. */
  run(ms: number): number {
    const end = this.now + ms;
    let waits = 0;
    let spun = 0;
    while (this.now < end) {
      const spins = this.trial.next(this.now);
      const took = spins ? this.spunMs : this.sleptMs;
      this.now += took;
      if (this.trial.isMeasured) this.trial.record(this.now, took);
      waits += 1;
      if (spins) spun += 1;
    }
    return spun / waits;
  }
}

describe("SpinTrial", () => {
  it("spins where that is faster, and tries sleeping ever more rarely", () => {
    const machine = new Machine(0.05, 0.1);
    machine.run(1000);
    expect(machine.run(10_000)).toBeGreaterThan(0.99);
  });

  it("sleeps where spinning is in the way", () => {
    const machine = new Machine(0.6, 0.06);
    machine.run(1000);
    expect(machine.run(10_000)).toBeLessThan(0.01);
  });

  it("finds out within a second that things have changed, in both directions", () => {
    const machine = new Machine(0.05, 0.1);
    machine.run(20_000);
    [machine.spunMs, machine.sleptMs] = [0.6, 0.06];
    machine.run(1000);
    expect(machine.run(200)).toBeLessThan(0.5);
    [machine.spunMs, machine.sleptMs] = [0.05, 0.1];
    machine.run(1000);
    expect(machine.run(200)).toBeGreaterThan(0.5);
  });

  it("is not led astray by one long pause", () => {
    const trial = new SpinTrial();
    trial.next(0);
    let now = 50;
    for (let wait = 0; wait < 80; wait++) {
      const spins = trial.next(now);
      expect(trial.isMeasured).toBe(true);
      const took = wait === 30 ? 500 : spins ? 0.05 : 0.1;
      now += took;
      trial.record(now, took);
    }
    expect(trial.isMeasured).toBe(false);
    expect(trial.next(now)).toBe(true);
  });

  it("asks for no measurement between trials", () => {
    const machine = new Machine(0.05, 0.1);
    machine.run(60);
    expect(machine.trial.isMeasured).toBe(false);
    machine.run(10);
    expect(machine.trial.isMeasured).toBe(false);
  });
});
