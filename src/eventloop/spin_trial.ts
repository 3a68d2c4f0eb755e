/**
 * Does busy waiting pay? With a core to itself a thread that spins sees work microseconds earlier than one that sleeps.
 * But where there are more threads than cores, or the scheduler has put both ends of a queue on the same one, it keeps
 * the very thread from running that it waits for: 4 KiB reads at depth 1 then fall to a tenth, and every miss looks as
 * if a slightly longer wait would have been a hit. JavaScript cannot ask the scheduler, so it is tried out: now and then
 * some waits in a row begin with spinning and some do not, and what had the shorter waits is kept until the next trial.
 */

/** Waits of each kind in a trial: the first ones give the scheduler time to place the threads, the rest count. */
const UNCOUNTED_WAITS = 24;
const COUNTED_WAITS = 16;
/** A wait counts as no longer than this: one pause of the guest must not decide. */
const LONGEST_COUNTED_MS = 1;
/** Sleeping must be so much better. On a shared core it is better by far; anything less is noise. */
const CLEARLY = 2;
/** Between two trials; longer each time that a trial confirms the one before. */
const SHORTEST_SETTLED_MS = 50;
const LONGEST_SETTLED_MS = 800;

export class SpinTrial {
  #spins = true;
  #settledMs = SHORTEST_SETTLED_MS;
  #nextTrial = Number.NaN;
  /** What the present wait does; waits of this kind so far in the trial. */
  #phase: "settled" | "spinning" | "sleeping" = "settled";
  #waits = 0;
  readonly #spun: number[] = [];
  readonly #slept: number[] = [];

  /** Before a wait, at time `now` in milliseconds: is it to begin with spinning? */
  next(now: number): boolean {
    if (Number.isNaN(this.#nextTrial)) this.#nextTrial = now + SHORTEST_SETTLED_MS;
    if (this.#phase === "settled" && now >= this.#nextTrial) this.#phase = "spinning";
    return this.#phase === "settled" ? this.#spins : this.#phase === "spinning";
  }

  /** Is a trial going on? Then record() wants to know how long the wait took. */
  get isMeasured(): boolean {
    return this.#phase !== "settled";
  }

  /** Work came at time `now`, by whichever way, so many milliseconds after the wait began. */
  record(now: number, ms: number): void {
    this.#waits += 1;
    if (this.#waits <= UNCOUNTED_WAITS) return;
    const waits = this.#phase === "spinning" ? this.#spun : this.#slept;
    waits.push(Math.min(ms, LONGEST_COUNTED_MS));
    if (waits.length < COUNTED_WAITS) return;
    this.#waits = 0;
    if (this.#phase === "spinning") this.#phase = "sleeping";
    else this.#settle(now);
  }

  #settle(now: number): void {
    const spins = mean(this.#spun) <= mean(this.#slept) * CLEARLY;
    this.#settledMs =
      spins === this.#spins ? Math.min(LONGEST_SETTLED_MS, this.#settledMs * 2) : SHORTEST_SETTLED_MS;
    this.#spins = spins;
    this.#nextTrial = now + this.#settledMs;
    this.#phase = "settled";
    this.#spun.length = 0;
    this.#slept.length = 0;
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
