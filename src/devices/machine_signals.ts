import { EventNotifier } from "../eventloop/event_notifier.ts";
import { counterBytes } from "../trace/counters.ts";

/**
 * What all devices of a machine have in common, in one SharedArrayBuffer: the notifiers of the two threads, and the
 * counters of their loops. (Each device counts its own commands in its own state.)
 */
const COUNTERS_START = 0;
const SERVER_NOTIFIER_START = (COUNTERS_START + counterBytes + 63) & ~63;
const VCPU_NOTIFIER_START = SERVER_NOTIFIER_START + 64;
const SETTINGS_START = VCPU_NOTIFIER_START + 64;
const TOTAL = SETTINGS_START + 64;

/** Words that the page sets while the machine runs. */
const TIMES_EXITS = 0;

export class MachineSignals {
  readonly buffer: SharedArrayBuffer;
  readonly counters: Int32Array;
  /** Wakes the thread that serves I/O: there is something in one of the devices' queues. */
  readonly serverNotifier: EventNotifier;
  /** Wakes the vCPU thread: completions are on a device's ring, or an acknowledgement has come. */
  readonly vcpuNotifier: EventNotifier;
  readonly #settings: Int32Array;

  static create(): MachineSignals {
    return new MachineSignals(new SharedArrayBuffer(TOTAL));
  }

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.counters = new Int32Array(buffer, COUNTERS_START, counterBytes / 4);
    this.serverNotifier = new EventNotifier(buffer, SERVER_NOTIFIER_START);
    this.vcpuNotifier = new EventNotifier(buffer, VCPU_NOTIFIER_START);
    this.#settings = new Int32Array(buffer, SETTINGS_START, 1);
  }

  /** Is the time of register accesses measured? */
  get timesExits(): boolean {
    return Atomics.load(this.#settings, TIMES_EXITS) !== 0;
  }

  set timesExits(on: boolean) {
    Atomics.store(this.#settings, TIMES_EXITS, on ? 1 : 0);
  }
}
