import type { BlockDevice } from "../../../storage/block_device.ts";
import type { IoVector } from "../../../storage/io_vector.ts";

/** A disk whose every delay and failure is the test's. */
export class TestDisk implements BlockDevice {
  readonly byteLength: number;
  readonly allocatedBytes = 0;
  readonly bytes: Uint8Array;
  /** What survives: the content as of the last flush that succeeded. */
  readonly durable: Uint8Array;
  /** Nothing is in memory: each request has to be prepared first. */
  cold = false;
  /** What prepare and flush reject with. */
  failure: Error | undefined;
  flushes = 0;
  prepares = 0;
  #gate: Promise<void> = Promise.resolve();
  #prepared = false;

  constructor(byteLength: number) {
    this.byteLength = byteLength;
    this.bytes = new Uint8Array(byteLength);
    this.durable = new Uint8Array(byteLength);
  }

  /** Lets prepare and flush wait until the returned function is called. */
  hold(): () => void {
    let release = () => {};
    this.#gate = new Promise(resolve => {
      release = resolve;
    });
    return release;
  }

  tryRead(offset: number, into: IoVector): boolean {
    return this.#try(offset, into.byteLength, () => {
      let at = offset;
      for (let i = 0; i < into.count; i++) {
        into.memory.set(this.bytes.subarray(at, at + into.lengths[i]), into.offsets[i]);
        at += into.lengths[i];
      }
    });
  }

  tryWrite(offset: number, from: IoVector): boolean {
    return this.#try(offset, from.byteLength, () => {
      let at = offset;
      for (let i = 0; i < from.count; i++) {
        const start = from.offsets[i];
        this.bytes.set(from.memory.subarray(start, start + from.lengths[i]), at);
        at += from.lengths[i];
      }
    });
  }

  tryZero(offset: number, byteLength: number): boolean {
    return this.#try(offset, byteLength, () => void this.bytes.fill(0, offset, offset + byteLength));
  }

  async prepare(_intent: "read" | "write", offset: number, byteLength: number): Promise<void> {
    this.#check(offset, byteLength);
    this.prepares += 1;
    await this.#gate;
    if (this.failure) throw this.failure;
    this.#prepared = true;
  }

  async flush(): Promise<void> {
    this.flushes += 1;
    const content = this.bytes.slice();
    await this.#gate;
    if (this.failure) throw this.failure;
    this.durable.set(content);
  }

  async flushRange(offset: number, byteLength: number): Promise<void> {
    this.#check(offset, byteLength);
    const content = this.bytes.slice(offset, offset + byteLength);
    await this.#gate;
    if (this.failure) throw this.failure;
    this.durable.set(content, offset);
  }

  async close(): Promise<void> {}

  #try(offset: number, byteLength: number, move: () => void): boolean {
    this.#check(offset, byteLength);
    if (this.cold && !this.#prepared) return false;
    this.#prepared = false;
    move();
    return true;
  }

  #check(offset: number, byteLength: number): void {
    if (!(offset >= 0 && byteLength >= 0 && offset + byteLength <= this.byteLength)) {
      throw new RangeError(`${byteLength} bytes at ${offset} lie outside of the disk`);
    }
  }
}
