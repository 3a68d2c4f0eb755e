import { createGuestMemory, type GuestMemory } from "../devices/guest_memory.ts";
import { MachineSignals } from "../devices/machine_signals.ts";
import { QueueInspector, type QueueLook } from "../devices/nvme/queue_inspector.ts";
import { SharedState } from "../devices/nvme/shared_state.ts";
import { VirtioSharedState } from "../devices/virtio/shared_state.ts";
import type { GuestRam, SharedDevices } from "../machine/protocol.ts";
import { CounterReader, type Counters } from "../trace/counters.ts";
import { MergedReader } from "../trace/merged_reader.ts";
import type { TraceRecord } from "../trace/trace_ring.ts";

/** What a {@link Monitor} looks at: shared memory alone. It can be posted to another thread of the page. */
export interface MonitorSource {
  /** @internal */
  readonly devices: SharedDevices;
  /** @internal */
  readonly ram: GuestRam;
  /**
   * The guest's RAM in the thread that runs the guest.
   * @internal
   */
  readonly memory?: GuestMemory;
}

/** Follows what the devices do, from where it was made. */
export interface Observer {
  /** What happened since the last call, oldest first. Call it at least some times a second. */
  read(): readonly TraceRecord[];
  /** Records that were overwritten before they were read. */
  readonly lost: number;
  /** Nothing is recorded any more once the last observer has ended. */
  end(): void;
}

/**
 * Looks at attached devices from outside, in any thread: it reads shared memory and costs their threads nothing, but for
 * the records that an observer asks for.
 */
export class Monitor {
  /** The NVMe controller's queues. Completion queues and the admin queue are there while something observes. */
  readonly queues: QueueLook;
  readonly #signals: MachineSignals;
  readonly #reader: CounterReader;
  #observers = 0;

  constructor({ devices, ram, memory = memoryOf(ram) }: MonitorSource) {
    const signals = new MachineSignals(devices.signals);
    const nvme = new SharedState(signals, devices.nvme);
    const virtio = devices.virtio && new VirtioSharedState(signals, devices.virtio);
    this.#signals = signals;
    this.#reader = new CounterReader(
      [signals, nvme, ...(virtio ? [virtio] : [])].map(({ counters }) => counters),
    );
    this.queues = new QueueInspector(nvme, memory);
  }

  /** All counters now: cheap enough for every frame. */
  counters(): Counters {
    return this.#reader.read();
  }

  /** Measures the time of register accesses from now on (`exitTimeUs`), or no more. It costs two looks at the clock each. */
  timeExits(on: boolean): void {
    this.#signals.timesExits = on;
  }

  /** Has the devices record what they do. Of several monitors of the same devices only one should observe at a time. */
  observe(): Observer {
    this.#observe(1);
    const reader = new MergedReader(this.#signals.readTraces());
    let ended = false;
    return {
      read: () => reader.take(),
      get lost() {
        return reader.lost;
      },
      end: () => {
        if (!ended) this.#observe(-1);
        ended = true;
      },
    };
  }

  #observe(change: number): void {
    this.#observers += change;
    this.#signals.observed = this.#observers > 0;
  }
}

const memoryOf = ({ buffer, byteOffset, byteLength }: GuestRam): GuestMemory =>
  createGuestMemory(buffer, byteOffset, byteLength);
