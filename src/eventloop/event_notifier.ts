/**
 * An eventfd on shared memory (QEMU's EventNotifier). One thread owns it and sleeps on it; any thread sets it.
 *
 * Setting it costs one atomic store while the owner is awake: `Atomics.notify` is only paid when the owner has
 * announced that it sleeps. The owner announces first and looks for work afterwards, so a set between its last look
 * and its sleep is never lost: the wait returns at once because the value is no longer 0.
 */
const VALUE = 0;
const OWNER = 1;

/** Values of the OWNER word. */
const AWAKE = 0;
/** About to sleep: a set() must notify, but the owner still looks for work once more. */
const ANNOUNCED = 1;
/** It has looked: only a set() brings it back. */
const ASLEEP = 2;

export class EventNotifier {
  /** Bytes that a notifier takes in a SharedArrayBuffer. */
  static readonly byteLength = 8;

  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer, byteOffset: number) {
    this.#words = new Int32Array(buffer, byteOffset, EventNotifier.byteLength / 4);
  }

  /** Signals the owner. Returns true if it slept and had to be woken. */
  set(): boolean {
    Atomics.store(this.#words, VALUE, 1);
    if (Atomics.load(this.#words, OWNER) === AWAKE) return false;
    Atomics.notify(this.#words, VALUE);
    return true;
  }

  /** Owner: takes the signal. */
  testAndClear(): boolean {
    return Atomics.load(this.#words, VALUE) !== 0 && Atomics.exchange(this.#words, VALUE, 0) !== 0;
  }

  /** Is it set? A plain look, for busy waiting. */
  get isSet(): boolean {
    return Atomics.load(this.#words, VALUE) !== 0;
  }

  /** Has the owner looked for work for the last time before it sleeps? Ordered after earlier atomics of the caller. */
  get ownerIsAsleep(): boolean {
    return Atomics.load(this.#words, OWNER) === ASLEEP;
  }

  /** Owner: from here on a set() notifies. Look for work once more after this call, then wait. */
  announceSleep(): void {
    Atomics.store(this.#words, OWNER, ANNOUNCED);
  }

  /** Owner: awake again. */
  cancelSleep(): void {
    Atomics.store(this.#words, OWNER, AWAKE);
  }

  /**
   * Owner, after announceSleep(): blocks the thread until set or until `timeoutMs` is over. About 5 µs from set to
   * wake-up; no promise, message or timer of this thread makes progress meanwhile.
   */
  waitBlocking(timeoutMs: number): void {
    Atomics.store(this.#words, OWNER, ASLEEP);
    Atomics.wait(this.#words, VALUE, 0, timeoutMs);
  }

  /**
   * Owner, after announceSleep(): resolves when set or after `timeoutMs`, with the thread's own event loop turning.
   * About 50 µs, most of it paid by the setter: for waits in which storage or timers must get on.
   */
  waitTurning(timeoutMs: number): Promise<void> {
    Atomics.store(this.#words, OWNER, ASLEEP);
    const result = Atomics.waitAsync(this.#words, VALUE, 0, timeoutMs);
    return result.async ? result.value.then(() => undefined) : Promise.resolve();
  }
}
