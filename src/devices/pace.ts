/**
 * How fast a machine goes, in shared memory: full speed, slow motion, or standing still but for single steps. The page
 * steers; the two threads of the machine look here before each event that a step can be.
 */

/** What one step lets happen; then everything stands still again. */
export const Step = {
  none: 0,
  /** The guest announces commands: by a doorbell, or in the shadow doorbell buffer. */
  doorbell: 1,
  /** The controller fetches one submission queue entry. */
  fetch: 2,
  /** The controller posts one completion queue entry. */
  completion: 3,
} as const;

export type StepName = Exclude<keyof typeof Step, "none">;

/** Page: 0 full speed, 1 standing still, N ≥ 2 slow motion of 1/N. */
const SLOWNESS = 0;
/**
 * The step that is asked for. A token: the page puts it where there is none, or takes it back; the thread in which the
 * step happens takes it, so that one token is one event, whichever thread comes first.
 */
const STEP = 1;
/** vCPU: 1 while the guest's CPU stands still. */
const GUEST_STANDS = 2;
/** Server: 1 while it keeps entries waiting that it knows of. */
const HOLDS_FETCHES = 3;
const WORDS = 4;

const FULL = 0;
const STANDING = 1;

/** A stage of the device's work (doorbell to fetch, done to posted) takes so long times the slowness in slow motion. */
export const STAGE_US = 100;

export class Pace {
  static readonly byteLength = WORDS * 4;
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer, byteOffset: number) {
    this.#words = new Int32Array(buffer, byteOffset, WORDS);
  }

  /** Full speed: nothing of all this matters. A plain load, as it is asked before each event. */
  get isFull(): boolean {
    return this.#words[SLOWNESS] === FULL;
  }

  /** Nothing happens but the step that is asked for. */
  get isStanding(): boolean {
    return Atomics.load(this.#words, SLOWNESS) === STANDING;
  }

  /** N where the machine goes at 1/N: 1 is full speed, 0 is standing still. */
  get slowness(): number {
    const word = Atomics.load(this.#words, SLOWNESS);
    return word === FULL ? 1 : word === STANDING ? 0 : word;
  }

  /** Page. */
  set slowness(n: number) {
    Atomics.store(this.#words, SLOWNESS, n === 1 ? FULL : n === 0 ? STANDING : n);
  }

  /** The step that is going on: a value of Step. */
  get step(): number {
    return Atomics.load(this.#words, STEP);
  }

  /** Page: asks for a step. False if one is going on. */
  ask(step: number): boolean {
    return Atomics.compareExchange(this.#words, STEP, Step.none, step) === Step.none;
  }

  /** A thread that is about to let `step` happen takes the token; the page takes it back. False if it is not there. */
  take(step: number): boolean {
    return step !== Step.none && Atomics.compareExchange(this.#words, STEP, step, Step.none) === step;
  }

  get guestStands(): boolean {
    return Atomics.load(this.#words, GUEST_STANDS) !== 0;
  }

  /** vCPU. */
  set guestStands(stands: boolean) {
    Atomics.store(this.#words, GUEST_STANDS, stands ? 1 : 0);
  }

  get holdsFetches(): boolean {
    return Atomics.load(this.#words, HOLDS_FETCHES) !== 0;
  }

  /** Server. */
  set holdsFetches(holds: boolean) {
    Atomics.store(this.#words, HOLDS_FETCHES, holds ? 1 : 0);
  }
}

/** Slow motion of one stage after the other: each begins when it is first looked at. Of one thread. */
export class StageTimer {
  readonly #pace: Pace;
  readonly #now: () => number;
  #dueAt = Number.NaN;

  /** `now` in milliseconds. */
  constructor(pace: Pace, now: () => number) {
    this.#pace = pace;
    this.#now = now;
  }

  /** Is the stage that goes on over? Then the next one begins with the next call. */
  isOver(): boolean {
    const now = this.#now();
    const lasts = (STAGE_US / 1000) * this.#pace.slowness;
    if (Number.isNaN(this.#dueAt)) this.#dueAt = now + lasts;
    // The speed may have been changed in the middle of it.
    if (now < Math.min(this.#dueAt, now + lasts)) return false;
    this.#dueAt = Number.NaN;
    return true;
  }
}
