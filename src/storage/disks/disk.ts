import { StorageError } from "../block_backend.ts";
import { BlockCache, type BlockCacheOptions } from "../cache/block_cache.ts";
import { defaultCacheBytes } from "../cache/cache_size.ts";
import { type DiskStore, type LbaBytes, type NewDisk, newMetadata, type SeedRecord } from "../disk_store.ts";
import { IndexedDbBackend } from "../indexeddb/indexeddb_backend.ts";
import { databaseName, deleteDatabase } from "../indexeddb/indexeddb_database.ts";
import { type DiskSnapshot, readSnapshot } from "../indexeddb/indexeddb_snapshot.ts";
import { SnapshotBackend, SnapshotTooLargeError } from "../snapshot_backend.ts";
import { SnapshotStore } from "../snapshot_store.ts";
import type { ChunkSink } from "../transfer/chunk_sink.ts";
import type { TransferControl } from "../transfer/transfer_control.ts";
import { lockDisk } from "./disk_lock.ts";

/** For a copy of a disk, whose chunks are in memory besides. */
const COPY_CACHE_BYTES = 32 * 2 ** 20;

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

export interface DiskOptions {
  /** The geometry of a disk that does not exist yet. */
  readonly create?: NewDisk;
  readonly cache?: BlockCacheOptions;
  /** Opens what keeps the disk, once its lock is held. Default: IndexedDbBackend.open. */
  readonly openStore?: () => Promise<DiskStore>;
  /** Take the disk away from another tab, one that does not answer. What it has not saved is lost. */
  readonly steal?: boolean;
  /** Another tab has taken the disk away: it serves nothing any more. */
  readonly onStolen?: () => void;
}

/** A disk that this tab owns: opened by name, kept in IndexedDB or as `openStore` says, served through its block cache. */
export class Disk {
  readonly name: string;
  /** What a controller serves I/O from. */
  readonly cache: BlockCache;
  readonly #store: SnapshotStore;
  readonly #unlock: () => void;

  private constructor(name: string, store: SnapshotStore, cache: BlockCache, unlock: () => void) {
    this.name = name;
    this.#store = store;
    this.cache = cache;
    this.#unlock = unlock;
  }

  /**
   * Opens disk `name`, or creates it as `create` says when there is none. Rejects with DiskInUseError when another tab
   * has it open and `steal` is not set, with StorageError "unavailable" when there is none and `create` is absent, or
   * when its format is not known.
   */
  static async open(name: string, options: DiskOptions = {}): Promise<Disk> {
    let opened: Disk | undefined;
    let stolen = false;
    const unlock = await lockDisk(name, {
      steal: options.steal ?? false,
      // Another tab owns the disk from now on: what this one has not saved must never reach it.
      onStolen: () => {
        stolen = true;
        if (!opened) return;
        opened.cache.abandon(stolenError(name));
        options.onStolen?.();
      },
    });
    try {
      const open = options.openStore ?? (() => IndexedDbBackend.open(name, options.create));
      const store = new SnapshotStore(await open());
      try {
        const cache = await BlockCache.open(store, options.cache);
        if (stolen) throw stolenError(name);
        opened = new Disk(name, store, cache, unlock);
        return opened;
      } catch (error) {
        await store.close();
        throw error;
      }
    } catch (error) {
      unlock();
      throw error;
    }
  }

  /**
   * A disk of one's own that begins as a copy of disk `name` as of now, whoever has that open, or empty when there is
   * none. It lives in memory: what is written is gone when it is closed. Rejects with SnapshotTooLargeError, and with
   * StorageError when it cannot be read.
   */
  static async openCopy(
    name: string,
    { create, limitBytes = defaultCacheBytes() }: { readonly create: NewDisk; readonly limitBytes?: number },
  ): Promise<Disk> {
    const snapshot = await snapshotOf(name, create, limitBytes);
    const store = new SnapshotStore(new SnapshotBackend(snapshot, limitBytes));
    // The chunks are in memory already: the cache above is only what writes go through.
    return new Disk(name, store, await BlockCache.open(store, { cacheBytes: COPY_CACHE_BYTES }), () => {});
  }

  /** An empty disk that lives in memory as openCopy()'s does, with the cache of a disk in storage. */
  static async openEmpty(name: string, create: NewDisk, limitBytes: number): Promise<Disk> {
    const snapshot = { metadata: newMetadata(0, create), chunks: new Map() };
    const store = new SnapshotStore(new SnapshotBackend(snapshot, limitBytes));
    return new Disk(name, store, await BlockCache.open(store), () => {});
  }

  /** A disk that no other tab can have, on a store that is open. It owns the store; when it rejects, the caller still does. */
  static async openOn(name: string, store: DiskStore, cache: BlockCacheOptions = {}): Promise<Disk> {
    const copying = new SnapshotStore(store);
    return new Disk(name, copying, await BlockCache.open(copying, cache), () => {});
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

  /** Durably replaces what is recorded about seeding, and names what is on the disk. For seed.ts. */
  recordSeed(seed: SeedRecord, generation?: string): Promise<void> {
    return this.#store.recordSeed(seed, generation);
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

  /** Durably changes the logical block size; what is on the disk stays. Rejects with StorageError. */
  setLbaBytes(lbaBytes: LbaBytes): Promise<void> {
    return this.#store.setLbaBytes(lbaBytes);
  }

  /** Flushes, and names what is durable then: DiskStore.seal. Undefined for a disk that keeps no generations. */
  async seal(): Promise<string | undefined> {
    await this.cache.flush();
    return await this.#store.seal?.();
  }

  get chunkBytes(): number {
    return this.#store.chunkBytes;
  }

  /** Flushes, then copies what is durable at that moment while the disk goes on being used: SnapshotStore.copyTo. */
  async copyTo(sink: ChunkSink, control: TransferControl): Promise<void> {
    await this.cache.flush();
    await this.#store.copyTo(sink, control);
  }

  /** Flushes, closes and lets other tabs have the disk. Rejects with StorageError if data could not be saved. */
  async close(): Promise<void> {
    try {
      await this.cache.close();
    } finally {
      this.#unlock();
    }
  }

  /** Closes a disk that is about to be deleted: nothing more is saved. */
  discard(): void {
    this.cache.abandon(new StorageError("unavailable", `Disk "${this.name}" is being deleted.`));
    this.#unlock();
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

async function snapshotOf(name: string, create: NewDisk, limitBytes: number): Promise<DiskSnapshot> {
  const databases = await indexedDB.databases();
  if (!databases.some(database => database.name === databaseName(name))) {
    return { metadata: newMetadata(0, create), chunks: new Map() };
  }
  try {
    return await readSnapshot(name, limitBytes);
  } catch (error) {
    if (error instanceof StorageError && error.kind === "no-space") {
      throw new SnapshotTooLargeError(name, limitBytes);
    }
    throw error;
  }
}

const stolenError = (name: string) =>
  new StorageError("unavailable", `Another tab has taken disk "${name}" over.`);
