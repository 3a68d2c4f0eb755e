/** What the measuring workers have in common: requests as a device makes them, and clocks. */
import type { BlockDevice } from "../block_device.ts";
import { IoVector } from "../io_vector.ts";

export const KiB = 1024;
export const MiB = 1024 * KiB;

/** Guest memory of the size of one request. */
export const guest = new Uint8Array(new SharedArrayBuffer(MiB));
const vector = new IoVector(guest, 1);

/** Random bytes: LevelDB compresses. getRandomValues takes no shared memory, and 64 KiB at a time. */
export function fillGuest(): void {
  for (let at = 0; at < MiB; at += 64 * KiB) {
    guest.set(crypto.getRandomValues(new Uint8Array(64 * KiB)), at);
  }
}

export async function read(device: BlockDevice, offset: number, byteLength: number): Promise<void> {
  vector.clear();
  vector.add(0, byteLength);
  while (!device.tryRead(offset, vector)) await device.prepare("read", offset, byteLength);
}

export async function write(device: BlockDevice, offset: number, byteLength: number): Promise<void> {
  vector.clear();
  vector.add(0, byteLength);
  while (!device.tryWrite(offset, vector)) await device.prepare("write", offset, byteLength);
}

/** Reads everything up to byte `end` in order, `step` bytes at a time. */
export async function readAll(device: BlockDevice, end: number, step: number): Promise<void> {
  vector.clear();
  vector.add(0, step);
  for (let at = 0; at < end; at += step) {
    while (!device.tryRead(at, vector)) await device.prepare("read", at, step);
  }
}

/** MB/s (10⁶ bytes) of work that moves so many MiB. */
export async function throughput(mebibytes: number, work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return (mebibytes * MiB) / 1000 / (performance.now() - start);
}

export async function times(count: number, once: (i: number) => Promise<number>): Promise<number[]> {
  const results: number[] = [];
  for (let i = 0; i < count; i++) results.push(await once(i));
  return results;
}

export function quantile(values: number[], q: number): number {
  return values.sort((a, b) => a - b)[Math.floor(q * (values.length - 1))];
}
