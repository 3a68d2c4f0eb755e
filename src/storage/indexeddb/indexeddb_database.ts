import { StorageError } from "../block_backend.ts";
import { type DiskMetadata, type NewDisk, newMetadata } from "../disk_store.ts";
import { storageErrorFrom } from "./indexeddb_errors.ts";

/**
 * Raised whenever the meaning of what is stored changes; also the version of the database. Older disks are converted
 * when they are opened, newer ones are refused. What the versions are is in docs/storage.md, "On disk".
 */
export const FORMAT_VERSION = 2;

export type StoreName = "chunks" | "journal" | "metadata";

/** Keys in object store "metadata". */
export const METADATA_KEY = "disk";
export const OWNER_KEY = "owner";
export const GENERATION_KEY = "generation";

/**
 * What names the disk's content as it is (DiskStore.seal). Whoever opens the disk without knowing of this leaves an owner behind
 * that is not the one here, and the name means nothing any more.
 */
export interface GenerationRecord {
  readonly id: string;
  readonly owner: string;
}

export function databaseName(disk: string): string {
  return `doorbell-disk-${disk}`;
}

/** Opens a disk's database, creates it as `create` says, or converts it from an older format. */
export function openDatabase(name: string, create: NewDisk | undefined): Promise<IDBDatabase> {
  const created = create && newMetadata(FORMAT_VERSION, create);
  return new Promise((resolve, reject) => {
    const request = factory().open(databaseName(name), FORMAT_VERSION);
    let refusal: StorageError | undefined;
    // All of it happens in the upgrade's own transaction: nobody ever sees a disk that is half made or half converted.
    request.onupgradeneeded = ({ oldVersion }) => {
      const { result: db, transaction } = request;
      const refuse = (error: StorageError) => {
        refusal = error;
        transaction!.abort(); // leaves no empty database behind, and an old one as it was
      };
      if (oldVersion === 0 && !created) return refuse(noSuchDisk(name));
      if (oldVersion === 0) {
        db.createObjectStore("chunks");
        db.createObjectStore("metadata").put(created, METADATA_KEY);
      }
      db.createObjectStore("journal");
      if (oldVersion === 1) convertVersion1(name, transaction!, refuse);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => {
      if (refusal) reject(refusal);
      else if (request.error?.name === "VersionError") reject(unknownFormat(name, "newer"));
      else reject(storageErrorFrom(request.error, `Opening disk "${name}" failed`));
    };
  });
}

/** Opens a disk's database as it is, of whatever version, for reading. Other connections stay open. */
export function openExisting(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory().open(databaseName(name));
    let missing = false;
    request.onupgradeneeded = () => {
      missing = true;
      request.transaction!.abort();
    };
    request.onsuccess = () => {
      const db = request.result;
      if (db.version <= FORMAT_VERSION) return resolve(db);
      db.close();
      reject(unknownFormat(name, "newer"));
    };
    request.onerror = () =>
      reject(missing ? noSuchDisk(name) : storageErrorFrom(request.error, `Opening disk "${name}" failed`));
  });
}

/** Version 1 had no journal and no logical block size: all disks had blocks of 512 bytes. */
function convertVersion1(
  name: string,
  transaction: IDBTransaction,
  refuse: (error: StorageError) => void,
): void {
  const metadata = transaction.objectStore("metadata");
  const request = metadata.get(METADATA_KEY);
  request.onsuccess = () => {
    const old = request.result as DiskMetadata | undefined;
    if (old?.formatVersion !== 1) return refuse(unknownFormat(name, String(old?.formatVersion ?? "unknown")));
    metadata.put(fromVersion1(old), METADATA_KEY);
  };
}

function fromVersion1(metadata: DiskMetadata): DiskMetadata {
  return { ...metadata, formatVersion: FORMAT_VERSION, lbaBytes: 512 };
}

/** What a database says of its disk. Throws StorageError "unavailable" when that is another format than its version. */
export function checkMetadata(name: string, db: IDBDatabase, value: unknown): DiskMetadata {
  const metadata = value as DiskMetadata | undefined;
  if (metadata?.formatVersion !== db.version) {
    throw unknownFormat(name, String(metadata?.formatVersion ?? "unknown"));
  }
  return metadata.formatVersion === 1 ? fromVersion1(metadata) : metadata;
}

/**
 * Deletes a disk's database. Waits for connections that are just closing; rejects when one stays open for longer than
 * `timeoutMs`. Deleting the files of a large disk may take longer than that.
 */
export function deleteDatabase(name: string, timeoutMs = 5000): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = factory().deleteDatabase(databaseName(name));
    let timer: ReturnType<typeof setTimeout> | undefined;
    request.onblocked = () => {
      const message = `Disk "${name}" is still open elsewhere. Close the other tab, then delete it again.`;
      timer = setTimeout(() => reject(new StorageError("unavailable", message)), timeoutMs);
    };
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

/** Resolves at "complete". A full disk shows only here: the transaction aborts, no request reports an error. */
export function finished(transaction: IDBTransaction): Promise<void> {
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

function noSuchDisk(name: string): StorageError {
  return new StorageError("unavailable", `There is no disk "${name}".`);
}

function unknownFormat(name: string, version: string): StorageError {
  return new StorageError(
    "unavailable",
    `Disk "${name}" has format version ${version}; this Doorbell reads versions up to ${FORMAT_VERSION}. ` +
      "Use the Doorbell that made it, or delete the disk.",
  );
}
