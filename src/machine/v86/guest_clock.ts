import type { V86Emulator } from "./seams.ts";

/**
 * The guest's time, in milliseconds: the host's, but for the while that the guest is held (slow motion). Its time stamp
 * counter and timers follow it, so that nothing in the guest times out meanwhile.
 */
export class GuestClock {
  readonly #hostNow: () => number;
  /** By how much the guest is behind. */
  #behind = 0;
  /** The host's time at which it was held; NaN while it runs. */
  #heldAt = Number.NaN;

  constructor(hostNow: () => number = () => performance.now()) {
    this.#hostNow = hostNow;
  }

  readonly now = (): number => (Number.isNaN(this.#heldAt) ? this.#hostNow() : this.#heldAt) - this.#behind;

  get isHeld(): boolean {
    return !Number.isNaN(this.#heldAt);
  }

  /** Time stands still from now on. */
  hold(): void {
    if (!this.isHeld) this.#heldAt = this.#hostNow();
  }

  /** Time goes on, `passedMs` after where it was held (at most as much as has really passed). */
  release(passedMs = 0): void {
    if (!this.isHeld) return;
    const held = this.#hostNow() - this.#heldAt;
    this.#behind += Math.max(0, held - Math.max(0, passedMs));
    this.#heldAt = Number.NaN;
  }

  /** The guest's time is this from now on: that of a snapshot. All that its machine has noted as due stays so. */
  goOnFrom(ms: number): void {
    this.#behind = (this.isHeld ? this.#heldAt : this.#hostNow()) - ms;
  }

  /** Makes it the clock of a v86 whose wasm has got it as its `microtick` import already. */
  install(emulator: V86Emulator): void {
    emulator.v86.constructor.microtick = this.now;
  }
}
