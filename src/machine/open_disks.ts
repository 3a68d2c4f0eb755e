/** How the disks of a machine are opened: its own two, and those of the catalogue that are attached. */

import type { BlockDevice } from "../storage/block_device.ts";
import type { DiskStore, NewDisk } from "../storage/disk_store.ts";
import type { Catalogue } from "../storage/disks/catalogue.ts";
import { Disk, type DiskOptions } from "../storage/disks/disk.ts";
import { type DiskEntry, SYSTEM } from "../storage/disks/disk_entry.ts";
import { openCatalogued } from "../storage/disks/disk_library.ts";
import { FillingDevice } from "../storage/filling_device.ts";
import { IndexedDbBackend } from "../storage/indexeddb/indexeddb_backend.ts";
import { nguid } from "./identity.ts";
import type { DiskConfig, DiskRole, OpenMode } from "./protocol.ts";

/** A disk that is in the machine. */
export interface Attached {
  /** What people call it; that of the catalogue. */
  readonly name: string;
  readonly role: DiskRole;
  readonly readOnly: boolean;
  readonly disk: Disk;
  /** What its I/O is served from. */
  readonly device: BlockDevice;
  /** Of a disk that has no image yet and is to get one: `device` waits for it. */
  readonly filling?: Filling | undefined;
  /** Bytes that the guest sees. */
  readonly capacityBytes: number;
  readonly nguid: string;
}

export interface Filling {
  done(): void;
  failed(error: unknown): void;
}

/** For each attached disk of the catalogue: they may be many. */
const ATTACHED_CACHE_BYTES = 64 * 2 ** 20;

/** What a disk in memory may hold. */
const IN_MEMORY_BYTES = 512 * 2 ** 20;

/** One of the machine's own disks; `entry` is what the catalogue says of it. */
export async function openMachineDisk(
  { name, role, byteLength, inMemory = false }: DiskConfig,
  entry: DiskEntry | undefined,
  before: Attached | undefined,
  { readOnly, steal }: OpenMode,
  onStolen: () => void,
): Promise<Attached> {
  const capacityBytes = entry?.capacityBytes ?? 0;
  // The browser may have closed or deleted its database: then it is opened anew. As if it was made larger.
  if (
    before?.disk.isOpen &&
    before.readOnly === readOnly &&
    (readOnly || before.disk.describe().capacityBytes >= capacityBytes)
  ) {
    return { ...before, ...served(before.disk) };
  }
  await before?.disk.close().catch(() => {});
  const create = { capacityBytes: byteLength };
  const disk = inMemory
    ? await Disk.openEmpty(name, create, IN_MEMORY_BYTES)
    : readOnly
      ? await Disk.openCopy(name, { create })
      : await Disk.open(name, {
          openStore: () => openAtLeast(name, create, capacityBytes),
          steal,
          onStolen,
        });
  return {
    name,
    role,
    readOnly,
    disk,
    ...served(disk),
    capacityBytes: Math.min(disk.describe().capacityBytes, entry?.capacityBytes ?? Number.POSITIVE_INFINITY),
    nguid: nguid(name === SYSTEM ? 1 : 2),
  };
}

/**
 * Opens an attached disk of the catalogue, unless `before` (from the boot before) still will do. Rejects with an error
 * whose message says why it cannot be in the machine.
 */
export async function openCatalogueDisk(
  catalogue: Catalogue,
  entry: DiskEntry,
  nsid: number,
  before: Attached | undefined,
  taking: Pick<DiskOptions, "steal" | "onStolen">,
): Promise<Attached> {
  const { id, name, capacityBytes, nguid } = entry;
  const role: DiskRole = { on: "nvme", nsid };
  // Still open from the boot before, and large enough.
  if (before?.disk.isOpen && before.disk.describe().capacityBytes >= capacityBytes) {
    return { ...before, name, role, capacityBytes };
  }
  await before?.disk.close().catch(() => {});
  const disk = await Disk.open(id, {
    openStore: () => openCatalogued(catalogue, id),
    cache: { cacheBytes: ATTACHED_CACHE_BYTES },
    ...taking,
  });
  return { name, role, readOnly: false, disk, device: disk.cache, capacityBytes, nguid };
}

function served(disk: Disk): Pick<Attached, "device" | "filling"> {
  if (disk.name !== SYSTEM || disk.seededSha256 !== undefined)
    return { device: disk.cache, filling: undefined };
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const device = new FillingDevice(disk.cache, promise);
  return { device, filling: { done: resolve, failed: reject } };
}

/** Opens or makes a disk of the machine, and makes it larger if it was resized. */
async function openAtLeast(name: string, create: NewDisk, capacityBytes: number): Promise<DiskStore> {
  const store = await IndexedDbBackend.open(name, create);
  try {
    if (store.chunkCount * store.chunkBytes < capacityBytes) await store.grow(capacityBytes);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The catalogue's entry of a disk of the machine. */
export function entryOfBuiltIn({ name, disk, capacityBytes, nguid }: Attached): DiskEntry {
  return {
    id: name,
    name,
    kind: "indexeddb",
    lbaBytes: disk.describe().lbaBytes,
    capacityBytes,
    // The first ones of the list, the system disk before the scratch disk.
    createdAt: name === SYSTEM ? 0 : 1,
    attached: true,
    nguid,
    state: "ready",
  };
}
