import type { IoVector } from "./io_vector.ts";

/**
 * What a controller serves I/O from: a disk behind a write-back cache.
 *
 * Data moves only inside the synchronous calls, so that a device decides at that very moment whether the request may
 * still touch guest memory (a controller reset may have come in between). When a synchronous call answers false the
 * device awaits `prepare` and tries again.
 */
export interface BlockDevice {
  /** Bytes; a multiple of every block size that is offered on it. */
  readonly byteLength: number;

  /** Bytes that the disk takes in storage or cache at present (thin provisioning). */
  readonly allocatedBytes: number;

  /** Copies disk → guest if all of it is in memory; else copies nothing and returns false. */
  tryRead(offset: number, into: IoVector): boolean;

  /**
   * Copies guest → cache if the chunks are in memory (or need not be read) and the cache has room for more dirty
   * data; else copies nothing and returns false.
   */
  tryWrite(offset: number, from: IoVector): boolean;

  /**
   * Makes a range reads as zero, if the partly covered chunks at its ends are in memory; else does nothing and
   * returns false. Whole chunks are dropped, not written. Serves Write Zeroes and Deallocate alike.
   */
  tryZero(offset: number, byteLength: number): boolean;

  /**
   * Resolves when the synchronous call for this range will succeed if made at once, that is before the current task
   * ends. Rejects with StorageError. "write" also prepares tryZero, of any length. For a write
   * it waits while too much dirty data is queued (back-pressure).
   */
  prepare(intent: "read" | "write", offset: number, byteLength: number): Promise<void>;

  /** Resolves when all that was written before the call is durable. Rejects with StorageError; the data stays dirty. */
  flush(): Promise<void>;

  /** Like flush, for one range only: FUA writes. */
  flushRange(offset: number, byteLength: number): Promise<void>;

  /** Flushes and releases the disk. */
  close(): Promise<void>;
}
