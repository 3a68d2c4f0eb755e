import type { DiskStore, LbaBytes, NewDisk } from "../disk_store.ts";
import { databaseName } from "../indexeddb/indexeddb_database.ts";
import { imageCacheName } from "../overlay/http_disk.ts";
import { HttpImage } from "../overlay/http_image.ts";
import { SnapshotStore } from "../snapshot_store.ts";
import { diskSink } from "../transfer/chunk_sink.ts";
import { openImage } from "../transfer/open_image.ts";
import { exportToBlob, exportToFile } from "../transfer/raw_export.ts";
import type { TransferControl } from "../transfer/transfer_control.ts";
import { writeImage } from "../transfer/write_image.ts";
import { Catalogue } from "./catalogue.ts";
import {
  CatalogueError,
  checkCapacity,
  type DiskEntry,
  type DiskKind,
  freshId,
  freshNguid,
  isBuiltIn,
  isWhole,
  MAX_CAPACITY_BYTES,
} from "./disk_entry.ts";
import { openStore, removeStore } from "./disk_kinds.ts";
import { lockDisk } from "./disk_lock.ts";
import { freeNsid, MAX_ATTACHED, withNsid } from "./namespace_numbers.ts";
import { ifAbandoned, underWorkLock } from "./work_lock.ts";

/** An image on a web server that disks can stand on: absolute addresses. */
export type BaseImage = NonNullable<DiskEntry["base"]>;

/** What a new disk is to be. */
export interface DiskSpec {
  readonly name: string;
  /** Default: "indexeddb". */
  readonly kind?: Exclude<DiskKind, "http"> | undefined;
  /** Default: 512. */
  readonly lbaBytes?: LbaBytes | undefined;
}

/** What a disk is made of: as DiskSpec, or with what `identify` makes of it, knowing the other entries. */
type DiskToMake = {
  readonly kind?: DiskKind | undefined;
  readonly lbaBytes?: LbaBytes | undefined;
  readonly base?: BaseImage;
} & (
  | { readonly name: string }
  | {
      readonly identify: (others: readonly DiskEntry[]) => Pick<DiskEntry, "name" | "nsid" | "allocated">;
    }
);

/** A disk that can be copied as it is at one moment: a SnapshotStore, or an open Disk. */
export type CopySource = Pick<SnapshotStore, "chunkBytes" | "copyTo">;

/** An imported disk. */
export interface Imported {
  readonly entry: DiskEntry;
  /** Zeroes that were added to the image's end to fill its last logical block, in bytes. */
  readonly paddedBytes: number;
}

/**
 * The disks that people own, as they are worked on while no machine runs them: made, filled, copied, deleted. Whatever
 * is interrupted leaves either the disk as it was or an entry that says "incomplete" or "deleting", and `cleanUp`
 * removes what such an entry stands for.
 *
 * All methods reject with CatalogueError for what cannot be done, with DiskInUseError (a StorageError) for a disk that
 * is open anywhere, and with StorageError when storage fails.
 */
export class DiskLibrary {
  readonly catalogue: Catalogue;

  constructor(catalogue = new Catalogue()) {
    this.catalogue = catalogue;
  }

  /** The disks that are whole, the oldest first. */
  async disks(): Promise<DiskEntry[]> {
    return (await this.catalogue.entries()).filter(isWhole);
  }

  /** Makes an empty disk of `capacityBytes`. */
  async create(spec: DiskSpec, capacityBytes: number): Promise<DiskEntry> {
    checkCapacity(capacityBytes, spec.lbaBytes ?? 512);
    return await this.#make(spec, capacityBytes, undefined, async () => {});
  }

  /**
   * Makes a disk that begins as an image on a web server: read from there as far as it is needed, and kept; what is
   * written stays here. As large as the image, rounded up to a logical block; resize() makes it larger.
   */
  async createOnImage({ name, lbaBytes = 512 }: Omit<DiskSpec, "kind">, base: BaseImage): Promise<DiskEntry> {
    const image = await HttpImage.open(base.url, { manifestUrl: base.manifestUrl });
    await image.close();
    const capacityBytes = Math.ceil(image.byteLength / lbaBytes) * lbaBytes;
    checkCapacity(capacityBytes, lbaBytes);
    return await this.#make({ name, lbaBytes, kind: "http", base }, capacityBytes, undefined, async () => {});
  }

  async rename(name: string, newName: string): Promise<DiskEntry> {
    const { id } = await this.catalogue.find(name);
    return await this.catalogue.update(id, () => ({ name: newName }));
  }

  /** Makes an empty disk that is a namespace, not attached, with an id of its own and a name made of that. */
  async createNamespace(capacityBytes: number, lbaBytes: LbaBytes): Promise<DiskEntry> {
    checkCapacity(capacityBytes, lbaBytes);
    const identify = (others: readonly DiskEntry[]) => {
      const nsid = freeNsid(others);
      if (nsid === undefined) throw new CatalogueError("All namespace ids are given away. Delete a disk.");
      let name = `namespace ${nsid}`;
      for (let number = 2; others.some(other => other.name === name); number++)
        name = `namespace ${nsid}-${number}`;
      return { name, nsid, allocated: true };
    };
    return await this.#make({ identify, lbaBytes }, capacityBytes, undefined, async () => {});
  }

  /**
   * Whether the disk is in the machine: at its next boot, or, where a DiskSet asks, now. Attaching gives it a namespace
   * id if it has none. `allocated`: one that is not attached stays within the guest's reach.
   */
  async setAttached(name: string, attached: boolean, allocated = false): Promise<DiskEntry> {
    const { id } = await this.catalogue.find(name);
    if (isBuiltIn(id)) throw new CatalogueError(`The ${id} disk is part of every machine.`);
    const entries = await this.catalogue.revise(entries => {
      const others = entries.filter(entry => entry.id !== id);
      const entry = entries.find(each => each.id === id);
      if (!entry || !isWhole(entry)) throw new CatalogueError("The disk was deleted meanwhile.");
      if (!attached) return [{ ...entry, attached, allocated }];
      if (others.filter(other => other.attached && !isBuiltIn(other.id)).length >= MAX_ATTACHED) {
        throw new CatalogueError(
          `A machine takes ${MAX_ATTACHED} disks besides its own two. Detach another one first.`,
        );
      }
      const [numbered, ...giver] = withNsid({ ...entry, attached, allocated: false }, others);
      if (numbered.nsid === undefined) {
        throw new CatalogueError(
          "All namespace ids of the machine are given away, some to disks that Linux has made or detached. Detach or delete one of those first.",
        );
      }
      return [numbered, ...giver];
    });
    const entry = entries.find(each => each.id === id);
    if (!entry) throw new CatalogueError("The disk was deleted meanwhile.");
    return entry;
  }

  /**
   * Makes a disk larger: durable when it resolves. Storage follows when the disk is opened next, so that also the disk
   * of a running machine can be resized; its guest sees it at the next boot.
   */
  async resize(name: string, capacityBytes: number): Promise<DiskEntry> {
    const { id } = await this.catalogue.find(name);
    return await this.catalogue.update(id, entry => {
      checkCapacity(capacityBytes, entry.lbaBytes);
      if (capacityBytes < entry.capacityBytes) {
        throw new CatalogueError(
          `Disk “${name}” has ${entry.capacityBytes} bytes and cannot be made smaller: its end may hold data.`,
        );
      }
      return { capacityBytes };
    });
  }

  /** Deletes a disk and all that is on it. */
  async remove(name: string): Promise<void> {
    const found = await this.catalogue.find(name);
    if (isBuiltIn(found.id)) {
      throw new CatalogueError(`The ${found.id} disk is part of every machine: reset it instead.`);
    }
    await this.#locked(found, () =>
      underWorkLock(async work => {
        await this.catalogue.update(found.id, () => ({ state: "deleting", work, attached: false }));
        await this.#discard(found);
      }),
    );
  }

  /** Deletes all that is on a disk; the disk stays. */
  async wipe(name: string): Promise<void> {
    const entry = await this.catalogue.find(name);
    if (isBuiltIn(entry.id)) throw new CatalogueError(`Reset the ${entry.id} disk instead of wiping it.`);
    await this.#locked(entry, async () => {
      // From now on whoever opens the disk deletes first what is there.
      await this.catalogue.update(entry.id, () => ({ state: "empty" }));
      await removeStore(entry);
    });
  }

  /** Makes a disk of an image: raw, raw packed with gzip, or qcow2. Rejects with ImageError for one that it cannot be. */
  async importImage(file: Blob, spec: DiskSpec, control: TransferControl): Promise<Imported> {
    const lbaBytes = spec.lbaBytes ?? 512;
    const image = await openImage(file, MAX_CAPACITY_BYTES, control);
    const capacityBytes = Math.ceil(image.byteLength / lbaBytes) * lbaBytes;
    const entry = await this.#make(spec, capacityBytes, undefined, store =>
      writeImage(image, store, control),
    );
    return { entry, paddedBytes: capacityBytes - image.byteLength };
  }

  /** Copies a disk; `source` is given when it is open. A disk over an image on a server becomes one that needs no server. */
  async clone(
    name: string,
    newName: string,
    control: TransferControl,
    source?: CopySource,
  ): Promise<DiskEntry> {
    const entry = await this.catalogue.find(name);
    if (!source) {
      return await this.#opened(entry, store => this.clone(name, newName, control, new SnapshotStore(store)));
    }
    const kind = entry.kind === "http" ? "indexeddb" : entry.kind;
    const spec: DiskSpec = { name: newName, kind, lbaBytes: entry.lbaBytes };
    return await this.#make(spec, entry.capacityBytes, source.chunkBytes, store =>
      source.copyTo(diskSink(store), control),
    );
  }

  /**
   * Writes a disk as a raw image into `file`, or else into a Blob; `source` is given when the disk is open. An image
   * that could not be completed is thrown away.
   */
  async exportImage(
    name: string,
    file: FileSystemFileHandle | undefined,
    control: TransferControl,
    source?: CopySource,
  ): Promise<Blob | undefined> {
    const entry = await this.catalogue.find(name);
    if (!source) {
      return await this.#opened(entry, store =>
        this.exportImage(name, file, control, new SnapshotStore(store)),
      );
    }
    const { capacityBytes } = entry;
    const image = file
      ? await exportToFile(file, capacityBytes, source.chunkBytes)
      : exportToBlob(capacityBytes, source.chunkBytes);
    try {
      await source.copyTo(image, control);
      return await image.finish();
    } catch (error) {
      await image.abort();
      throw error;
    }
  }

  /** Bytes that a disk takes in storage; undefined while it is open elsewhere, or cannot be opened. */
  async usedBytes(entry: DiskEntry): Promise<number | undefined> {
    if (entry.state === "empty") return 0;
    try {
      return await this.#opened(entry, async store => (await store.list()).length * store.chunkBytes);
    } catch {
      return undefined;
    }
  }

  /** Lists the disks that earlier versions have made: databases without an entry. What is open elsewhere waits. */
  async adopt(): Promise<void> {
    // In this order: an entry is there before its database is, and goes after it.
    const known = new Set((await this.catalogue.entries()).map(({ id }) => id));
    const prefix = databaseName("");
    const ids = ((await indexedDB.databases?.()) ?? []).flatMap(({ name }) =>
      name?.startsWith(prefix) && !known.has(name.slice(prefix.length)) ? [name.slice(prefix.length)] : [],
    );
    for (const id of ids) {
      // The second one is a copy of an image on a server, kept for a disk.
      if (isBuiltIn(id) || id.endsWith(imageCacheName(""))) continue;
      try {
        const orphan = orphanOf(id);
        await this.#locked(orphan, async () => {
          const store = await openStore(orphan);
          const { lbaBytes, chunkBytes, chunkCount } = store.metadata;
          await store.close();
          await this.catalogue.adopt([{ ...orphan, lbaBytes, capacityBytes: chunkBytes * chunkCount }]);
        });
      } catch {
        // Open elsewhere, gone since, or of a format that is not known.
      }
    }
  }

  /** Removes what interrupted work has left; what is still under way, in whatever tab, is left alone. */
  async cleanUp(): Promise<void> {
    for (const entry of await this.catalogue.entries()) {
      if (isWhole(entry) || entry.work === undefined) continue;
      await ifAbandoned(entry.work, async () => {
        const now = (await this.catalogue.entries()).find(({ id }) => id === entry.id);
        // Completed since.
        if (now && !isWhole(now)) await this.#discard(now);
      });
    }
  }

  async #make(
    { kind = "indexeddb", lbaBytes = 512, base, ...naming }: DiskToMake,
    capacityBytes: number,
    chunkBytes: number | undefined,
    fill: (store: DiskStore) => Promise<void>,
  ): Promise<DiskEntry> {
    return await underWorkLock(async work => {
      const entry = await this.catalogue.add(others => {
        const named = "identify" in naming ? naming.identify(others) : { name: naming.name };
        return {
          id: freshId(named.name),
          ...named,
          kind,
          ...(base && { base }),
          lbaBytes,
          capacityBytes,
          createdAt: Date.now(),
          attached: false,
          nguid: freshNguid(),
          state: "incomplete",
          work,
        };
      });
      try {
        const store = await openStore(entry, { ...geometryOf(entry), ...(chunkBytes && { chunkBytes }) });
        try {
          await fill(store);
        } finally {
          await store.close();
        }
        return await this.catalogue.update(entry.id, () => ({ state: "ready", work: undefined }));
      } catch (error) {
        // What cannot be removed now is removed at the next start.
        await this.#discard(entry).catch(() => {});
        throw error;
      }
    });
  }

  /** Storage first: an entry without storage could still be cleaned up, storage without entry would be there for ever. */
  async #discard(entry: DiskEntry): Promise<void> {
    await removeStore(entry);
    await this.catalogue.remove(entry.id);
  }

  #opened<T>(entry: DiskEntry, use: (store: DiskStore) => Promise<T>): Promise<T> {
    return this.#locked(entry, async () => {
      const store = await openCatalogued(this.catalogue, entry.id);
      try {
        return await use(store);
      } finally {
        await store.close();
      }
    });
  }

  async #locked<T>({ id }: DiskEntry, use: () => Promise<T>): Promise<T> {
    const unlock = await lockDisk(id);
    try {
      return await use();
    } finally {
      unlock();
    }
  }
}

/**
 * Opens what keeps a disk of the catalogue, and makes it what its entry says: a wiped disk empty, a resized one larger.
 * The caller holds the disk's lock: the entry is read under it, as an older one may say "empty" of a disk that is not
 * empty any more.
 */
export async function openCatalogued(catalogue: Catalogue, id: string): Promise<DiskStore> {
  const entry = (await catalogue.entries()).find(candidate => candidate.id === id);
  if (!entry || !isWhole(entry)) throw new CatalogueError("The disk was deleted meanwhile.");
  const isEmpty = entry.state === "empty";
  if (isEmpty) await removeStore(entry);
  const store = await openStore(entry, isEmpty ? geometryOf(entry) : undefined);
  try {
    if (isEmpty) await catalogue.update(entry.id, () => ({ state: "ready" }));
    if (store.chunkCount * store.chunkBytes < entry.capacityBytes) await store.grow(entry.capacityBytes);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The entry of a disk of which only the database is known. */
function orphanOf(id: string): DiskEntry {
  const origin = { kind: "indexeddb", createdAt: Date.now(), nguid: freshNguid() } as const;
  return { id, name: id, ...origin, lbaBytes: 512, capacityBytes: 0, attached: false, state: "ready" };
}

function geometryOf({ capacityBytes, lbaBytes }: DiskEntry): NewDisk {
  return { capacityBytes, lbaBytes };
}
