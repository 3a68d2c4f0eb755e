import type { DiskStore, NewDisk } from "../disk_store.ts";
import { IndexedDbBackend } from "../indexeddb/indexeddb_backend.ts";
import { deleteDatabase } from "../indexeddb/indexeddb_database.ts";
import { OpfsBackend } from "../opfs/opfs_backend.ts";
import { deleteOpfsDisk } from "../opfs/opfs_files.ts";
import { createHttpDisk, deleteHttpDisk, openHttpDisk } from "../overlay/http_disk.ts";
import { CatalogueError, type DiskEntry, type DiskKind } from "./disk_entry.ts";

/** How disks of one kind are opened and deleted. */
interface DiskKeeper {
  /** Opens the disk, or creates it if `create` is given and there is none. Rejects with StorageError. */
  open(entry: DiskEntry, create: NewDisk | undefined): Promise<DiskStore>;
  /** Deletes what there is of a disk; nothing is fine. */
  remove(entry: DiskEntry): Promise<void>;
}

const keepers: Readonly<Partial<Record<DiskKind, DiskKeeper>>> = {
  indexeddb: {
    open: ({ id }, create) => IndexedDbBackend.open(id, create),
    remove: ({ id }) => deleteDatabase(id),
  },
  opfs: {
    open: ({ id }, create) => OpfsBackend.open(id, create),
    remove: ({ id }) => deleteOpfsDisk(id),
  },
  http: {
    async open({ id, name, base }, create) {
      if (!base) throw new CatalogueError(`The catalogue does not say which image disk “${name}” stands on.`);
      const { url, manifestUrl } = base;
      if (!create) return await openHttpDisk(id, { manifestUrl });
      const { capacityBytes, lbaBytes = 512 } = create;
      return await createHttpDisk(id, url, { manifestUrl, capacityBytes, lbaBytes });
    },
    remove: ({ id }) => deleteHttpDisk(id),
  },
};

/** Opens what keeps a disk, as its catalogue entry says. The caller holds the disk's lock. */
export function openStore(entry: DiskEntry, create?: NewDisk): Promise<DiskStore> {
  return keeperOf(entry).open(entry, create);
}

/** Deletes what is kept of a disk. The caller holds the disk's lock. */
export function removeStore(entry: DiskEntry): Promise<void> {
  return keeperOf(entry).remove(entry);
}

function keeperOf({ kind, name }: DiskEntry): DiskKeeper {
  const keeper = keepers[kind];
  if (!keeper)
    throw new CatalogueError(`Disk “${name}” is kept in a way (${kind}) that this Doorbell does not know.`);
  return keeper;
}
