/** All counters of a device, or of several together. */
export interface Counters {
  /** I/O commands completed. */
  readonly commands: number;
  /** Reads among them. */
  readonly reads: number;
  /** Writes among them. */
  readonly writes: number;
  /** Flushes among them. */
  readonly flushes: number;
  /** Admin commands completed. */
  readonly adminCommands: number;
  /** Data moved to the guest by I/O commands, in units of 512 bytes (as SMART does, so that 32 bits last long). */
  readonly sectorsRead: number;
  /** Data moved from the guest, in the same units. */
  readonly sectorsWritten: number;
  /** Commands that ended with an error status. */
  readonly errors: number;
  /** Faults injected. */
  readonly faults: number;
  /** Submission queue tail doorbells written through MMIO. */
  readonly doorbellsRung: number;
  /** Tail updates that the iothread found in the shadow buffer, for which no doorbell was rung. */
  readonly doorbellsElided: number;
  /** Tail updates that only the vCPU thread's sweep found: each would have been a lost doorbell. */
  readonly doorbellsSwept: number;
  /** Reads and writes of the controller's registers by the guest. */
  readonly mmioExits: number;
  /** Microseconds that the vCPU thread spent in those, while that is measured (`timeExits()`). */
  readonly exitTimeUs: number;
  /** Interrupts raised. */
  readonly interrupts: number;
  /** Times the iothread was woken from sleep. */
  readonly iothreadWakeups: number;
  /** Times the vCPU thread was. */
  readonly vcpuWakeups: number;
  /** Busy waits of the iothread. */
  readonly polls: number;
  /** Those in which work came. */
  readonly pollHits: number;
  /** Busy waits of the halted vCPU thread. */
  readonly haltPolls: number;
  /** Those in which a completion came. */
  readonly haltPollHits: number;
  /** Tails that the iothread read from guest memory and took at once (strongly ordered host). */
  readonly shadowTailsTaken: number;
  /** Tails that it held back to a safe point. */
  readonly shadowTailsHeld: number;
  /** Present value, not a count: the iothread's adaptive polling time in microseconds. */
  readonly pollTimeUs: number;
  /** Present value: what the iothread does now (IothreadState). */
  readonly iothreadState: number;
  /** Present value: flushes that wait for storage. */
  readonly flushesInProgress: number;
}

export type CounterName = keyof Counters;

/**
 * Counters that every thread adds to and the page reads some times a second, in one SharedArrayBuffer. The order here is
 * the layout: one 32-bit word each, wrapping; the reader extends them to plain numbers.
 */
export const counterNames = [
  "commands",
  "reads",
  "writes",
  "flushes",
  "adminCommands",
  "sectorsRead",
  "sectorsWritten",
  "errors",
  "faults",
  "doorbellsRung",
  "doorbellsElided",
  "doorbellsSwept",
  "mmioExits",
  "exitTimeUs",
  "interrupts",
  "iothreadWakeups",
  "vcpuWakeups",
  "polls",
  "pollHits",
  "haltPolls",
  "haltPollHits",
  "shadowTailsTaken",
  "shadowTailsHeld",
  "pollTimeUs",
  "iothreadState",
  "flushesInProgress",
] as const satisfies readonly CounterName[];

/** The words that hold a present value and may fall. */
const gauges: ReadonlySet<CounterName> = new Set(["pollTimeUs", "iothreadState", "flushesInProgress"]);

/** Values of the `iothreadState` counter. */
export const IothreadState = { stopped: 0, busy: 1, polling: 2, sleeping: 3 } as const;

/** Index of each counter in the words of the buffer. */
export const Counter = Object.fromEntries(counterNames.map((name, index) => [name, index])) as Readonly<
  Record<CounterName, number>
>;

export const counterBytes = counterNames.length * 4;

/** Adds to a counter. Threads never share a counter word that both add to without atomics, so all adds are atomic. */
export function addCounter(words: Int32Array, index: number, amount = 1): void {
  Atomics.add(words, index, amount);
}

export function setCounter(words: Int32Array, index: number, value: number): void {
  Atomics.store(words, index, value);
}

/** Reads all counters, summed over several blocks of them. Words wrap at 2^32; the reader keeps the overflow. */
export class CounterReader {
  readonly #blocks: readonly { readonly words: Int32Array; readonly last: Uint32Array }[];
  readonly #totals = new Float64Array(counterNames.length);

  constructor(blocks: readonly Int32Array[]) {
    this.#blocks = blocks.map(words => ({ words, last: new Uint32Array(counterNames.length) }));
  }

  read(): Record<CounterName, number> {
    const result = {} as Record<CounterName, number>;
    for (const [i, name] of counterNames.entries()) {
      if (gauges.has(name)) this.#totals[i] = 0;
      for (const { words, last } of this.#blocks) {
        const now = Atomics.load(words, i) >>> 0;
        this.#totals[i] += gauges.has(name) ? now : (now - last[i]) >>> 0;
        last[i] = now;
      }
      result[name] = this.#totals[i];
    }
    return result;
  }
}
