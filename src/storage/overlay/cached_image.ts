import { type ChunkChange, StorageError } from "../block_backend.ts";
import type { DiskStore, NewDisk } from "../disk_store.ts";
import { BaseHeader, headerChunks } from "./base_header.ts";
import { chunksOf, type ImageIdentity, isSameImage, type ReadOnlyImage } from "./read_only_image.ts";

/** Chunks that were read and wait to be stored; beyond that they are left to be read again another time. */
const MAX_WAITING = 64;

/**
 * An image that keeps the chunks which were read, in a store of its own, so that they can be read again without the
 * network. The store holds copies only: losing it loses nothing. Its first chunks say which image it is of and which
 * chunks are known to be zeroes.
 */
export class CachedImage implements ReadOnlyImage {
  readonly #image: ReadOnlyImage;
  readonly #store: DiskStore;
  readonly #header: BaseHeader;
  readonly #cached: Set<number>;
  #waiting: ChunkChange[] = [];
  #storing: Promise<void> | undefined;
  #failure: StorageError | undefined;

  private constructor(image: ReadOnlyImage, store: DiskStore, header: BaseHeader, cached: Set<number>) {
    this.#image = image;
    this.#store = store;
    this.#header = header;
    this.#cached = cached;
  }

  /** The geometry that the store must be created with. */
  static storeFor({ byteLength, chunkBytes, identity }: ReadOnlyImage): NewDisk {
    return { capacityBytes: byteLength + headerChunks(identity, chunkBytes) * chunkBytes, chunkBytes };
  }

  /** Puts the cache before the image. It owns both; when it rejects with StorageError, the caller still does. */
  static async open(image: ReadOnlyImage, store: DiskStore): Promise<CachedImage> {
    let header = await BaseHeader.read(store, "cache");
    if (header && !isSameImage(header.image, image.identity)) {
      throw new StorageError(
        "unavailable",
        `The cache holds another image than ${image.identity.url}: delete the cache.`,
      );
    }
    if (!header) {
      const holes = Array.from({ length: chunksOf(image) }, (_, i) => i).filter(chunk => image.isHole(chunk));
      header = BaseHeader.make("cache", image.identity, store.chunkBytes).with(holes);
      await store.commit(header.changesFrom());
    }
    const count = header.chunkCount;
    const cached = (await store.list()).filter(chunk => chunk >= count).map(chunk => chunk - count);
    return new CachedImage(image, store, header, new Set(cached));
  }

  get identity(): ImageIdentity {
    return this.#image.identity;
  }

  get byteLength(): number {
    return this.#image.byteLength;
  }

  get chunkBytes(): number {
    return this.#image.chunkBytes;
  }

  /** Bytes of the image that can be read without the network. */
  get cachedBytes(): number {
    return this.#cached.size * this.chunkBytes;
  }

  /** Why nothing is kept any more, if that is so. Reading goes on. */
  get failure(): StorageError | undefined {
    return this.#failure;
  }

  isHole(chunk: number): boolean {
    return this.#header.has(chunk);
  }

  async read(chunk: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.isHole(chunk)) return undefined;
    if (this.#cached.has(chunk)) {
      // Whatever became of the copy, the image still has it.
      const [copy] = await this.#store.read([this.#place(chunk)]).catch(() => []);
      if (copy) return copy;
    }
    const data = await this.#image.read(chunk);
    // A hole that was not known: zeroes are stored, so that it can be read without the network as well.
    this.#keep(chunk, data?.slice() ?? new Uint8Array(this.chunkBytes));
    return data;
  }

  /** Stores what waits, then closes cache and image. */
  async close(): Promise<void> {
    await this.#storing;
    await Promise.all([this.#store.close(), this.#image.close()]);
  }

  #keep(chunk: number, data: Uint8Array<ArrayBuffer>): void {
    if (this.#failure || this.#waiting.length >= MAX_WAITING) return;
    this.#waiting.push({ chunk: this.#place(chunk), data });
    this.#storing ??= this.#storeWaiting();
  }

  async #storeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const changes = this.#waiting.splice(0, 16);
      try {
        await this.#store.commit(changes);
      } catch (error) {
        this.#failure = error instanceof StorageError ? error : new StorageError("io", String(error));
        this.#waiting = [];
        break;
      }
      for (const { chunk } of changes) this.#cached.add(chunk - this.#header.chunkCount);
    }
    this.#storing = undefined;
  }

  #place(chunk: number): number {
    return chunk + this.#header.chunkCount;
  }
}
