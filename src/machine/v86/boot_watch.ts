import { Counter } from "../../trace/counters.ts";
import { type V86Cpu, words } from "./seams.ts";

const CR0_PAGING = 1 << 31;

/**
 * Tells how far the boot has come, from what a quiet kernel cannot hide: firmware ends when the kernel switches paging
 * on, and the kernel's own part ends with the first I/O command to the disk, just before init is started from it.
 */
export class BootWatch {
  readonly #controlRegisters: Int32Array;
  readonly #counters: Int32Array;
  readonly #onStage: (stage: "kernel" | "userspace") => void;
  #next: "kernel" | "userspace" | undefined = "kernel";

  constructor(cpu: V86Cpu, counters: Int32Array, onStage: (stage: "kernel" | "userspace") => void) {
    this.#controlRegisters = words(cpu.cr);
    this.#counters = counters;
    this.#onStage = onStage;
  }

  look(): void {
    if (this.#next === "kernel" && (this.#controlRegisters[0] & CR0_PAGING) !== 0) {
      this.#next = "userspace";
      this.#onStage("kernel");
    } else if (this.#next === "userspace" && this.#counters[Counter.commands] > 0) {
      this.#next = undefined;
      this.#onStage("userspace");
    }
  }
}
