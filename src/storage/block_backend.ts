/**
 * Where the blocks of a disk live. A backend moves whole chunks and knows nothing of devices, guests or caches.
 *
 * Chunks are the unit of storage: `chunkBytes` long (a power of two), numbered from 0. A chunk that was never
 * written, or was discarded, does not exist and reads as zeroes (a thin disk). Reads and commits take effect in the order
 * of their calls.
 */
export interface BlockBackend {
  readonly chunkBytes: number;
  readonly chunkCount: number;
  /** Present when the backend stores small changes more cheaply than whole chunks. */
  readonly journal?: JournalTraits | undefined;
  /** Present when content can be read without waiting, straight into the caller's memory. */
  readonly direct?: DirectReads | undefined;

  /** The chunks that exist, ascending. Called once, when the disk is opened. */
  list(): Promise<number[]>;

  /** Reads chunks; a missing one comes back as undefined. The arrays belong to the caller from then on. */
  read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]>;

  /**
   * Writes and removes chunks in ONE atomic, durable step: when the promise resolves all of it survives a killed
   * browser, when it rejects none of it happened. `data` arrays are exactly `chunkBytes` long and are copied before
   * the call returns, so the caller may change them at once.
   */
  commit(changes: readonly ChunkChange[]): Promise<void>;

  close(): Promise<void>;
}

/** One chunk's new content, or `undefined` to remove it. */
export interface ChunkChange {
  readonly chunk: number;
  readonly data: Uint8Array<ArrayBuffer> | undefined;
  /**
   * The journal blocks of the chunk, ascending, outside of which `data` equals what the backend holds; a chunk that it
   * does not hold counts as zeroes. It may then store these alone. Without a journal it means nothing.
   */
  readonly blocks?: readonly number[] | undefined;
  /** `data` equals what the backend holds, with what lies over it: only how it is kept changes. */
  readonly isFold?: boolean | undefined;
}

/** Reading without a copy in between, of storage that answers at once. */
export interface DirectReads {
  /** Reads of fewer bytes each are not worth it: then a whole chunk should be read, and kept. */
  readonly leastBytes: number;
  /**
   * Fills `target`, which may be shared memory, with the content of an existing chunk from its byte `within` on. Throws
   * StorageError; `target` then holds anything.
   */
  readInto(chunk: number, within: number, target: Uint8Array): void;
}

/** When a change is worth the journal. The records must be folded into their chunk some time: commit it whole. */
export interface JournalTraits {
  /** Bytes of a journal block; divides `chunkBytes`. */
  readonly blockBytes: number;
  /** Most blocks of a chunk that are cheaper to store than the chunk. */
  readonly blockLimit: number;
  /** Most chunks that should have records at a time: what is not folded at a crash delays the next opening. */
  readonly chunkLimit: number;
}

/** Why a backend refused. The device turns these into NVMe status codes. */
export type StorageErrorKind =
  /** The browser gives no more room (QuotaExceededError). */
  | "no-space"
  /** A read or write failed for another reason. */
  | "io"
  /** The disk is closed, or another tab owns it. */
  | "unavailable";

export class StorageError extends Error {
  override readonly name: string = "StorageError";
  readonly kind: StorageErrorKind;

  constructor(kind: StorageErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
