import type { BlockBackend } from "./block_backend.ts";

/** Logical block sizes that a disk can present to the guest, in bytes. */
export type LbaBytes = 512 | 4096;

/** What a disk knows of itself besides its chunks; kept with them. */
export interface DiskMetadata {
  /** Of the backend that keeps the disk: each counts its own formats. */
  readonly formatVersion: number;
  /** Bytes, a power of two of at least 4096. */
  readonly chunkBytes: number;
  readonly chunkCount: number;
  /** Logical block size. */
  readonly lbaBytes: LbaBytes;
  /** SHA-256 (as the caller spells it) of the image that the disk was completely seeded with. */
  readonly seededSha256?: string | undefined;
  /** Set while an image is being written: what is on the disk then is worthless. */
  readonly seedingSha256?: string | undefined;
  /** Drawn by whoever opens the disk and changes it, before the first change: a part of what `seal` says (OPFS). */
  readonly writer?: string | undefined;
}

/** What is recorded about seeding. */
export type SeedRecord = Pick<DiskMetadata, "seededSha256" | "seedingSha256">;

/** The geometry of a disk that is created when it does not exist yet. */
export interface NewDisk {
  /** Bytes; rounded up to whole chunks. */
  readonly capacityBytes: number;
  /** Bytes, a power of two of at least 4096. Default: DEFAULT_CHUNK_BYTES. */
  readonly chunkBytes?: number;
  /** Logical block size. Default: 512. */
  readonly lbaBytes?: LbaBytes;
}

/** A backend that keeps one disk by name, with its description: what a `Disk` stands on. */
export interface DiskStore extends BlockBackend {
  readonly metadata: DiskMetadata;
  /** False once the disk was closed, or was taken away (deleted, taken over, the browser closed its database). */
  readonly isOpen: boolean;

  /**
   * Durably replaces what is recorded about seeding. With `generation` that is the name of what is on the disk from then on, as if
   * it was sealed by it (in IndexedDB). Rejects with StorageError.
   */
  recordSeed(seed: SeedRecord, generation?: string): Promise<void>;

  /** Durably changes the logical block size; what is on the disk stays. Rejects with StorageError. */
  setLbaBytes(lbaBytes: LbaBytes): Promise<void>;

  /**
   * Names what is durable when this is called: the name of the disk's generation, a UUID. It stays the same, also when the disk
   * is closed and opened, until something is committed that changes the disk; that gives it a new one in the same transaction.
   * Rejects with StorageError. Absent where no generations are kept.
   */
  readonly seal?: (() => Promise<string>) | undefined;

  /**
   * Makes the disk larger, rounded up to whole chunks; the new part reads as zeroes. Durable when it resolves;
   * `chunkCount` and `metadata` have changed then. Rejects with RangeError when that would not make it larger, and
   * with StorageError. A cache above has the size it was opened with: open the disk anew.
   */
  grow(capacityBytes: number): Promise<void>;
}

/**
 * 256 KiB. Chromium keeps IndexedDB values up to 64 KiB inside LevelDB and stalls on bulk writes of them; larger
 * values become a file each. From there on streaming writes gain with the chunk (128 KiB 93, 256 KiB 117, 512 KiB 130,
 * 1 MiB 141 MB/s in one run of measure.mjs), but flushing one 4 KiB write costs a whole chunk (3.4, 5.3, 11, 10 ms)
 * and so does a random read (1.2, 1.2, 1.9, 3.1 ms): 256 KiB is the last size where both stay small.
 */
export const DEFAULT_CHUNK_BYTES = 256 * 1024;

/** The description of a new disk; throws RangeError for a geometry that no disk can have. */
export function newMetadata(
  formatVersion: number,
  { capacityBytes, chunkBytes = DEFAULT_CHUNK_BYTES, lbaBytes = 512 }: NewDisk,
): DiskMetadata {
  if (chunkBytes < 4096 || !Number.isInteger(Math.log2(chunkBytes))) {
    throw new RangeError(`A chunk of ${chunkBytes} bytes is not a power of two of at least 4096.`);
  }
  if (lbaBytes !== 512 && lbaBytes !== 4096) {
    throw new RangeError(`A logical block of ${lbaBytes} bytes is neither 512 nor 4096.`);
  }
  if (!(capacityBytes > 0)) throw new RangeError(`A disk cannot have ${capacityBytes} bytes.`);
  return { formatVersion, chunkBytes, chunkCount: Math.ceil(capacityBytes / chunkBytes), lbaBytes };
}

/** The description of a disk that is to have `capacityBytes`; throws RangeError unless that is more than now. */
export function grownMetadata(metadata: DiskMetadata, capacityBytes: number): DiskMetadata {
  const { chunkBytes, chunkCount } = metadata;
  const grown = Math.ceil(capacityBytes / chunkBytes);
  if (!(grown > chunkCount && Number.isSafeInteger(capacityBytes))) {
    throw new RangeError(
      `A disk of ${chunkCount * chunkBytes} bytes cannot be made ${capacityBytes} bytes: it only grows, by ${chunkBytes} bytes at least.`,
    );
  }
  return { ...metadata, chunkCount: grown };
}
