import { promisifyRequest } from "idb-keyval";
import { StorageError } from "../block_backend.ts";
import { storageErrorFrom } from "../indexeddb/indexeddb_errors.ts";
import { CatalogueError, checkDiskName, type DiskEntry, isBuiltIn, isWhole } from "./disk_entry.ts";

/** Raised whenever the meaning of what is stored changes. */
const VERSION = 1;
const STORE = "disks";

/**
 * The list of the disks there are, in an IndexedDB database of its own (object store "disks", key `id`). Each change is
 * one strict transaction, so that tabs and workers may change it at the same time; the database is opened for each,
 * because a list that is held open would be in the way when the site's data are cleared.
 *
 * All methods reject with CatalogueError for what cannot be done, and with StorageError when storage fails.
 */
export class Catalogue {
  readonly #databaseName: string;

  constructor(databaseName = "doorbell-catalogue") {
    this.#databaseName = databaseName;
  }

  /** All entries, those of half-made and half-deleted disks included, the oldest first. */
  async entries(): Promise<DiskEntry[]> {
    return await this.#transaction("readonly", async store => sorted(await allOf(store)));
  }

  /** The entry of the disk that people call `name`; half-made ones are not found. */
  async find(name: string): Promise<DiskEntry> {
    const found = (await this.entries()).find(entry => entry.name === name && isWhole(entry));
    if (!found) throw new CatalogueError(`There is no disk called “${name}”.`);
    return found;
  }

  /** Adds the entry that `make` makes, knowing the others. Its name and id must be new. */
  add(make: (others: readonly DiskEntry[]) => DiskEntry): Promise<DiskEntry> {
    return this.#transaction("readwrite", async store => {
      const others = await allOf(store);
      const entry = make(others);
      checkDiskName(entry.name);
      const rival = others.find(other => other.name === entry.name);
      if (rival) throw taken(rival);
      store.add(entry);
      return entry;
    });
  }

  /** Adds entries as they are, but for those whose id is there already. */
  adopt(entries: readonly DiskEntry[]): Promise<void> {
    return this.#transaction("readwrite", async store => {
      const others = await allOf(store);
      for (const entry of entries) {
        if (others.some(({ id }) => id === entry.id)) continue;
        let { name } = entry;
        // People may have given its name to another one since.
        for (let number = 2; others.some(other => other.name === name); number++)
          name = `${entry.name} ${number}`;
        others.push({ ...entry, name });
        store.add({ ...entry, name });
      }
    });
  }

  /** Replaces what `change` returns of an entry; it knows all others. Resolves to the new entry. */
  update(
    id: string,
    change: (entry: DiskEntry, others: readonly DiskEntry[]) => Partial<Omit<DiskEntry, "id">>,
  ): Promise<DiskEntry> {
    return this.#transaction("readwrite", async store => {
      const entries = await allOf(store);
      const entry = entries.find(candidate => candidate.id === id);
      if (!entry) throw new CatalogueError("The disk was deleted meanwhile.");
      const others = entries.filter(other => other !== entry);
      const changed: DiskEntry = { ...entry, ...change(entry, others) };
      if (changed.name !== entry.name) {
        if (isBuiltIn(id)) throw new CatalogueError(`The ${id} disk keeps its name.`);
        checkDiskName(changed.name);
        const rival = others.find(other => other.name === changed.name);
        if (rival) throw taken(rival);
      }
      store.put(changed);
      return changed;
    });
  }

  /** Replaces the entries that `change` returns, knowing all. Resolves to all as they are then, the oldest first. */
  revise(change: (entries: readonly DiskEntry[]) => readonly DiskEntry[]): Promise<DiskEntry[]> {
    return this.#transaction("readwrite", async store => {
      const entries = sorted(await allOf(store));
      const changed = change(entries);
      for (const entry of changed) store.put(entry);
      return entries.map(entry => changed.find(({ id }) => id === entry.id) ?? entry);
    });
  }

  /** Forgets a disk. One that is not there is fine. */
  remove(id: string): Promise<void> {
    return this.#transaction("readwrite", async store => {
      store.delete(id);
    });
  }

  async #transaction<T>(mode: IDBTransactionMode, body: (store: IDBObjectStore) => Promise<T>): Promise<T> {
    try {
      const database = await this.#open();
      try {
        const transaction = database.transaction(STORE, mode, { durability: "strict" });
        const ended = new Promise<void>((resolve, reject) => {
          transaction.oncomplete = () => resolve();
          transaction.onabort = () => reject(transaction.error);
        });
        ended.catch(() => {});
        const result = await body(transaction.objectStore(STORE)).catch((error: unknown) => {
          transaction.abort();
          throw error;
        });
        await ended;
        return result;
      } finally {
        database.close();
      }
    } catch (error) {
      if (error instanceof CatalogueError) throw error;
      throw storageErrorFrom(error, "Keeping the list of disks failed");
    }
  }

  #open(): Promise<IDBDatabase> {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(this.#databaseName, VERSION);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () =>
        reject(
          request.error?.name === "VersionError"
            ? new StorageError(
                "unavailable",
                "The list of disks was made by a newer Doorbell. Use that one; the disks are untouched.",
              )
            : request.error,
        );
    });
  }
}

const allOf = (store: IDBObjectStore): Promise<DiskEntry[]> => promisifyRequest(store.getAll());

const sorted = (entries: DiskEntry[]): DiskEntry[] =>
  entries.sort((a, b) => a.createdAt - b.createdAt || a.id.localeCompare(b.id));

function taken(rival: DiskEntry): CatalogueError {
  return new CatalogueError(
    isWhole(rival)
      ? `There is a disk called “${rival.name}” already. Choose another name, or rename that one.`
      : `A disk called “${rival.name}” is just being made or deleted. Wait for that, or choose another name.`,
  );
}
