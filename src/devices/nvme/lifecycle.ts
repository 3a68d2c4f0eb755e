import { type GuestMemory, isRam } from "../guest_memory.ts";
import type { ControllerRegisters } from "./controller_registers.ts";
import { Control, type SharedState } from "./shared_state.ts";
import { CQE_BYTES, SQE_BYTES } from "./spec/entries.ts";
import { ControllerConfiguration, ControllerStatus } from "./spec/registers.ts";

/** Where the admin queues are: guest physical addresses and numbers of entries. */
export type AdminQueueLocation = ControllerRegisters["adminQueues"];

export interface LifecycleOptions {
  readonly memory: GuestMemory;
  readonly shared: SharedState;
  readonly registers: ControllerRegisters;
  readonly notifyServer: () => void;
  /** A shutdown is complete: all data is durable. */
  readonly shutDown: () => void;
  /** The controller is enabled, with these admin queues. */
  readonly enabled: (queues: AdminQueueLocation) => void;
  /** A reset begins: all queues, features and requests die here. The new epoch is not announced yet. */
  readonly resetting: () => void;
  /** The new epoch is announced: the serving side's state that dies with a reset can go, and it is to be notified. */
  readonly epochBegun: () => void;
  /** The serving side has adopted the new epoch; nothing older will follow what is on the ring now. */
  readonly drain: () => void;
}

/** Enable, reset and shutdown (NVMe 1.4, sections 3.1.5, 3.1.6, 7.3 and 7.6): the state machine behind CC and CSTS. */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #shared: SharedState;
  readonly #registers: ControllerRegisters;
  /** A reset waits for the serving side to acknowledge the new epoch. */
  #resetting = false;
  /** The guest has set CC.EN again before the reset was over. */
  #enableWhenReset = false;
  #shutdownRequested = 0;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    this.#shared = options.shared;
    this.#registers = options.registers;
  }

  get isResetting(): boolean {
    return this.#resetting;
  }

  /** Does a reset or a shutdown wait for the serving side? */
  get isWaiting(): boolean {
    const status = this.#registers.csts & ControllerStatus.SHST_MASK;
    return this.#resetting || status === ControllerStatus.SHST_OCCURRING;
  }

  /** A write to CC. */
  configure(value: number): void {
    const before = this.#registers.cc;
    const wasEnabled = ControllerConfiguration.enable(before);
    const shutdownBefore = ControllerConfiguration.shutdown(before);
    this.#registers.cc = value;
    if (ControllerConfiguration.enable(value)) {
      if (!wasEnabled) this.#enable();
    } else if (wasEnabled) {
      this.startReset();
      return;
    }
    const shutdown = ControllerConfiguration.shutdown(value);
    if (shutdown !== 0 && shutdownBefore === 0) this.#startShutdown();
  }

  /** CC.EN 0 → 1 (section 7.6.1). A configuration that cannot work is a fatal status, which a reset clears. */
  #enable(): void {
    if (this.#resetting) {
      this.#enableWhenReset = true;
      return;
    }
    const queues = this.#registers.adminQueues;
    if (!this.#isUsable(queues)) {
      this.#registers.csts |= ControllerStatus.CFS;
      return;
    }
    this.#options.enabled(queues);
    this.#registers.csts |= ControllerStatus.RDY;
  }

  #isUsable({ sqBase, sqEntries, cqBase, cqEntries }: AdminQueueLocation): boolean {
    const { cc } = this.#registers;
    const { memory } = this.#options;
    return (
      ControllerConfiguration.memoryPageSize(cc) === 0 &&
      ControllerConfiguration.commandSet(cc) === 0 &&
      ControllerConfiguration.arbitration(cc) === 0 &&
      sqEntries >= 2 &&
      cqEntries >= 2 &&
      isRam(memory, sqBase, sqEntries * SQE_BYTES) &&
      isRam(memory, cqBase, cqEntries * CQE_BYTES)
    );
  }

  /**
   * CC.EN 1 → 0, or the machine's own reset (section 7.3.2). All queues and all Doorbell Buffer Config state die here
   * (museum 3). RDY stays set until the serving side has acknowledged that its DMA is over (rule 4).
   */
  startReset(): void {
    this.#options.resetting();
    this.#enableWhenReset = false;
    this.#resetting = true;
    // RDY stays for now; a shutdown that was notified before is over (section 7.6.2).
    this.#registers.csts &= ~ControllerStatus.SHST_MASK;
    this.#shared.addControl(Control.EPOCH);
    this.#options.epochBegun();
  }

  /**
   * NVM subsystem reset (section 7.3.1): as CC.EN 1 → 0, and all registers are back at their initial values, but for
   * RDY, which falls when DMA is over, and NSSRO, which tells what has happened. PCI configuration is left as it is.
   */
  resetSubsystem(): void {
    const ready = this.#registers.csts & ControllerStatus.RDY;
    this.startReset();
    this.#registers.clear();
    this.#registers.csts = ready | ControllerStatus.NSSRO;
  }

  /** The controller can do nothing for its host any more until it is reset: all that goes on ends, as with a reset. */
  fail(): void {
    if (this.#resetting) return;
    this.#options.resetting();
    this.#shared.addControl(Control.EPOCH);
    this.#options.epochBegun();
    this.#registers.csts |= ControllerStatus.CFS;
  }

  #finishReset(): void {
    this.#resetting = false;
    this.#options.drain();
    // A shutdown may have been notified since.
    this.#registers.csts &= ControllerStatus.SHST_MASK | ControllerStatus.NSSRO;
    if (this.#enableWhenReset) this.#enable();
  }

  #startShutdown(): void {
    const registers = this.#registers;
    registers.csts = (registers.csts & ~ControllerStatus.SHST_MASK) | ControllerStatus.SHST_OCCURRING;
    this.#shutdownRequested = this.#shared.addControl(Control.SHUTDOWN);
    this.#options.notifyServer();
  }

  /** What the serving side has acknowledged since the last look. */
  takeAcknowledgements(): void {
    const shared = this.#shared;
    const registers = this.#registers;
    if (this.#resetting && shared.getControl(Control.EPOCH_ACK) === shared.getControl(Control.EPOCH)) {
      this.#finishReset();
    }
    if (
      (registers.csts & ControllerStatus.SHST_MASK) === ControllerStatus.SHST_OCCURRING &&
      shared.getControl(Control.SHUTDOWN_ACK) === this.#shutdownRequested
    ) {
      // "Complete" would be a lie when data could not be saved; the host is told, and its driver times out.
      if (shared.getControl(Control.SHUTDOWN_FAILED) !== 0) registers.csts |= ControllerStatus.CFS;
      else {
        registers.csts = (registers.csts & ~ControllerStatus.SHST_MASK) | ControllerStatus.SHST_COMPLETE;
        this.#options.shutDown();
      }
    }
  }
}
