/** What the run loop does while the guest stands still. */
export interface Standing {
  /** A safe point, and a turn of I/O that this thread serves. */
  serve(): void;
  /** Lets the event loop turn, and a little time pass if nothing comes. */
  wait(): Promise<unknown>;
  /** Milliseconds, monotonic. */
  now(): number;
}

interface Wish {
  readonly isQuiet: () => boolean;
  readonly limitMs: number;
  readonly resolve: (isFrozen: boolean) => void;
}

/** Has the guest stand still until what is under way in its devices has ended, and then until it is let go: for a snapshot. */
export class Freezer {
  #wish: Wish | undefined;
  /** Lets the guest that stands still go on. */
  #release: (() => void) | undefined;

  /** Is the guest to stand still? */
  get isWanted(): boolean {
    return this.#wish !== undefined;
  }

  /** Resolves when it stands still and all is quiet; with false when it goes on because that took too long. */
  freeze(isQuiet: () => boolean, limitMs: number): Promise<boolean> {
    if (this.#wish || this.#release) return Promise.resolve(false);
    return new Promise(resolve => {
      this.#wish = { isQuiet, limitMs, resolve };
    });
  }

  /** Lets the guest go on. */
  thaw(): void {
    this.#release?.();
    this.#release = undefined;
  }

  /** The run loop's part: resolves when the guest may go on. */
  async stand({ serve, wait, now }: Standing): Promise<void> {
    const wish = this.#wish;
    if (!wish) return;
    const deadline = now() + wish.limitMs;
    for (;;) {
      serve();
      if (wish.isQuiet()) break;
      if (now() >= deadline) {
        this.#wish = undefined;
        wish.resolve(false);
        return;
      }
      await wait();
    }
    const released = new Promise<void>(resolve => {
      this.#release = resolve;
    });
    this.#wish = undefined;
    wish.resolve(true);
    await released;
  }
}
