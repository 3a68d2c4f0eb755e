import { type Pace, Step } from "../../devices/pace.ts";
import type { EventNotifier } from "../../eventloop/event_notifier.ts";
import type { EventLoopTurn } from "../../eventloop/turn.ts";
import type { GuestClock } from "./guest_clock.ts";

export interface PacerOptions {
  readonly pace: Pace;
  readonly clock: GuestClock;
  readonly notifier: EventNotifier;
  readonly turn: EventLoopTurn;
  /** Is there a device that has nothing for the step that is going on, so that the guest must run for it? */
  readonly stepNeedsGuest: () => boolean;
  /** A safe point, and a turn of I/O that this thread serves. */
  readonly serve: () => void;
  /** A clock in milliseconds that goes on: the host's. */
  readonly now: () => number;
}

/** What the guest did before it is held. */
export interface Stretch {
  /** Milliseconds that it ran. */
  readonly ranMs: number;
  /** Milliseconds that it has nothing to do now: below 1 it would go on at once. Asked again when something has come. */
  readonly idleMs: () => number;
}

/** In slow motion the devices are looked at so often, in milliseconds. */
const LOOK_MS = 5;
const STANDING_LOOK_MS = 1000;

/**
 * Holds the guest's CPU, with its clock, while the machine stands still or goes slowly. The thread's event loop turns
 * meanwhile and the devices go on at their own pace, so that nothing that the page asks for is held up.
 *
 * In slow motion of 1/N a stretch of guest code is followed by a stand-still of N−1 times as long, and idle time takes N
 * times as long.
 */
export class Pacer {
  readonly #options: PacerOptions;

  constructor(options: PacerOptions) {
    this.#options = options;
  }

  /** May the guest run without further ado? */
  get isFree(): boolean {
    const { pace, stepNeedsGuest } = this.#options;
    return pace.isFull || (pace.isStanding && pace.step !== Step.none && stepNeedsGuest());
  }

  /** Resolves when the guest may run again. */
  async hold({ ranMs, idleMs }: Stretch): Promise<void> {
    const { pace, clock, notifier, serve, now } = this.#options;
    clock.hold();
    const start = now();
    const idle = idleMs();
    let passed = 0;
    for (;;) {
      serve();
      const { slowness } = pace;
      if (slowness === 0) {
        if (this.isFree) break;
        pace.guestStands = true;
        await this.#sleep(STANDING_LOOK_MS);
        continue;
      }
      const elapsed = now() - start;
      passed = idle >= 1 ? elapsed / slowness : 0;
      const due = idle >= 1 ? idle * slowness : ranMs * (slowness - 1);
      if (slowness === 1 || elapsed >= due || (idle >= 1 && idleMs() < 1)) break;
      pace.guestStands = true;
      await this.#sleep(Math.min(LOOK_MS, due - elapsed));
    }
    pace.guestStands = false;
    notifier.cancelSleep();
    clock.release(Math.min(passed, Math.max(0, idle)));
  }

  async #sleep(ms: number): Promise<void> {
    const { notifier, turn } = this.#options;
    notifier.announceSleep();
    // What is set at each look must not keep messages out.
    if (notifier.isSet) await turn();
    else await notifier.waitTurning(ms);
    notifier.cancelSleep();
  }
}
