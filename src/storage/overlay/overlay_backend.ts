import { type ChunkChange, type JournalTraits, StorageError } from "../block_backend.ts";
import { checkChanges, checkChunks } from "../chunk_checks.ts";
import {
  type DiskMetadata,
  type DiskStore,
  grownMetadata,
  type LbaBytes,
  type NewDisk,
  type SeedRecord,
} from "../disk_store.ts";
import { BaseHeader, headerChunks } from "./base_header.ts";
import { chunksOf, type ImageIdentity, isSameImage, type ReadOnlyImage } from "./read_only_image.ts";

export interface NewOverlay {
  /** Bytes; rounded up to whole chunks. Default: as large as the image. Not less. */
  readonly capacityBytes?: number;
  /** Logical block size. Default: 512. */
  readonly lbaBytes?: LbaBytes;
}

/**
 * A disk that begins as a read-only image and keeps what is written to it in a store of its own (copy-on-write). A chunk
 * reads as the store has it; else as the image has it, unless it was removed: then as zeroes. The store's first chunks
 * say which image that is and which of its chunks were removed (a bit each), and change in the same commit as the rest.
 */
export class OverlayBackend implements DiskStore {
  readonly chunkBytes: number;
  readonly #store: DiskStore;
  readonly #image: ReadOnlyImage;
  readonly #imageChunks: number;
  /** The image's chunks that do not show any more. A chunk of the store counts all the same. */
  #removed: BaseHeader;
  /** The disk's chunks that the store has. */
  readonly #own: Set<number>;
  /** Resolves when the commits so far have ended; undefined when none is under way. */
  #committing: Promise<void> | undefined;

  private constructor(store: DiskStore, image: ReadOnlyImage, removed: BaseHeader, own: Set<number>) {
    this.chunkBytes = store.chunkBytes;
    this.#store = store;
    this.#image = image;
    this.#imageChunks = chunksOf(image);
    this.#removed = removed;
    this.#own = own;
  }

  /** The geometry that a store for a disk on `image` must be created with. Throws RangeError when it would be smaller. */
  static storeFor(
    image: ReadOnlyImage,
    { capacityBytes = image.byteLength, lbaBytes }: NewOverlay = {},
  ): NewDisk {
    const { byteLength, chunkBytes, identity } = image;
    if (!(capacityBytes >= byteLength)) {
      throw new RangeError(
        `A disk of ${capacityBytes} bytes is smaller than its image of ${byteLength} bytes.`,
      );
    }
    return {
      capacityBytes: capacityBytes + headerChunks(identity, chunkBytes) * chunkBytes,
      chunkBytes,
      ...(lbaBytes && { lbaBytes }),
    };
  }

  /** Makes a disk on `image` of an empty store. The disk owns both; when it rejects, the caller still does. */
  static async create(store: DiskStore, image: ReadOnlyImage): Promise<OverlayBackend> {
    if (await BaseHeader.read(store, "overlay")) {
      throw new StorageError(
        "unavailable",
        "There is a disk on a base image already: open it, or delete it first.",
      );
    }
    const header = BaseHeader.make("overlay", image.identity, store.chunkBytes);
    if (store.chunkBytes !== image.chunkBytes || store.chunkCount < header.chunkCount + chunksOf(image)) {
      throw new StorageError("unavailable", "This store does not fit the image: make it as storeFor() says.");
    }
    await store.commit(header.changesFrom());
    return new OverlayBackend(store, image, header, new Set());
  }

  /**
   * Opens a disk that stands on an image; `openImage` gets the image that the disk knows. The disk owns both; when it
   * rejects, the store is still the caller's. Rejects with StorageError "unavailable" when it is another image.
   */
  static async open(
    store: DiskStore,
    openImage: (known: ImageIdentity) => Promise<ReadOnlyImage>,
  ): Promise<OverlayBackend> {
    const header = await BaseHeader.read(store, "overlay");
    if (!header) {
      throw new StorageError("unavailable", "This disk was never completed: delete it and make it anew.");
    }
    const image = await openImage(header.image);
    if (!isSameImage(image.identity, header.image)) {
      await image.close();
      throw new StorageError(
        "unavailable",
        `This disk stands on the image ${header.image.url} as it was then, and ${image.identity.url} is another one. ` +
          "Put the old image back, or make a new disk.",
      );
    }
    const chunks = await store.list();
    const own = chunks.filter(chunk => chunk >= header.chunkCount).map(chunk => chunk - header.chunkCount);
    return new OverlayBackend(store, image, header, new Set(own));
  }

  get chunkCount(): number {
    return this.#store.chunkCount - this.#removed.chunkCount;
  }

  get metadata(): DiskMetadata {
    return {
      ...this.#store.metadata,
      formatVersion: this.#removed.description.formatVersion,
      chunkCount: this.chunkCount,
    };
  }

  get journal(): JournalTraits | undefined {
    return this.#store.journal;
  }

  get isOpen(): boolean {
    return this.#store.isOpen;
  }

  /** The image that the disk stands on. */
  get image(): ImageIdentity {
    return this.#removed.image;
  }

  /** Bytes that were written on top of the image and take room; what was read from the image does not count. */
  get ownBytes(): number {
    return this.#own.size * this.chunkBytes;
  }

  /** The image's chunks are listed too, as far as they show and are not known to be zeroes. */
  async list(): Promise<number[]> {
    this.#checkOpen();
    await this.#committing;
    const chunks = new Set(this.#own);
    for (let chunk = 0; chunk < this.#imageChunks; chunk++) if (this.#shows(chunk)) chunks.add(chunk);
    return [...chunks].sort((a, b) => a - b);
  }

  async read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    this.#checkOpen();
    checkChunks(this, chunks);
    if (this.#committing) await this.#committing;
    const own = chunks.filter(chunk => this.#own.has(chunk));
    // Both at once.
    const reading = own.length > 0 ? this.#store.read(own.map(chunk => this.#place(chunk))) : [];
    const [stored, based] = await Promise.all([
      reading,
      Promise.all(chunks.map(chunk => (this.#own.has(chunk) ? undefined : this.#readImage(chunk)))),
    ]);
    let next = 0;
    const isOwn = new Set(own);
    return chunks.map((chunk, i) => (isOwn.has(chunk) ? stored[next++] : based[i]));
  }

  async commit(changes: readonly ChunkChange[]): Promise<void> {
    this.#checkOpen();
    checkChanges(this, changes);
    await this.#inOrder(changes);
  }

  async recordSeed(seed: SeedRecord): Promise<void> {
    await this.#store.recordSeed(seed);
  }

  async setLbaBytes(lbaBytes: LbaBytes): Promise<void> {
    await this.#store.setLbaBytes(lbaBytes);
  }

  async grow(capacityBytes: number): Promise<void> {
    grownMetadata(this.metadata, capacityBytes); // refuses in terms of this disk
    await this.#store.grow(capacityBytes + this.#removed.chunkCount * this.chunkBytes);
  }

  async close(): Promise<void> {
    await this.#committing;
    await Promise.all([this.#store.close(), this.#image.close()]);
  }

  /** One commit after the other: what a commit has to do depends on what the ones before it did. */
  #inOrder(changes: readonly ChunkChange[]): Promise<void> {
    const before = this.#committing;
    const commit = before
      ? // It has to wait, and the caller may change its arrays once commit() has returned.
        startAfter(
          before,
          changes.map(change => ({ ...change, data: change.data?.slice() })),
          copies => this.#commit(copies),
        )
      : this.#commit(changes);
    const ended = commit.then(
      () => {},
      () => {},
    );
    const all = ended.then(() => {
      if (this.#committing === all) this.#committing = undefined;
    });
    this.#committing = all;
    return commit;
  }

  async #commit(changes: readonly ChunkChange[]): Promise<void> {
    const removals = changes.filter(({ chunk, data }) => !data && this.#shows(chunk));
    const removed =
      removals.length > 0 ? this.#removed.with(removals.map(({ chunk }) => chunk)) : this.#removed;
    const header = removals.length > 0 ? removed.changesFrom(this.#removed) : [];
    await this.#store.commit([
      ...header,
      ...changes.map(({ chunk, data, blocks }) => ({
        chunk: this.#place(chunk),
        data,
        // What the image shows around the changed blocks, the store does not have.
        ...(!(this.#shows(chunk) && !this.#own.has(chunk)) && { blocks }),
      })),
    ]);
    this.#removed = removed;
    for (const { chunk, data } of changes) {
      if (data) this.#own.add(chunk);
      else this.#own.delete(chunk);
    }
  }

  async #readImage(chunk: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (!this.#shows(chunk)) return undefined;
    // It is listed, so it must be something: an image that was opened without the network learns of its holes later.
    return (await this.#image.read(chunk)) ?? new Uint8Array(this.chunkBytes);
  }

  /** Whether the image's chunk is what is beneath. */
  #shows(chunk: number): boolean {
    return chunk < this.#imageChunks && !this.#removed.has(chunk) && !this.#image.isHole(chunk);
  }

  #place(chunk: number): number {
    return chunk + this.#removed.chunkCount;
  }

  #checkOpen(): void {
    if (!this.#store.isOpen) throw new StorageError("unavailable", "This disk is not open: it was closed.");
  }
}

async function startAfter(
  before: Promise<void>,
  changes: readonly ChunkChange[],
  commit: (changes: readonly ChunkChange[]) => Promise<void>,
): Promise<void> {
  await before;
  await commit(changes);
}
