import type { Pace } from "../../devices/pace.ts";
import type { EventNotifier } from "../../eventloop/event_notifier.ts";
import { SpinTrial } from "../../eventloop/spin_trial.ts";
import type { EventLoopTurn } from "../../eventloop/turn.ts";
import { addCounter, Counter } from "../../trace/counters.ts";
import type { FirmwarePace } from "./firmware_pace.ts";
import { Freezer } from "./freezer.ts";
import type { GuestClock } from "./guest_clock.ts";
import { override } from "./override.ts";
import { Pacer } from "./pacer.ts";
import { bytes, type V86Emulator, words } from "./seams.ts";

/** A device that is served at the vCPU thread's safe points. */
export interface SafePointDevice {
  safePoint(idle: boolean): void;
  /** Is there something on its rings? */
  readonly hasWork: boolean;
  /** Is an answer expected soon, so that a short wait is worth it? */
  readonly ioInFlight: boolean;
  /** Milliseconds until it wants a safe point whatever happens; Infinity, or absent, if it does not. */
  readonly interruptDueInMs?: number | undefined;
  /** Single steps: must the guest run for the one that is going on? Undefined for a device that is not stepped. */
  readonly stepNeedsGuest?: boolean | undefined;
}

/** I/O that this very thread serves, in its event loop: the serving modes `mmio` and `mainloop`. */
export interface MainLoop {
  /** Has a notifier been set that the event loop should look at? */
  readonly isNotified: boolean;
  /** Called in each turn of the event loop. */
  dispatch(): void;
}

export interface RunLoopOptions {
  readonly emulator: V86Emulator;
  readonly devices: readonly SafePointDevice[];
  readonly notifier: EventNotifier;
  readonly turn: EventLoopTurn;
  readonly counters: Int32Array;
  /** Undefined where another thread serves the I/O: only then may this one wait for it. */
  readonly mainLoop: MainLoop | undefined;
  readonly firmwarePace: FirmwarePace;
  /** Slow motion, for which the guest is held together with its clock. */
  readonly pace: Pace;
  readonly clock: GuestClock;
  /** Longest busy wait for a completion while the guest is halted, in microseconds. */
  readonly haltPollMaxUs: number;
  /** May this thread block? A page's main thread may not. Default: true. */
  readonly mayBlock?: boolean;
  /**
   * The guest has halted with interrupts off, as Linux does when it is switched off: nothing will wake it but a reset from
   * outside. Where there is one, the loop ends then.
   */
  readonly onHalted?: () => void;
  /** Called now and then, at least every few milliseconds while the guest runs: terminal output, serial input. */
  readonly housekeeping: (guestIsIdle: boolean) => void;
}

/** Guest code runs this long between two turns of the worker's event loop (JIT compilation, messages). */
const SLICE_MS = 4;
/** With I/O in flight and nothing to do, the thread blocks for this long before its event loop turns again. */
const BLOCKING_WAIT_MS = 1;
const EFLAGS_IF = 1 << 9;
const SPINS_PER_CLOCK_READ = 32;
/** Shortest halt poll: what is left of it while storage is slow. */
const HALT_POLL_MIN_US = 25;

/**
 * The vCPU thread's loop. It replaces v86's own way of yielding (in a worker: a message to a helper worker and back
 * for each tick) and adds what KVM calls halt polling: when the guest halts with I/O in flight, leaving v86's loop and
 * coming back costs more than a fast I/O takes, so the loop first looks at the completion ring for a short while.
 */
export class RunLoop {
  readonly #options: RunLoopOptions;
  /** What v86 asked for in its last yield: milliseconds to wait (0: go on), and the tick to give back. */
  #delayMs = 0;
  #looping = false;
  #scheduled = false;
  #haltPollUs = HALT_POLL_MIN_US;
  /** How long the guest ran before it was last left, in milliseconds. */
  #ranMs = 0;
  readonly #pacer: Pacer;
  readonly #trial = new SpinTrial();
  readonly #isDead: () => boolean;
  /** Put back v86's own methods. */
  readonly #restore: readonly (() => void)[];
  readonly #freezer = new Freezer();
  #ended = false;

  constructor(options: RunLoopOptions) {
    this.#options = options;
    const { v86 } = options.emulator;
    // Ends the helper worker of a V86 that somebody else has made (helper_worker.ts).
    v86.unregister_yield();
    const restoreRegister = override(v86, "register_yield", () => {});
    const restoreYield = override(v86, "yield", delayMs => {
      this.#delayMs = delayMs;
      if (this.#looping) return;
      // Something (a key, say) ended the guest's idling while this thread sleeps: cut the sleep short.
      if (this.#scheduled && delayMs < 1) options.notifier.set();
      else void this.#schedule();
    });
    const { cpu } = v86;
    this.#pacer = new Pacer({
      ...options,
      stepNeedsGuest: () => options.devices.every(({ stepNeedsGuest = true }) => stepNeedsGuest),
      serve: () => {
        this.#safePoint(this.#delayMs >= 1);
        options.mainLoop?.dispatch();
        options.housekeeping(true);
      },
      now: () => performance.now(),
    });
    const halted = bytes(cpu.in_hlt);
    const flags = words(cpu.flags);
    this.#isDead = () => halted[0] !== 0 && (flags[0] & EFLAGS_IF) === 0;
    const runHardwareTimers = cpu.run_hardware_timers.bind(cpu);
    const { firmwarePace } = options;
    const restoreTimers = override(cpu, "run_hardware_timers", (acpiEnabled, now) => {
      // v86 calls this between two stretches of guest code, about every 100,000 instructions: a safe point.
      firmwarePace.resume();
      this.#safePoint(halted[0] !== 0);
      if (firmwarePace.isOn) this.#waitForPollingGuest();
      // The step has happened: not one stretch more.
      if (options.pace.isStanding && !this.#pacer.isFree) firmwarePace.cut();
      return runHardwareTimers(acpiEnabled, now);
    });
    this.#restore = [restoreTimers, restoreYield, restoreRegister];
  }

  /** Hands the guest back to v86's own loop, in which it goes on if it was running. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const restore of this.#restore) restore();
    const { emulator, notifier, firmwarePace } = this.#options;
    firmwarePace.resume();
    notifier.set();
    const { v86 } = emulator;
    // v86 does that once and for all when it is made: one that stands may be started again.
    v86.register_yield();
    if (v86.running) v86.yield(0, v86.tick_counter);
  }

  /** How long the guest and the devices can do without this thread. */
  get #sleepMs(): number {
    let ms = this.#delayMs;
    for (const { interruptDueInMs = ms } of this.#options.devices) ms = Math.min(ms, interruptDueInMs);
    return Math.max(0, ms);
  }

  /** The signal is taken before any device looks: what comes later sets it again. */
  #safePoint(idle: boolean): void {
    const { notifier, devices } = this.#options;
    notifier.testAndClear();
    for (const device of devices) device.safePoint(idle);
  }

  /** Would a safe point do anything now? Cheap: asked over and over while the guest is halted. */
  get #hasWork(): boolean {
    const { notifier, devices } = this.#options;
    if (notifier.isSet) return true;
    for (const device of devices) if (device.hasWork) return true;
    return false;
  }

  /** Lets the event loop turn, or sleeps as long as the guest has nothing to do, then goes on. */
  async #schedule(): Promise<void> {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const { mainLoop, firmwarePace, turn, clock } = this.#options;
    const pacer = this.#pacer;
    if (pacer.isFree) {
      await this.#rest();
    } else {
      clock.hold();
      // This may be called in the middle of what hold() calls: a byte for the serial port raises its interrupt.
      await turn();
    }
    if (this.#freezer.isWanted) await this.#stand();
    if (pacer.isFree) clock.release();
    else await pacer.hold({ ranMs: this.#ranMs, idleMs: () => this.#delayMs });
    this.#scheduled = false;
    if (this.#ended) return;
    mainLoop?.dispatch();
    // A guest that polls need not run up to its next safe point to see what was served.
    if (mainLoop && firmwarePace.isOn) this.#safePoint(false);
    if (!this.#ended) this.#run();
  }

  /**
   * Has the guest stand still, with its clock, between two stretches of its code. Resolves with true when `isQuiet` says that
   * nothing is under way in the devices, which go on until then; with false, and the guest goes on, when that takes longer
   * than `limitMs`. thaw() lets it go on.
   */
  freeze(isQuiet: () => boolean, limitMs: number): Promise<boolean> {
    const frozen = this.#freezer.freeze(isQuiet, limitMs);
    this.#options.notifier.set();
    return frozen;
  }

  thaw(): void {
    this.#freezer.thaw();
  }

  #stand(): Promise<void> {
    const { notifier, mainLoop, housekeeping, clock } = this.#options;
    clock.hold();
    return this.#freezer.stand({
      serve: () => {
        this.#safePoint(true);
        mainLoop?.dispatch();
        housekeeping(true);
      },
      wait: () => notifier.waitTurning(1),
      now: () => performance.now(),
    });
  }

  async #rest(): Promise<void> {
    const { notifier, turn, mainLoop } = this.#options;
    if (this.#delayMs < 1 || mainLoop?.isNotified) {
      await turn();
      return;
    }
    notifier.announceSleep();
    this.#safePoint(true);
    // The safe point may have raised an interrupt, which makes v86 yield with delay 0.
    if (this.#delayMs >= 1 && !notifier.isSet) await notifier.waitTurning(this.#sleepMs);
    notifier.cancelSleep();
  }

  #run(): void {
    const { v86 } = this.#options.emulator;
    const { firmwarePace } = this.#options;
    this.#looping = true;
    const start = performance.now();
    do {
      this.#delayMs = 0;
      v86.do_tick();
      if (firmwarePace.resume()) this.#delayMs = 0;
      if (this.#ended || !v86.running || this.#options.mainLoop?.isNotified) break;
    } while (
      this.#pacer.isFree &&
      (this.#delayMs < 1 || this.#waitHalted()) &&
      performance.now() < start + SLICE_MS
    );
    this.#ranMs = performance.now() - start;
    this.#looping = false;
    if (this.#ended) return;
    this.#options.housekeeping(this.#delayMs >= 1);
    if (this.#ended) return;
    const { onHalted } = this.#options;
    if (onHalted && this.#isDead()) {
      this.#ended = true;
      onHalted();
    } else if (v86.running) {
      void this.#schedule();
    }
  }

  /** The guest is halted: waits a little for a completion. True if the guest has something to do again. */
  #waitHalted(): boolean {
    const { devices, mainLoop, haltPollMaxUs } = this.#options;
    this.#safePoint(true);
    if (this.#delayMs < 1) return true;
    if (mainLoop || !devices.some(device => device.ioInFlight)) return false;
    const start = performance.now();
    const spins = haltPollMaxUs > 0 && this.#trial.next(start);
    if (!(spins && this.#haltPoll(start)) && !this.#waitBlocking(this.#delayMs)) return false;
    if (this.#trial.isMeasured) {
      const now = performance.now();
      this.#trial.record(now, now - start);
    }
    this.#safePoint(true);
    return this.#delayMs < 1;
  }

  /** The firmware does nothing but wait while a command is under way: this thread may as well sleep, or serve it. */
  #waitForPollingGuest(): void {
    const { devices, mainLoop, firmwarePace } = this.#options;
    if (mainLoop?.isNotified) firmwarePace.cut();
    if (mainLoop || !devices.some(device => device.ioInFlight)) return;
    if (this.#waitBlocking(BLOCKING_WAIT_MS)) this.#safePoint(false);
  }

  /** Blocking wakes ten times faster than a turn of the event loop. True if there is something for a safe point. */
  #waitBlocking(atMostMs: number): boolean {
    const { notifier, counters, haltPollMaxUs, mayBlock = true } = this.#options;
    if (!mayBlock) return false;
    const start = performance.now();
    notifier.announceSleep();
    if (!this.#hasWork) notifier.waitBlocking(Math.min(atMostMs, BLOCKING_WAIT_MS));
    notifier.cancelSleep();
    if (!this.#hasWork) return false;
    addCounter(counters, Counter.vcpuWakeups);
    // Polling for the longest time would have caught this one: do so next time.
    if ((performance.now() - start) * 1000 < haltPollMaxUs) this.#haltPollUs = haltPollMaxUs;
    return true;
  }

  /** Busy-waits for a completion. True if one came. */
  #haltPoll(start: number): boolean {
    const { counters, haltPollMaxUs } = this.#options;
    addCounter(counters, Counter.haltPolls);
    const us = this.#trial.isMeasured ? haltPollMaxUs : Math.min(this.#haltPollUs, haltPollMaxUs);
    const end = start + us / 1000;
    do {
      for (let i = 0; i < SPINS_PER_CLOCK_READ; i++) {
        if (!this.#hasWork) continue;
        addCounter(counters, Counter.haltPollHits);
        this.#haltPollUs = haltPollMaxUs;
        return true;
      }
    } while (performance.now() < end);
    // Storage was slower than that: poll less next time.
    this.#haltPollUs = Math.max(HALT_POLL_MIN_US, this.#haltPollUs / 2);
    return false;
  }
}
