import type { BlockDevice } from "../../storage/block_device.ts";
import { IoVector } from "../../storage/io_vector.ts";
import type { V86Buffer } from "./media.ts";

/** A command of ATA moves 65536 sectors at most. */
const MAX_BYTES = 65_536 * 512;
const FIRST_BOUNCE_BYTES = 256 * 512;

/** A disk behind its cache as a medium of v86's IDE drives. Requests are done in the order in which they came. */
export class DiskBuffer implements V86Buffer {
  readonly byteLength: number;
  onload?: (event: object) => void;
  readonly #disk: BlockDevice;
  /** As large as the largest request so far. */
  #bounce = new IoVector(new Uint8Array(FIRST_BOUNCE_BYTES), 1);
  /** The end of what has to wait; undefined when nothing does. */
  #waiting: Promise<void> | undefined;
  #flushes = 0;
  /** The first write that could not be done since the last flush. */
  #writeError: unknown;
  /** Told of a read that could not be done; its `done` is never called then. */
  onReadError: (error: unknown) => void = () => {};

  /** `byteLength`: of what the guest sees, the first bytes of the disk. Its first sector must be in memory. */
  constructor(disk: BlockDevice, byteLength: number) {
    this.#disk = disk;
    this.byteLength = byteLength;
  }

  load(): void {
    this.onload?.({});
  }

  get(start: number, length: number, done: (data: Uint8Array) => void): void {
    const cached = this.#isInside(start, length)
      ? this.get_from_cache(start, length)
      : new Uint8Array(Math.min(length, MAX_BYTES));
    if (cached) {
      done(cached);
      return;
    }
    this.#inOrder(async () => {
      await this.#disk.prepare("read", start, length);
      while (!this.#tryRead(start, length)) await this.#disk.prepare("read", start, length);
      done(this.#bounce.memory.slice(0, length));
    }, this.onReadError);
  }

  get_and_cache(start: number, length: number, done: (data: Uint8Array) => void): void {
    this.get(start, length, done);
  }

  get_from_cache(start: number, length: number): Uint8Array | undefined {
    if (this.#waiting || !this.#isInside(start, length)) return undefined;
    return this.#tryRead(start, length) ? this.#bounce.memory.slice(0, length) : undefined;
  }

  /** v86's drive may have told the guest that it is done already: an error comes with the next flush. */
  set(start: number, data: Uint8Array, done: () => void): void {
    if (!this.#isInside(start, data.length) || (!this.#waiting && this.#tryWrite(start, data))) {
      done();
      return;
    }
    // The drive's buffer has something else in it soon.
    const copy = data.slice();
    this.#inOrder(
      async () => {
        while (!this.#tryWrite(start, copy)) await this.#disk.prepare("write", start, copy.length);
        done();
      },
      error => {
        this.#writeError ??= error;
        done();
      },
    );
  }

  /** Resolves when all that was written before is durable; rejects if some of it will not be. */
  async flush(): Promise<void> {
    this.#flushes++;
    try {
      while (this.#waiting) await this.#waiting;
      const error = this.#writeError;
      this.#writeError = undefined;
      await this.#disk.flush();
      if (error !== undefined) throw error;
    } finally {
      this.#flushes--;
    }
  }

  /** What is not done yet, or was not told to the guest yet, as the end of "it is busy with …". */
  get busyWith(): string | undefined {
    if (this.#waiting) return "a transfer of an IDE disk";
    if (this.#flushes > 0) return "a flush of an IDE disk";
    return this.#writeError === undefined ? undefined : "a write to an IDE disk that could not be saved";
  }

  get_buffer(done: (buffer?: ArrayBuffer) => void): void {
    done();
  }

  /** The content is the disk's own affair. */
  get_state(): unknown[] {
    return [];
  }

  set_state(): void {}

  #isInside(start: number, length: number): boolean {
    return start >= 0 && length > 0 && length <= MAX_BYTES && start + length <= this.byteLength;
  }

  #tryRead(start: number, length: number): boolean {
    return this.#disk.tryRead(start, this.#bounceOf(length));
  }

  #tryWrite(start: number, data: Uint8Array): boolean {
    const bounce = this.#bounceOf(data.length);
    bounce.memory.set(data);
    return this.#disk.tryWrite(start, bounce);
  }

  #bounceOf(length: number): IoVector {
    if (this.#bounce.memory.length < length) this.#bounce = new IoVector(new Uint8Array(length), 1);
    this.#bounce.clear();
    this.#bounce.add(0, length);
    return this.#bounce;
  }

  #inOrder(work: () => Promise<void>, failed: (error: unknown) => void): void {
    const before = this.#waiting ?? Promise.resolve();
    const after = before
      .then(work)
      .catch(failed)
      .then(() => {
        if (this.#waiting === after) this.#waiting = undefined;
      });
    this.#waiting = after;
  }
}
