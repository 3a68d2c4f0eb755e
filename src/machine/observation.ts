import { createGuestMemory } from "../devices/guest_memory.ts";
import type { MachineSignals } from "../devices/machine_signals.ts";
import { QueueInspector } from "../devices/nvme/queue_inspector.ts";
import type { SharedState } from "../devices/nvme/shared_state.ts";
import { type TraceReader, traceClock } from "../trace/trace_ring.ts";
import type { GuestRam } from "./protocol.ts";

/** A running machine seen from outside: shared memory only, so looking costs its threads nothing but their records. */
export class Observation {
  /** The NVMe controller's queues. */
  readonly queues: QueueInspector;
  readonly #signals: MachineSignals;

  constructor(signals: MachineSignals, nvme: SharedState, ram: GuestRam) {
    this.#signals = signals;
    this.queues = new QueueInspector(nvme, createGuestMemory(ram.buffer, ram.byteOffset, ram.byteLength));
  }

  /** Readers of what the threads record from now on: the serving thread's and the vCPU thread's. */
  readTraces(): readonly TraceReader[] {
    return this.#signals.readTraces();
  }

  /** The present moment on the records' clock. */
  now(): number {
    return traceClock();
  }

  /** Records are written, and queues published, only while this is on. */
  set isOn(on: boolean) {
    this.#signals.observed = on;
  }
}
