import type { BlockDevice } from "../block_device.ts";
import { IoVector } from "../io_vector.ts";
import type { Scheduler } from "../scheduler.ts";

/** A scheduler whose time passes only when the test says so. */
export class ManualScheduler implements Scheduler {
  #now = 0;
  readonly #timers = new Set<{ due: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { due: this.#now + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Lets time pass, runs what falls due in order, and gives promises their turn in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = [...this.#timers].filter(timer => timer.due <= end).sort((a, b) => a.due - b.due)[0];
      if (!next) break;
      this.#now = next.due;
      this.#timers.delete(next);
      next.callback();
    }
    this.#now = end;
  }
}

/** Lets everything run that waits for promises only. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
}

/** A vector over all of `memory`, cut into segments of the given lengths (the rest is the last one), out of order. */
export function vectorOf(memory: Uint8Array, lengths: readonly number[] = []): IoVector {
  const vector = new IoVector(memory, lengths.length + 1);
  let left = memory.length;
  for (const length of [...lengths, memory.length]) {
    const taken = Math.min(length, left);
    if (taken === 0) continue;
    left -= taken;
    vector.add(left, taken); // from the end of memory backwards, so that no two segments merge
  }
  return vector;
}

/** Writes as a device does: try, prepare, try again. */
export async function write(device: BlockDevice, offset: number, data: Uint8Array): Promise<void> {
  const vector = vectorOf(data);
  while (!device.tryWrite(offset, vector)) await device.prepare("write", offset, data.length);
}

/** Reads as a device does. */
export async function read(device: BlockDevice, offset: number, byteLength: number): Promise<Uint8Array> {
  const data = new Uint8Array(byteLength).fill(0xee);
  const vector = vectorOf(data);
  while (!device.tryRead(offset, vector)) await device.prepare("read", offset, byteLength);
  return data;
}

/** Zeroes as a device does. */
export async function zero(device: BlockDevice, offset: number, byteLength: number): Promise<void> {
  while (!device.tryZero(offset, byteLength)) await device.prepare("write", offset, byteLength);
}
