import { EventNotifier } from "./event_notifier.ts";

/** Timers of browsers and Node; this code is compiled without the types of either. */
declare function setTimeout(callback: () => void, ms: number): unknown;
declare function clearTimeout(timer: unknown): void;

/**
 * An EventNotifier of one thread alone, on memory that is not shared: Atomics.wait and waitAsync refuse that. Whoever sets
 * it runs in the event loop that its owner waits in.
 */
export class LocalEventNotifier extends EventNotifier {
  #wake: (() => void) | undefined;

  override set(): boolean {
    const slept = super.set();
    this.#wake?.();
    return slept;
  }

  /** Nobody else could end such a wait: it is none. */
  override waitBlocking(): void {}

  override waitTurning(timeoutMs: number): Promise<void> {
    if (this.isSet) return Promise.resolve();
    return new Promise(resolve => {
      const end = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(end, timeoutMs);
      this.#wake = end;
    });
  }
}
