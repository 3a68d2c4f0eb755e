import type { BlockBackend } from "../storage/block_backend.ts";
import type { LbaBytes } from "../storage/disk_store.ts";

/** A disk in memory: what is on it is gone when it is detached. */
export interface MemoryDisk {
  readonly kind: "memory";
  /** Bytes; rounded up to whole chunks of 256 KiB. Default: as large as `image`. */
  readonly capacityBytes?: number;
  /** What the disk begins with: a raw image. It is copied. */
  readonly image?: Uint8Array | ArrayBuffer;
}

/** A disk in this site's IndexedDB: what the guest has flushed is there at the next visit. */
export interface IndexedDbDisk {
  readonly kind: "indexeddb";
  /** Names it within this site. One thread of one tab can have it open at a time. */
  readonly name: string;
  /** Bytes of a disk that does not exist yet; rounded up to whole chunks. An existing one stays as it is. */
  readonly capacityBytes: number;
  /** Bytes, a power of two of at least 4096, of a disk that does not exist yet. Default: 256 KiB. */
  readonly chunkBytes?: number;
}

/**
 * A disk in this site's origin private file system. Only workers have its synchronous file handles: it needs a serving
 * mode with an iothread, or a V86 that lives in a worker itself.
 */
export interface OpfsDisk {
  readonly kind: "opfs";
  /** As {@link IndexedDbDisk.name}. */
  readonly name: string;
  /** As {@link IndexedDbDisk.capacityBytes}. */
  readonly capacityBytes: number;
  /** As {@link IndexedDbDisk.chunkBytes}. */
  readonly chunkBytes?: number;
}

/**
 * A raw image on a web server under an overlay of what the guest has written. The server must answer byte ranges and, on
 * another origin, allow this one by CORS. Nothing is fetched before it is read.
 */
export interface HttpDisk {
  readonly kind: "http";
  /** May be relative to the page. A disk that exists keeps the image that it was made on. */
  readonly url: string;
  /** Names the overlay, which IndexedDB keeps together with what was read. Without a name both are in memory. */
  readonly name?: string;
  /** A manifest (`scripts/image_manifest.ts` in Doorbell makes it): each chunk is checked against its SHA-256. */
  readonly manifestUrl?: string;
  /** Bytes; rounded up to whole chunks. Default, and least: the image's. */
  readonly capacityBytes?: number;
}

/** The disks that the package knows how to open. They are plain data: whichever thread serves the I/O opens them. */
export type BuiltInDisk = MemoryDisk | IndexedDbDisk | OpfsDisk | HttpDisk;

/** A disk of the guest. */
export interface DiskOptions {
  /**
   * Where its blocks are. A {@link BlockBackend} of your own stays in the thread that attaches it: with an iothread its
   * calls go there and back by messages. It is closed when it is detached.
   */
  readonly backend: BuiltInDisk | BlockBackend;
  /** Logical block size: 512 (the default) or 4096. A disk that exists, in IndexedDB or OPFS, keeps its own. */
  readonly lbaBytes?: LbaBytes;
  /** Most memory for the write-back cache, in bytes. Default: 128 to 512 MiB, by the computer's memory. */
  readonly cacheBytes?: number;
}

export const isBuiltIn = (backend: BuiltInDisk | BlockBackend): backend is BuiltInDisk => "kind" in backend;
