import type { BlockDevice } from "./block_device.ts";
import type { IoVector } from "./io_vector.ts";

/**
 * A disk that is still being filled from its image: all that is asked of it waits until that is durable, so that nobody reads what
 * is not there yet, and nothing is answered that an interrupted filling would take back.
 */
export class FillingDevice implements BlockDevice {
  readonly #disk: BlockDevice;
  readonly #filled: Promise<void>;
  #isFilled = false;

  constructor(disk: BlockDevice, filled: Promise<void>) {
    this.#disk = disk;
    this.#filled = filled;
    filled.then(
      () => {
        this.#isFilled = true;
      },
      // Those who wait hear of it.
      () => {},
    );
  }

  get byteLength(): number {
    return this.#disk.byteLength;
  }

  get allocatedBytes(): number {
    return this.#disk.allocatedBytes;
  }

  tryRead(offset: number, into: IoVector): boolean {
    return this.#isFilled && this.#disk.tryRead(offset, into);
  }

  tryWrite(offset: number, from: IoVector): boolean {
    return this.#isFilled && this.#disk.tryWrite(offset, from);
  }

  tryZero(offset: number, byteLength: number): boolean {
    return this.#isFilled && this.#disk.tryZero(offset, byteLength);
  }

  async prepare(intent: "read" | "write", offset: number, byteLength: number): Promise<void> {
    await this.#filled;
    await this.#disk.prepare(intent, offset, byteLength);
  }

  async flush(): Promise<void> {
    await this.#filled;
    await this.#disk.flush();
  }

  async flushRange(offset: number, byteLength: number): Promise<void> {
    await this.#filled;
    await this.#disk.flushRange(offset, byteLength);
  }

  close(): Promise<void> {
    return this.#disk.close();
  }
}
