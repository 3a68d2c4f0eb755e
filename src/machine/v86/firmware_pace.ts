import type { Pace } from "../../devices/pace.ts";
import { bytes, type V86Cpu } from "./seams.ts";

/**
 * Firmware and boot loaders drive the disk one command at a time and poll for its completion, and completions are posted
 * at safe points: every 100,000 guest instructions, most of which such a guest would spend in its polling loop. While
 * this is on, a register write ends the stretch of guest code that it came in, so that a safe point follows soon. The
 * same goes in slow motion, where a guest that has rung a doorbell is to stop there.
 */
export class FirmwarePace {
  /** Switched off when a kernel has taken over: it waits for interrupts instead. */
  isOn = true;
  readonly #halted: Uint8Array;
  readonly #pace: Pace;
  #cut = false;

  constructor(cpu: V86Cpu, pace: Pace) {
    this.#pace = pace;
    this.#halted = bytes(cpu.in_hlt);
  }

  /**
   * From a register write, or from a safe point, when v86 should return altogether. v86 leaves its loop, between two blocks
   * of code, when the guest seems to have halted.
   */
  cut(): void {
    if (!this.isOn && this.#pace.isFull) return;
    this.#cut = true;
    this.#halted[0] = 1;
  }

  /**
   * At the safe point, before anything else: the guest goes on. (One that has really halted in the same block of code
   * wakes once for nothing, as it may at any time.) True if there was a cut.
   */
  resume(): boolean {
    if (!this.#cut) return false;
    this.#cut = false;
    this.#halted[0] = 0;
    return true;
  }
}
