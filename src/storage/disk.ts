import { StorageError } from "./block_backend.ts";
import { BlockCache, type BlockCacheOptions } from "./block_cache.ts";
import type { DiskStore, LbaBytes, NewDisk, SeedRecord } from "./disk_store.ts";
import { IndexedDbBackend } from "./indexeddb_backend.ts";
import { databaseName, deleteDatabase } from "./indexeddb_database.ts";

/** What a disk is, for the page to show. */
export interface DiskDescription {
  readonly name: string;
  /** Bytes that the guest sees. */
  readonly capacityBytes: number;
  /** Bytes that are in use in storage or in the cache. */
  readonly allocatedBytes: number;
  readonly chunkBytes: number;
  /** Logical block size. */
  readonly lbaBytes: LbaBytes;
  /** SHA-256 of the image that the disk was seeded with; undefined while it was not, or not completely. */
  readonly seededSha256: string | undefined;
}

/** A disk that this tab owns: opened by name, kept in IndexedDB, served through its block cache. */
export class Disk {
  readonly name: string;
  /** What a controller serves I/O from. */
  readonly cache: BlockCache;
  readonly #store: DiskStore;
  readonly #unlock: () => void;

  private constructor(name: string, store: DiskStore, cache: BlockCache, unlock: () => void) {
    this.name = name;
    this.#store = store;
    this.cache = cache;
    this.#unlock = unlock;
  }

  /**
   * Opens disk `name`, or creates it as `create` says when there is none. Rejects with StorageError: "unavailable"
   * when another tab has it open, when there is none and `create` is absent, or when its format is not known.
   */
  static async open(
    name: string,
    options: { readonly create?: NewDisk; readonly cache?: BlockCacheOptions } = {},
  ): Promise<Disk> {
    const unlock = await lockDisk(name);
    try {
      const store: DiskStore = await IndexedDbBackend.open(name, options.create);
      try {
        return new Disk(name, store, await BlockCache.open(store, options.cache), unlock);
      } catch (error) {
        await store.close();
        throw error;
      }
    } catch (error) {
      unlock();
      throw error;
    }
  }

  /** False once the browser has closed or deleted its database, or close() was called. */
  get isOpen(): boolean {
    return this.#store.isOpen;
  }

  /** SHA-256 of the image that the disk was completely seeded with. */
  get seededSha256(): string | undefined {
    return this.#store.metadata.seededSha256;
  }

  /** SHA-256 of the image whose seeding was begun and not finished: the content is worthless then. */
  get seedingSha256(): string | undefined {
    return this.#store.metadata.seedingSha256;
  }

  /** Durably replaces what is recorded about seeding. For seed.ts. */
  recordSeed(seed: SeedRecord): Promise<void> {
    return this.#store.recordSeed(seed);
  }

  describe(): DiskDescription {
    return {
      name: this.name,
      capacityBytes: this.cache.byteLength,
      allocatedBytes: this.cache.allocatedBytes,
      chunkBytes: this.#store.chunkBytes,
      lbaBytes: this.#store.metadata.lbaBytes,
      seededSha256: this.seededSha256,
    };
  }

  /** Flushes, closes and lets other tabs have the disk. Rejects with StorageError if data could not be saved. */
  async close(): Promise<void> {
    try {
      await this.cache.close();
    } finally {
      this.#unlock();
    }
  }
}

/**
 * Deletes a disk and all that is on it. A disk that does not exist is fine. Rejects with StorageError "unavailable"
 * while any tab, this one included, has it open.
 */
export async function wipeDisk(name: string): Promise<void> {
  const unlock = await lockDisk(name);
  try {
    await deleteDatabase(name);
  } finally {
    unlock();
  }
}

/** The page before a reload holds its locks for a moment longer; an other tab holds them for good. */
const LOCK_WAIT_MS = 2000;

/** Takes the Web Lock that makes this tab the disk's only owner; the browser frees it when the tab dies. */
function lockDisk(name: string): Promise<() => void> {
  if (typeof navigator === "undefined" || !navigator.locks) {
    throw new StorageError(
      "unavailable",
      "This browser has no Web Locks, which keep two tabs from damaging a disk. Open the page over HTTPS or use another browser.",
    );
  }
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(
        databaseName(name),
        { signal: AbortSignal.timeout(LOCK_WAIT_MS) },
        () => new Promise<void>(unlock => resolve(unlock)),
      )
      .catch((error: unknown) => {
        reject(
          error instanceof DOMException && (error.name === "TimeoutError" || error.name === "AbortError")
            ? new StorageError(
                "unavailable",
                `Disk "${name}" is in use by another tab. Close it there, then try again.`,
              )
            : error,
        );
      });
  });
}
