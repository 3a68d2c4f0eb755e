import type { MachineSignals } from "../../devices/machine_signals.ts";
import { addCounter, Counter } from "../../trace/counters.ts";

/**
 * The time that the vCPU thread spends in register accesses of our devices. Off by default, because two looks at the
 * clock cost about as much as a short access. The clock's steps (5 µs in Chromium) even out over many accesses.
 */
export class ExitTimer {
  readonly #signals: MachineSignals;
  /** Microseconds that have not made up a whole one yet. */
  #fraction = 0;

  constructor(signals: MachineSignals) {
    this.#signals = signals;
  }

  /** To be given to stop(). */
  start(): number {
    return this.#signals.timesExits ? performance.now() : -1;
  }

  stop(start: number): void {
    if (start < 0) return;
    this.#fraction += (performance.now() - start) * 1000;
    const us = Math.floor(this.#fraction);
    this.#fraction -= us;
    addCounter(this.#signals.counters, Counter.exitTimeUs, us);
  }
}
