import type { V86Cpu } from "./seams.ts";

/** Byte offsets in v86's local APIC state: request and trigger mode registers, 8 words each. */
const IRR = 64;
const TMR = 128;

/**
 * Sends interrupt messages (MSI) to v86's local APIC, which has no call for that: an edge-triggered request is a bit in
 * its request register, in wasm memory.
 */
export class LocalApic {
  readonly #cpu: V86Cpu;
  readonly #base: number;
  #irr = new Int32Array();
  #tmr = new Int32Array();

  constructor(cpu: V86Cpu) {
    this.#cpu = cpu;
    this.#base = cpu.get_apic_addr();
  }

  /** At safe points only: the interrupt may be delivered within the call. Vectors below 16 are no interrupts. */
  request(vector: number): void {
    if (vector < 16) return;
    this.#follow();
    const bit = 1 << (vector & 31);
    this.#irr[vector >> 5] |= bit;
    this.#tmr[vector >> 5] &= ~bit;
    this.#cpu.handle_irqs();
  }

  /** A memory that is not shared has another buffer once it has grown. */
  #follow(): void {
    const { buffer } = this.#cpu.wasm_memory;
    if (this.#irr.buffer === buffer) return;
    this.#irr = new Int32Array(buffer, this.#base + IRR, 8);
    this.#tmr = new Int32Array(buffer, this.#base + TMR, 8);
  }
}
