import { type BlockBackend, type ChunkChange, StorageError } from "./block_backend.ts";
import { checkChanges, checkChunks } from "./chunk_checks.ts";

/** What a MemoryBackend keeps: chunk number → content. Hand the same map to a second backend to "reopen" a disk. */
export type MemoryStore = Map<number, Uint8Array<ArrayBuffer>>;

/** A disk in this process's memory: for tests, Node and benchmarks. Nothing survives the process. */
export class MemoryBackend implements BlockBackend {
  readonly chunkBytes: number;
  readonly chunkCount: number;
  readonly #store: MemoryStore;
  #closed = false;

  constructor(chunkBytes: number, chunkCount: number, store: MemoryStore = new Map()) {
    this.chunkBytes = chunkBytes;
    this.chunkCount = chunkCount;
    this.#store = store;
  }

  async list(): Promise<number[]> {
    this.#checkOpen();
    return [...this.#store.keys()].sort((a, b) => a - b);
  }

  async read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    this.#checkOpen();
    checkChunks(this, chunks);
    return chunks.map(chunk => this.#store.get(chunk)?.slice());
  }

  async commit(changes: readonly ChunkChange[]): Promise<void> {
    this.#checkOpen();
    checkChanges(this, changes);
    for (const { chunk, data } of changes) {
      if (data) this.#store.set(chunk, data.slice());
      else this.#store.delete(chunk);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #checkOpen(): void {
    if (this.#closed) throw new StorageError("unavailable", "This disk in memory is closed.");
  }
}
