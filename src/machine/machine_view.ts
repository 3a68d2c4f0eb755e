import { MachineSignals } from "../devices/machine_signals.ts";
import type { SharedState } from "../devices/nvme/shared_state.ts";
import type { VirtioSharedState } from "../devices/virtio/shared_state.ts";
import { CounterReader, type Counters } from "../trace/counters.ts";
import { Observation } from "./observation.ts";
import type { GuestRam } from "./protocol.ts";

/** The shared memory of one boot, as the page sees it. */
export interface SharedParts {
  readonly signals: MachineSignals;
  readonly nvme: SharedState;
  readonly virtio: VirtioSharedState | undefined;
  readonly ram: GuestRam;
}

/** What the page sees of its machine in shared memory. Each boot has memory of its own; who observes goes on observing. */
export class MachineView {
  #signals = MachineSignals.create();
  #reader = new CounterReader([]);
  #observation: Observation | undefined;
  #observers = 0;

  get signals(): MachineSignals {
    return this.#signals;
  }

  /** Undefined before the first boot. */
  get observation(): Observation | undefined {
    return this.#observation;
  }

  /** For a boot. */
  createSignals(): MachineSignals {
    const signals = MachineSignals.create();
    signals.timesExits = this.#signals.timesExits;
    return signals;
  }

  /** From now on the machine is this one. */
  turnTo({ signals, nvme, virtio, ram }: SharedParts): void {
    this.#signals = signals;
    this.#observation = new Observation(signals, nvme, ram);
    this.#observation.isOn = this.#observers > 0;
    this.#reader = new CounterReader(
      [signals, nvme, ...(virtio ? [virtio] : [])].map(({ counters }) => counters),
    );
  }

  counters(): Counters {
    return this.#reader.read();
  }

  /** Has the machine record what it does, until the function that it returns is called. */
  observe(): () => void {
    let ended = false;
    const count = (change: number) => {
      this.#observers += change;
      if (this.#observation) this.#observation.isOn = this.#observers > 0;
    };
    count(1);
    return () => {
      if (!ended) count(-1);
      ended = true;
    };
  }
}
