import { get, getMany, keys, type UseStore } from "idb-keyval";
import { type ChunkChange, StorageError } from "./block_backend.ts";
import { checkChanges, checkChunks } from "./chunk_checks.ts";
import {
  type DiskMetadata,
  type DiskStore,
  grownMetadata,
  type NewDisk,
  newMetadata,
  type SeedRecord,
} from "./disk_store.ts";
import { storageErrorFrom } from "./indexeddb_errors.ts";

/** Raised whenever the meaning of what is stored changes. A disk of another version is refused, not guessed at. */
const FORMAT_VERSION = 1;

const METADATA_KEY = "disk";

export function databaseName(disk: string): string {
  return `doorbell-disk-${disk}`;
}

/**
 * A disk in one IndexedDB database: object store "chunks" (key: chunk number, value: Uint8Array) and object store
 * "metadata" with one record. Every commit is one transaction of durability "strict".
 */
export class IndexedDbBackend implements DiskStore {
  readonly chunkBytes: number;
  readonly #name: string;
  readonly #db: IDBDatabase;
  #metadata: DiskMetadata;
  /** Why the database can no longer be used; undefined while it can. */
  #closedBecause: string | undefined;

  private constructor(name: string, db: IDBDatabase, metadata: DiskMetadata) {
    this.#name = name;
    this.#db = db;
    this.#metadata = metadata;
    this.chunkBytes = metadata.chunkBytes;
    db.onversionchange = () => this.#release("another tab deletes it");
    db.onclose = () => this.#release("the browser closed its database; reload the page to open it again");
  }

  /**
   * Opens disk `name`, or creates it as `create` says when there is none.
   * Rejects with StorageError: "unavailable" (no such disk, unknown format, no IndexedDB), "no-space" or "io".
   */
  static async open(name: string, create?: NewDisk): Promise<IndexedDbBackend> {
    const db = await openDatabase(name, create);
    try {
      const metadata = await get<unknown>(METADATA_KEY, storeOf(db, "metadata")).catch(error => {
        throw storageErrorFrom(error, `Reading the description of disk "${name}" failed`);
      });
      return new IndexedDbBackend(name, db, checkMetadata(name, metadata));
    } catch (error) {
      db.close();
      throw error;
    }
  }

  get metadata(): DiskMetadata {
    return this.#metadata;
  }

  get chunkCount(): number {
    return this.#metadata.chunkCount;
  }

  recordSeed(seed: SeedRecord): Promise<void> {
    const { seededSha256, seedingSha256, ...geometry } = this.#metadata;
    return this.#describe({ ...geometry, ...seed });
  }

  async grow(capacityBytes: number): Promise<void> {
    await this.#describe(grownMetadata(this.#metadata, capacityBytes));
  }

  async #describe(metadata: DiskMetadata): Promise<void> {
    await this.#run("metadata", "readwrite", "Recording the disk's state", store => {
      store.put(metadata, METADATA_KEY);
      return finished(store.transaction);
    });
    this.#metadata = metadata;
  }

  list(): Promise<number[]> {
    return this.#use("Listing the disk's chunks", () => keys<number>(storeOf(this.#db, "chunks")));
  }

  async read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    checkChunks(this, chunks);
    const values = await this.#use("Reading from the disk", () =>
      getMany<unknown>([...chunks], storeOf(this.#db, "chunks")),
    );
    return values.map((value, i) => {
      if (value === undefined || isChunk(value, this.chunkBytes)) return value;
      throw new StorageError(
        "io",
        `Chunk ${chunks[i]} of disk "${this.#name}" is damaged: it is not ${this.chunkBytes} bytes long.`,
      );
    });
  }

  async commit(changes: readonly ChunkChange[]): Promise<void> {
    checkChanges(this, changes);
    // put() serialises the data at once, and all of this runs before the first await: that is the copy we promise.
    await this.#run("chunks", "readwrite", "Writing to the disk", store => {
      try {
        for (const { chunk, data } of changes) {
          if (data) store.put(isWhole(data) ? data : data.slice(), chunk);
          else store.delete(chunk);
        }
      } catch (error) {
        store.transaction.abort(); // else the changes before the bad one would be committed
        throw error;
      }
      return finished(store.transaction);
    });
  }

  async close(): Promise<void> {
    this.#release("it was closed");
  }

  #run(
    storeName: StoreName,
    mode: IDBTransactionMode,
    doing: string,
    body: (store: IDBObjectStore) => Promise<void>,
  ): Promise<void> {
    return this.#use(doing, () => storeOf(this.#db, storeName)(mode, body));
  }

  async #use<T>(doing: string, work: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    try {
      return await work();
    } catch (error) {
      this.#checkOpen();
      throw storageErrorFrom(error, `${doing} "${this.#name}" failed`);
    }
  }

  #checkOpen(): void {
    if (this.#closedBecause !== undefined) {
      throw new StorageError("unavailable", `Disk "${this.#name}" is not open: ${this.#closedBecause}.`);
    }
  }

  get isOpen(): boolean {
    return this.#closedBecause === undefined;
  }

  #release(because: string): void {
    this.#closedBecause ??= because;
    this.#db.close();
  }
}

/** Deletes a disk's database. Waits for connections that are just closing; rejects when one stays open. */
export function deleteDatabase(name: string, timeoutMs = 5000): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = factory().deleteDatabase(databaseName(name));
    const timer = setTimeout(
      () =>
        reject(
          new StorageError(
            "unavailable",
            `Disk "${name}" is still open elsewhere. Close the other tab, then delete it again.`,
          ),
        ),
      timeoutMs,
    );
    request.onsuccess = () => {
      clearTimeout(timer);
      resolve();
    };
    request.onerror = () => {
      clearTimeout(timer);
      reject(storageErrorFrom(request.error, `Deleting disk "${name}" failed`));
    };
  });
}

type StoreName = "chunks" | "metadata";

/**
 * idb-keyval's createStore knows no durability and opens a database of its own; this store uses ours, and starts its
 * transaction synchronously.
 */
function storeOf(db: IDBDatabase, storeName: StoreName): UseStore {
  return async (mode, callback) =>
    callback(db.transaction(storeName, mode, { durability: "strict" }).objectStore(storeName));
}

/** Resolves at "complete". A full disk shows only here: the transaction aborts, no request reports an error. */
function finished(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

function factory(): IDBFactory {
  if (typeof indexedDB === "undefined") {
    throw new StorageError(
      "unavailable",
      "This browser offers no IndexedDB here, so a disk cannot be kept. Leave private browsing or use another browser.",
    );
  }
  return indexedDB;
}

function openDatabase(name: string, create: NewDisk | undefined): Promise<IDBDatabase> {
  const created = create && newMetadata(FORMAT_VERSION, create);
  return new Promise((resolve, reject) => {
    const request = factory().open(databaseName(name), FORMAT_VERSION);
    let missing = false;
    request.onupgradeneeded = () => {
      if (!created) {
        missing = true;
        request.transaction?.abort(); // leaves no empty database behind
        return;
      }
      request.result.createObjectStore("chunks");
      // In the upgrade's own transaction: a database without its description never exists.
      request.result.createObjectStore("metadata").put(created, METADATA_KEY);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => {
      if (missing) reject(new StorageError("unavailable", `There is no disk "${name}".`));
      else if (request.error?.name === "VersionError") reject(unknownFormat(name, "newer"));
      else reject(storageErrorFrom(request.error, `Opening disk "${name}" failed`));
    };
  });
}

function checkMetadata(name: string, value: unknown): DiskMetadata {
  const metadata = value as DiskMetadata | undefined;
  if (metadata?.formatVersion !== FORMAT_VERSION) {
    throw unknownFormat(name, String(metadata?.formatVersion ?? "unknown"));
  }
  return { ...metadata, lbaBytes: metadata.lbaBytes ?? 512 };
}

function unknownFormat(name: string, version: string): StorageError {
  return new StorageError(
    "unavailable",
    `Disk "${name}" has format version ${version}; this Doorbell reads version ${FORMAT_VERSION}. ` +
      "Use the Doorbell that made it, or delete the disk.",
  );
}

function isChunk(value: unknown, chunkBytes: number): value is Uint8Array<ArrayBuffer> {
  return (
    value instanceof Uint8Array && value.byteLength === chunkBytes && value.buffer instanceof ArrayBuffer
  );
}

/** Storing a view stores its whole buffer. */
function isWhole(data: Uint8Array<ArrayBuffer>): boolean {
  return data.byteLength === data.buffer.byteLength;
}
