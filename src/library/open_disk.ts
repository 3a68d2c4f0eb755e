/** How the package's disks are opened, in the thread that serves their I/O. */
import type { BlockBackend } from "../storage/block_backend.ts";
import { BlockCache, type BlockCacheOptions } from "../storage/cache/block_cache.ts";
import { type DiskStore, type LbaBytes, type NewDisk, newMetadata } from "../storage/disk_store.ts";
import { Disk } from "../storage/disks/disk.ts";
import { IndexedDbBackend } from "../storage/indexeddb/indexeddb_backend.ts";
import { databaseName } from "../storage/indexeddb/indexeddb_database.ts";
import { MemoryBackend, type MemoryStore } from "../storage/memory_backend.ts";
import { OpfsBackend } from "../storage/opfs/opfs_backend.ts";
import { createHttpDisk, openHttpDisk } from "../storage/overlay/http_disk.ts";
import { SnapshotBackend } from "../storage/snapshot_backend.ts";
import { isZero } from "../storage/zeroes.ts";
import type { BuiltInDisk, HttpDisk, MemoryDisk } from "./backends.ts";

/** A disk that is open, with its cache. */
export interface OpenDisk {
  readonly cache: BlockCache;
  /** Logical block size at present. */
  readonly lbaBytes: LbaBytes;
  setLbaBytes(lbaBytes: LbaBytes): Promise<void>;
  /** Flushes, then closes. */
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly lbaBytes: LbaBytes;
  readonly cache: BlockCacheOptions;
  /** Another tab has taken the disk away. */
  readonly onStolen: () => void;
}

/** What a disk on the web that is not kept may hold in memory of what was read and written. */
const HTTP_MEMORY_BYTES = 1024 * 2 ** 20;

/** Rejects with StorageError, RangeError for what no disk can be, DiskInUseError when another tab has it. */
export async function openDisk(backend: BuiltInDisk | BlockBackend, options: OpenOptions): Promise<OpenDisk> {
  if (!("kind" in backend)) return onBackend(backend, options);
  switch (backend.kind) {
    case "memory":
      return onBackend(memoryBackend(backend), options);
    case "indexeddb":
      return inStorage(
        backend.name,
        () => IndexedDbBackend.open(backend.name, geometry(backend, options)),
        options,
      );
    case "opfs":
      return inStorage(
        backend.name,
        () => OpfsBackend.open(backend.name, geometry(backend, options)),
        options,
      );
    case "http":
      return backend.name === undefined
        ? onStore(await httpInMemory(backend, options), options)
        : inStorage(backend.name, () => httpStore(backend, options), options);
    default:
      throw new RangeError(`There is no kind of disk "${String((backend as { kind: unknown }).kind)}".`);
  }
}

const geometry = (
  { capacityBytes, chunkBytes }: { readonly capacityBytes: number; readonly chunkBytes?: number },
  { lbaBytes }: OpenOptions,
): NewDisk => ({ capacityBytes, lbaBytes, ...(chunkBytes !== undefined && { chunkBytes }) });

/** A disk with a name: locked, and it knows its block size itself. */
async function inStorage(
  name: string,
  openStore: () => Promise<DiskStore>,
  { cache, onStolen }: OpenOptions,
): Promise<OpenDisk> {
  const disk = await Disk.open(name, { openStore, cache, onStolen });
  return {
    cache: disk.cache,
    get lbaBytes() {
      return disk.describe().lbaBytes;
    },
    setLbaBytes: lbaBytes => disk.setLbaBytes(lbaBytes),
    close: () => disk.close(),
  };
}

async function onStore(store: DiskStore, { cache: cacheOptions }: OpenOptions): Promise<OpenDisk> {
  const cache = await BlockCache.open(store, cacheOptions);
  return {
    cache,
    get lbaBytes() {
      return store.metadata.lbaBytes;
    },
    setLbaBytes: lbaBytes => store.setLbaBytes(lbaBytes),
    close: () => cache.close(),
  };
}

/** A backend that knows nothing of block sizes: what the guest formats it to lasts as long as it is attached. */
async function onBackend(backend: BlockBackend, options: OpenOptions): Promise<OpenDisk> {
  const cache = await BlockCache.open(backend, options.cache);
  let { lbaBytes } = options;
  return {
    cache,
    get lbaBytes() {
      return lbaBytes;
    },
    setLbaBytes: async next => {
      lbaBytes = next;
    },
    close: () => cache.close(),
  };
}

function memoryBackend({ capacityBytes, image }: MemoryDisk): MemoryBackend {
  const bytes = image instanceof ArrayBuffer ? new Uint8Array(image) : (image ?? new Uint8Array());
  const { chunkBytes, chunkCount } = newMetadata(0, { capacityBytes: capacityBytes ?? bytes.length });
  if (bytes.length > chunkCount * chunkBytes) {
    throw new RangeError(`The image of ${bytes.length} bytes does not fit a disk of ${capacityBytes} bytes.`);
  }
  const store: MemoryStore = new Map();
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = new Uint8Array(chunkBytes);
    chunk.set(bytes.subarray(at, at + chunkBytes));
    if (!isZero(chunk)) store.set(at / chunkBytes, chunk);
  }
  return new MemoryBackend(chunkBytes, chunkCount, store);
}

const httpOptions = ({ manifestUrl, capacityBytes }: HttpDisk, { lbaBytes }: OpenOptions) => ({
  lbaBytes,
  ...(manifestUrl !== undefined && { manifestUrl }),
  ...(capacityBytes !== undefined && { capacityBytes }),
});

function httpInMemory(disk: HttpDisk, options: OpenOptions): Promise<DiskStore> {
  const inMemory = async (_name: string, create?: NewDisk) => {
    const metadata = newMetadata(0, create ?? { capacityBytes: 0 });
    return new SnapshotBackend({ metadata, chunks: new Map() }, HTTP_MEMORY_BYTES);
  };
  return createHttpDisk("", disk.url, httpOptions(disk, options), inMemory);
}

async function httpStore(disk: HttpDisk, options: OpenOptions): Promise<DiskStore> {
  const name = disk.name ?? "";
  const databases = await indexedDB.databases();
  return databases.some(database => database.name === databaseName(name))
    ? openHttpDisk(name, httpOptions(disk, options))
    : createHttpDisk(name, disk.url, httpOptions(disk, options));
}
