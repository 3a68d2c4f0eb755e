/**
 * Counters that every thread adds to and the page reads some times a second, in one SharedArrayBuffer. The order here is
 * the layout: one 32-bit word each, wrapping; the reader extends them to plain numbers.
 */
export const counterNames = [
  /** I/O commands completed, and among them reads, writes and flushes. */
  "commands",
  "reads",
  "writes",
  "flushes",
  /** Admin commands completed. */
  "adminCommands",
  /** Data moved by I/O commands, in units of 512 bytes (as SMART does, so that 32 bits last long). */
  "sectorsRead",
  "sectorsWritten",
  /** Commands that ended with an error status. */
  "errors",
  /** Faults injected (src/devices/nvme/faults). */
  "faults",
  /** Submission queue tail doorbells written through MMIO. */
  "doorbellsRung",
  /** Tail updates that the iothread found in the shadow buffer, for which no doorbell was rung. */
  "doorbellsElided",
  /** Tail updates that only the vCPU thread's sweep found: each would have been a lost doorbell. */
  "doorbellsSwept",
  /** Reads and writes of the controller's registers by the guest. */
  "mmioExits",
  /** Microseconds that the vCPU thread spent in those, while that is measured (Machine.timeExits). */
  "exitTimeUs",
  /** Interrupts raised. */
  "interrupts",
  /** Times the iothread was woken from sleep, and times the vCPU thread was. */
  "iothreadWakeups",
  "vcpuWakeups",
  /** Busy waits of the iothread, and those in which work came. */
  "polls",
  "pollHits",
  /** Busy waits of the halted vCPU thread, and those in which a completion came. */
  "haltPolls",
  "haltPollHits",
  /** Tails read from guest memory by the iothread: taken at once (strongly ordered host) or held back to a safe point. */
  "shadowTailsTaken",
  "shadowTailsHeld",
  /** Present value, not a count: the iothread's adaptive polling time in microseconds. */
  "pollTimeUs",
  /** Present value: what the iothread does now (IothreadState). */
  "iothreadState",
  /** Present value: flushes that wait for storage. */
  "flushesInProgress",
] as const;

export type CounterName = (typeof counterNames)[number];

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
