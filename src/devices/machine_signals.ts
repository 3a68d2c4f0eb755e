import { EventNotifier } from "../eventloop/event_notifier.ts";
import { LocalEventNotifier } from "../eventloop/local_event_notifier.ts";
import { counterBytes } from "../trace/counters.ts";
import { TraceReader, Tracer, traceRingBytes } from "../trace/trace_ring.ts";
import { Pace } from "./pace.ts";
import { allocateShared, isShared } from "./shared_buffer.ts";

/**
 * What all devices of a machine have in common, in one SharedArrayBuffer: the notifiers of the two threads, the
 * counters of their loops and their flight recorders. (Each device counts its own commands in its own state.)
 */
const COUNTERS_START = 0;
const SERVER_NOTIFIER_START = (COUNTERS_START + counterBytes + 63) & ~63;
const VCPU_NOTIFIER_START = SERVER_NOTIFIER_START + 64;
const SETTINGS_START = VCPU_NOTIFIER_START + 64;
const PACE_START = SETTINGS_START + 64;
const SERVER_TRACE_START = PACE_START + 64;
const VCPU_TRACE_START = SERVER_TRACE_START + traceRingBytes;
const TOTAL = VCPU_TRACE_START + traceRingBytes;

/** Words that the page sets while the machine runs. */
const TIMES_EXITS = 0;
const OBSERVED = 1;
/** Goes up when threads that stand still are to go on. */
const STALLS_CUT = 2;
/** Goes up when the vCPU thread is to publish what only it knows of its queues. */
const LOOKS = 3;

export class MachineSignals {
  readonly buffer: SharedArrayBuffer;
  readonly counters: Int32Array;
  /** Wakes the thread that serves I/O: there is something in one of the devices' queues. */
  readonly serverNotifier: EventNotifier;
  /** Wakes the vCPU thread: completions are on a device's ring, or an acknowledgement has come. */
  readonly vcpuNotifier: EventNotifier;
  /** Records of the thread that serves I/O, and of the vCPU thread; off unless `observed`. */
  readonly serverTrace: Tracer;
  readonly vcpuTrace: Tracer;
  /** Slow motion and single steps. */
  readonly pace: Pace;
  readonly #settings: Int32Array;

  static create(): MachineSignals {
    return new MachineSignals(allocateShared(TOTAL));
  }

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.counters = new Int32Array(buffer, COUNTERS_START, counterBytes / 4);
    const Notifier = isShared(buffer) ? EventNotifier : LocalEventNotifier;
    this.serverNotifier = new Notifier(buffer, SERVER_NOTIFIER_START);
    this.vcpuNotifier = new Notifier(buffer, VCPU_NOTIFIER_START);
    this.#settings = new Int32Array(buffer, SETTINGS_START, 4);
    this.pace = new Pace(buffer, PACE_START);
    // A plain load: it is asked on each event, and a record more or less does not matter.
    const isObserved = () => this.#settings[OBSERVED] !== 0;
    this.serverTrace = new Tracer(this.#traceWords(SERVER_TRACE_START), isObserved);
    this.vcpuTrace = new Tracer(this.#traceWords(VCPU_TRACE_START), isObserved);
  }

  /** Readers of what both threads record from now on. */
  readTraces(): readonly TraceReader[] {
    return [SERVER_TRACE_START, VCPU_TRACE_START].map(start => new TraceReader(this.#traceWords(start)));
  }

  #traceWords(start: number): Int32Array {
    return new Int32Array(this.buffer, start, traceRingBytes / 4);
  }

  /** Does somebody look at the queues? Then both threads record what they do, and the vCPU thread publishes its queues. */
  get observed(): boolean {
    return this.#settings[OBSERVED] !== 0;
  }

  set observed(on: boolean) {
    Atomics.store(this.#settings, OBSERVED, on ? 1 : 0);
    if (on) this.look();
  }

  /** Number of the latest look(). A plain load: it is asked at each safe point, and one later does as well. */
  get looks(): number {
    return this.#settings[LOOKS];
  }

  /** Somebody is about to look at the queues: the vCPU thread publishes them at its next safe point, a halted guest's now. */
  look(): void {
    Atomics.add(this.#settings, LOOKS, 1);
    this.vcpuNotifier.set();
  }

  /** Holds the calling thread up for so many milliseconds (fault injection), or until cutStalls(). */
  stall(ms: number): void {
    Atomics.wait(this.#settings, STALLS_CUT, Atomics.load(this.#settings, STALLS_CUT), ms);
  }

  cutStalls(): void {
    Atomics.add(this.#settings, STALLS_CUT, 1);
    Atomics.notify(this.#settings, STALLS_CUT);
  }

  /** Is the time of register accesses measured? */
  get timesExits(): boolean {
    return Atomics.load(this.#settings, TIMES_EXITS) !== 0;
  }

  set timesExits(on: boolean) {
    Atomics.store(this.#settings, TIMES_EXITS, on ? 1 : 0);
  }
}
