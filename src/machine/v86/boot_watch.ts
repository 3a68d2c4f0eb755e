import { Counter } from "../../trace/counters.ts";
import { type V86Cpu, words } from "./seams.ts";

const CR0_PAGING = 1 << 31;

/** What comes after the firmware's own work. */
export type GuestStage = "bootloader" | "kernel" | "userspace";

/**
 * Tells how far the boot has come, from what a quiet kernel cannot hide: firmware ends with the first I/O command to the
 * disk, which fetches a boot loader, and that ends, or the firmware itself where a kernel was handed over, when the kernel
 * switches paging on. The kernel's own part ends with its first I/O command, just before init is started from the disk.
 */
export class BootWatch {
  readonly #controlRegisters: Int32Array;
  readonly #counters: Int32Array;
  readonly #onStage: (stage: GuestStage) => void;
  #stage: "firmware" | GuestStage = "firmware";
  #commandsBefore = 0;

  constructor(cpu: Pick<V86Cpu, "cr">, counters: Int32Array, onStage: (stage: GuestStage) => void) {
    this.#controlRegisters = words(cpu.cr);
    this.#counters = counters;
    this.#onStage = onStage;
  }

  /** To be called every few milliseconds. */
  look(): void {
    if (this.#stage === "userspace") return;
    const commands = this.#counters[Counter.commands];
    const newCommands = commands !== this.#commandsBefore;
    if (this.#stage === "kernel") {
      if (newCommands) this.#enter("userspace");
      return;
    }
    if (this.#stage === "firmware" && newCommands) this.#enter("bootloader");
    this.#commandsBefore = commands;
    if ((this.#controlRegisters[0] & CR0_PAGING) !== 0) this.#enter("kernel");
  }

  #enter(stage: GuestStage): void {
    this.#stage = stage;
    this.#onStage(stage);
  }
}
