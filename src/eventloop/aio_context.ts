import { addCounter, Counter, IothreadState, setCounter } from "../trace/counters.ts";
import { TraceKind, type Tracer } from "../trace/trace_ring.ts";
import type { EventNotifier } from "./event_notifier.ts";
import { SpinTrial } from "./spin_trial.ts";
import type { EventLoopTurn } from "./turn.ts";

/**
 * A source of work for an AioContext; the names are those of QEMU's aio_set_event_notifier_poll.
 * All calls are made by the context's own thread.
 */
export interface AioHandler {
  /** Is there work? Called over and over while busy waiting, so it must be cheap and change nothing. */
  poll(): boolean;
  /** Does what there is to do. Returns true if anything was done. */
  ready(): boolean;
  /** Busy waiting starts: whoever rings may stop ringing. */
  pollBegin(): void;
  /** Busy waiting is over and the thread may sleep: ask to be rung again. Work is looked for once more after this. */
  pollEnd(): void;
  /** Are asynchronous requests under way that need this thread's own event loop to finish? */
  readonly pending: boolean;
}

export interface AioContextOptions {
  readonly notifier: EventNotifier;
  readonly turn: EventLoopTurn;
  /** A clock in milliseconds: performance.now, or in a test without a trace another one. */
  readonly now: () => number;
  readonly counters: Int32Array;
  /** Where changes of state are recorded. */
  readonly trace?: Tracer;
  /** Longest busy wait in microseconds; 0 switches it off (serving mode `iothread`). */
  readonly pollMaxUs: number;
}

/** First busy wait once sleeping proved too short to be worth it. QEMU starts at 4 µs; a browser's clock has 5 µs steps. */
const POLL_START_US = 32;
/** A wait of so many times the longest busy wait is a pause of the guest. */
const PAUSE = 4;
/** Looks at the handlers between two looks at the clock, which costs about 1 µs. */
const SPINS_PER_CLOCK_READ = 64;
/** After this time without work the thread sleeps with its event loop turning, so that timers and messages get in. */
const BLOCKING_SLEEP_MS = 4;
/** A thread that is kept busy still lets its event loop turn this often. */
const MAX_BUSY_MS = 8;
const TURNING_SLEEP_MS = 10_000;

/**
 * The iothread's event loop, as QEMU's aio_poll: run what is ready; else busy-wait for an adaptive time; announce
 * sleep; look once more (that closes the race with a doorbell); sleep.
 *
 * Sleeping has two forms, because IndexedDB needs the worker's own event loop. While a handler has asynchronous
 * requests pending, or the thread has long been idle, the wait lets the event loop turn; only a short wait with
 * nothing pending blocks the thread, which is the form that wakes fastest.
 */
export class AioContext {
  readonly #options: AioContextOptions;
  readonly #handlers: AioHandler[] = [];
  #pollUs = 0;
  #pollMaxUs: number;
  readonly #trial = new SpinTrial();
  #running = false;

  constructor(options: AioContextOptions) {
    this.#options = options;
    this.#pollMaxUs = options.pollMaxUs;
  }

  addHandler(handler: AioHandler): void {
    this.#handlers.push(handler);
  }

  set pollMaxUs(value: number) {
    this.#pollMaxUs = value;
    this.#setPollTime(Math.min(this.#pollUs, value));
  }

  /** Present length of the busy wait, in microseconds. */
  get pollUs(): number {
    return this.#pollUs;
  }

  /** Ends run() at its next look. */
  stop(): void {
    this.#running = false;
    this.#options.notifier.set();
  }

  /** Serves the handlers until stop(). */
  async run(): Promise<void> {
    const { notifier, turn, now, counters } = this.#options;
    this.#running = true;
    let lastTurn = now();
    let idleSince = -1;
    let progress = false;
    let found = false;
    while (this.#running) {
      const start = now();
      // Storage that was started needs the event loop at once. Without it a thread that is kept busy, were it by a
      // guest that makes poll() find what ready() does not want, still lets it turn now and then.
      if ((progress && this.#pending()) || start - lastTurn > MAX_BUSY_MS) {
        await turn();
        lastTurn = now();
      }
      if (notifier.testAndClear() || found) this.#setState(IothreadState.busy, start);
      found = false;
      progress = this.#ready();
      if (progress) {
        idleSince = -1;
        // It came without being announced; what ready() has recorded comes before this.
        if (!this.#isBusy) this.#setState(IothreadState.busy, now());
        continue;
      }
      if (idleSince < 0) idleSince = start;
      const mayPoll = this.#pollUs > 0;
      if (mayPoll && this.#trial.next(start) && (await this.#busyWait(start))) {
        if (this.#trial.isMeasured) {
          const end = now();
          this.#trial.record(end, end - start);
        }
        found = true;
        continue;
      }

      notifier.announceSleep();
      for (const handler of this.#handlers) handler.pollEnd();
      if (this.#ready() || notifier.isSet || !this.#running) {
        notifier.cancelSleep();
        this.#pollBegin();
        continue;
      }
      const asleepAt = now();
      this.#setState(IothreadState.sleeping, asleepAt);
      if (this.#pending() || asleepAt - idleSince >= BLOCKING_SLEEP_MS) {
        await notifier.waitTurning(this.#pending() ? 1 : TURNING_SLEEP_MS);
        lastTurn = now();
      } else {
        notifier.waitBlocking(BLOCKING_SLEEP_MS);
      }
      notifier.cancelSleep();
      this.#pollBegin();
      if (notifier.isSet) {
        addCounter(counters, Counter.iothreadWakeups);
        const woken = now();
        const waitedUs = (woken - start) * 1000;
        // The busy waits of a trial are not the adaptive ones, but long pauses say something about those alone.
        if (mayPoll && this.#trial.isMeasured && waitedUs < PAUSE * this.#pollMaxUs) {
          this.#trial.record(woken, woken - start);
        } else {
          this.#adapt(waitedUs);
        }
      }
    }
    this.#setState(IothreadState.stopped, now());
  }

  #ready(): boolean {
    let progress = false;
    for (const handler of this.#handlers) progress = handler.ready() || progress;
    return progress;
  }

  #poll(): boolean {
    if (this.#options.notifier.isSet) return true;
    for (const handler of this.#handlers) if (handler.poll()) return true;
    return false;
  }

  #pending(): boolean {
    for (const handler of this.#handlers) if (handler.pending) return true;
    return false;
  }

  #pollBegin(): void {
    if (this.#pollMaxUs > 0) for (const handler of this.#handlers) handler.pollBegin();
  }

  /** Busy-waits for up to the present poll time; in a trial for the longest one. True if work came. */
  async #busyWait(start: number): Promise<boolean> {
    const { now, counters, turn } = this.#options;
    addCounter(counters, Counter.polls);
    this.#setState(IothreadState.polling, start);
    const end = start + (this.#trial.isMeasured ? this.#pollMaxUs : this.#pollUs) / 1000;
    do {
      for (let i = 0; i < SPINS_PER_CLOCK_READ; i++) {
        if (this.#poll()) {
          addCounter(counters, Counter.pollHits);
          return true;
        }
      }
      if (this.#pending()) await turn();
    } while (now() < end && this.#running);
    return false;
  }

  /** QEMU's rule (aio_poll): a wait that polling would have covered makes it longer, a far longer wait shorter. */
  #adapt(waitedUs: number): void {
    if (waitedUs <= this.#pollUs) return;
    if (waitedUs > this.#pollMaxUs) {
      this.#setPollTime(this.#pollUs <= POLL_START_US ? 0 : this.#pollUs >> 1);
    } else {
      this.#setPollTime(Math.min(this.#pollMaxUs, this.#pollUs === 0 ? POLL_START_US : this.#pollUs * 2));
    }
  }

  get #isBusy(): boolean {
    return this.#options.counters[Counter.iothreadState] === IothreadState.busy;
  }

  /** `since` is the loop's last look at the clock: another one would be most of what the record costs. */
  #setState(state: number, since: number): void {
    const { counters, trace } = this.#options;
    if (counters[Counter.iothreadState] === state) return;
    if (trace?.isOn) trace.recordAt(since, TraceKind.state, state, this.#pollUs);
    setCounter(counters, Counter.iothreadState, state);
  }

  #setPollTime(us: number): void {
    this.#pollUs = us;
    setCounter(this.#options.counters, Counter.pollTimeUs, us);
  }
}
