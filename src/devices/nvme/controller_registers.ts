import type { RegistersState } from "./controller_state.ts";
import { CAP_HIGH, CAP_LOW, ControllerStatus, PAGE_MASK, Register, VERSION } from "./spec/registers.ts";

/** The registers that hold what was written to them, and CSTS (NVMe 1.4, section 3.1). What they cause is elsewhere. */
export class ControllerRegisters {
  cc = 0;
  csts = 0;
  #aqa = 0;
  readonly #asq = new Uint32Array(2);
  readonly #acq = new Uint32Array(2);

  /** Admin queues as AQA, ASQ and ACQ describe them: guest physical addresses and numbers of entries. */
  get adminQueues() {
    return {
      sqEntries: (this.#aqa & 0xfff) + 1,
      cqEntries: ((this.#aqa >>> 16) & 0xfff) + 1,
      sqBase: this.#asq[0] + this.#asq[1] * 0x1_0000_0000,
      cqBase: this.#acq[0] + this.#acq[1] * 0x1_0000_0000,
    };
  }

  /** A 32-bit read. Reserved registers read as zero; so do doorbells. */
  read(offset: number): number {
    switch (offset) {
      case Register.CAP:
        return CAP_LOW | 0;
      case Register.CAP + 4:
        return CAP_HIGH;
      case Register.VS:
        return VERSION;
      case Register.CC:
        return this.cc;
      case Register.CSTS:
        return this.csts;
      case Register.AQA:
        return this.#aqa;
      case Register.ASQ:
        return this.#asq[0] | 0;
      case Register.ASQ + 4:
        return this.#asq[1] | 0;
      case Register.ACQ:
        return this.#acq[0] | 0;
      case Register.ACQ + 4:
        return this.#acq[1] | 0;
      default:
        return 0;
    }
  }

  /** A 32-bit write to one of the admin queue's registers, or to CSTS; others are ignored. */
  write(offset: number, value: number): void {
    switch (offset) {
      case Register.CSTS:
        this.csts &= ~(value & ControllerStatus.NSSRO);
        return;
      case Register.AQA:
        this.#aqa = value & 0x0fff0fff;
        return;
      case Register.ASQ:
        this.#asq[0] = value & ~PAGE_MASK;
        return;
      case Register.ASQ + 4:
        this.#asq[1] = value;
        return;
      case Register.ACQ:
        this.#acq[0] = value & ~PAGE_MASK;
        return;
      case Register.ACQ + 4:
        this.#acq[1] = value;
        return;
      default:
        return;
    }
  }

  /** For a snapshot of the machine. */
  save(): RegistersState {
    const [[asqLow, asqHigh], [acqLow, acqHigh]] = [this.#asq, this.#acq];
    return { cc: this.cc, csts: this.csts, aqa: this.#aqa, asq: [asqLow, asqHigh], acq: [acqLow, acqHigh] };
  }

  restore({ cc, csts, aqa, asq, acq }: RegistersState): void {
    this.cc = cc | 0;
    this.csts = csts | 0;
    this.#aqa = aqa & 0x0fff0fff;
    this.#asq.set(asq);
    this.#acq.set(acq);
  }

  /** Back to the initial values, as after power on. */
  clear(): void {
    this.cc = 0;
    this.csts = 0;
    this.#aqa = 0;
    this.#asq.fill(0);
    this.#acq.fill(0);
  }
}
