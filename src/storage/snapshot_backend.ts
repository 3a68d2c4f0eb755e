import { type ChunkChange, StorageError } from "./block_backend.ts";
import { checkChanges, checkChunks } from "./chunk_checks.ts";
import {
  type DiskMetadata,
  type DiskStore,
  grownMetadata,
  type LbaBytes,
  type SeedRecord,
} from "./disk_store.ts";
import type { DiskSnapshot } from "./indexeddb/indexeddb_snapshot.ts";

export const SNAPSHOT_TOO_LARGE = "SnapshotTooLargeError";

/** A disk holds more than a copy in memory may take. */
export class SnapshotTooLargeError extends StorageError {
  override readonly name = SNAPSHOT_TOO_LARGE;

  constructor(disk: string, limitBytes: number) {
    super(
      "unavailable",
      `Disk "${disk}" holds more than the ${Math.floor(limitBytes / 2 ** 20)} MiB that a copy in memory may take: it cannot be opened read-only here. Take it over, or delete files in Linux and run fstrim in the tab that has it.`,
    );
  }
}

/**
 * A disk that begins as the copy of another one and lives in this thread's memory: what is written is gone with it. It
 * never takes more than `limitBytes` for chunks; a write beyond that is refused as on a full disk.
 */
export class SnapshotBackend implements DiskStore {
  readonly chunkBytes: number;
  readonly #chunks: Map<number, Uint8Array<ArrayBuffer>>;
  readonly #mostChunks: number;
  #metadata: DiskMetadata;
  #open = true;

  /** The snapshot belongs to the backend from then on. */
  constructor({ metadata, chunks }: DiskSnapshot, limitBytes: number) {
    this.chunkBytes = metadata.chunkBytes;
    this.#metadata = metadata;
    this.#chunks = chunks;
    this.#mostChunks = Math.floor(limitBytes / metadata.chunkBytes);
  }

  get chunkCount(): number {
    return this.#metadata.chunkCount;
  }

  get metadata(): DiskMetadata {
    return this.#metadata;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  async recordSeed(seed: SeedRecord): Promise<void> {
    const { seededSha256, seedingSha256, ...geometry } = this.#metadata;
    this.#metadata = { ...geometry, ...seed };
  }

  async setLbaBytes(lbaBytes: LbaBytes): Promise<void> {
    this.#metadata = { ...this.#metadata, lbaBytes };
  }

  async grow(capacityBytes: number): Promise<void> {
    this.#metadata = grownMetadata(this.#metadata, capacityBytes);
  }

  async list(): Promise<number[]> {
    this.#checkOpen();
    return [...this.#chunks.keys()].sort((a, b) => a - b);
  }

  async read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    this.#checkOpen();
    checkChunks(this, chunks);
    return chunks.map(chunk => this.#chunks.get(chunk)?.slice());
  }

  async commit(changes: readonly ChunkChange[]): Promise<void> {
    this.#checkOpen();
    checkChanges(this, changes);
    this.#checkRoom(changes);
    for (const { chunk, data } of changes) {
      if (data) this.#chunks.set(chunk, data.slice());
      else this.#chunks.delete(chunk);
    }
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#chunks.clear();
  }

  #checkRoom(changes: readonly ChunkChange[]): void {
    const written = new Map(changes.map(({ chunk, data }) => [chunk, data !== undefined]));
    let chunks = this.#chunks.size;
    for (const [chunk, exists] of written) chunks += Number(exists) - Number(this.#chunks.has(chunk));
    if (chunks <= this.#mostChunks) return;
    throw new StorageError(
      "no-space",
      `The copy of the disk in memory is full (${(this.#mostChunks * this.chunkBytes) / 2 ** 20} MiB).`,
    );
  }

  #checkOpen(): void {
    if (!this.#open) throw new StorageError("unavailable", "This copy of a disk is closed.");
  }
}
