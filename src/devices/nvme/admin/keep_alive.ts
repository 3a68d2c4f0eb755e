/** Granularity of the timer (KAS in Identify Controller), in units of 100 ms: one second. */
export const KEEP_ALIVE_GRANULARITY = 10;

/** The Keep Alive timer (NVMe 1.4, sections 5.16, 5.21.1.15 and 7.12). Off until the host sets a timeout. */
export class KeepAlive {
  #timeoutMs = 0;
  #restartedAt = 0;

  /** Takes the value of feature 0Fh, in milliseconds; 0 switches the timer off. Rounded up to the granularity. */
  configure(timeoutMs: number, now: () => number): void {
    const unit = KEEP_ALIVE_GRANULARITY * 100;
    const rounded = Math.ceil(timeoutMs / unit) * unit;
    if (rounded === this.#timeoutMs) return;
    this.#timeoutMs = rounded;
    if (rounded !== 0) this.#restartedAt = now();
  }

  /** The Keep Alive command. */
  restart(now: () => number): void {
    if (this.#timeoutMs !== 0) this.#restartedAt = now();
  }

  /** Has the host been silent for too long? No clock is read while the timer is off. */
  isExpired(now: () => number): boolean {
    return this.#timeoutMs !== 0 && now() - this.#restartedAt > this.#timeoutMs;
  }
}
