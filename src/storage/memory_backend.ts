import { type BlockBackend, type ChunkChange, type JournalTraits, StorageError } from "./block_backend.ts";
import { checkChanges, checkChunks } from "./chunk_checks.ts";

/** What a MemoryBackend keeps: chunk number → content. Hand the same map to a second backend to "reopen" a disk. */
export type MemoryStore = Map<number, Uint8Array<ArrayBuffer>>;

/** A disk in this process's memory: for tests, Node and benchmarks. Nothing survives the process. */
export class MemoryBackend implements BlockBackend {
  readonly chunkBytes: number;
  readonly chunkCount: number;
  readonly journal: JournalTraits | undefined;
  readonly #store: MemoryStore;
  #closed = false;

  /** With `journal` it takes the blocks of a change at their word and stores nothing else, as a real journal would. */
  constructor(
    chunkBytes: number,
    chunkCount: number,
    store: MemoryStore = new Map(),
    journal?: JournalTraits,
  ) {
    this.chunkBytes = chunkBytes;
    this.chunkCount = chunkCount;
    this.#store = store;
    this.journal = journal;
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
    for (const { chunk, data, blocks } of changes) {
      if (!data) this.#store.delete(chunk);
      else if (this.journal && blocks) this.#patch(chunk, data, blocks, this.journal.blockBytes);
      else this.#store.set(chunk, data.slice());
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #patch(chunk: number, data: Uint8Array, blocks: readonly number[], blockBytes: number): void {
    const content = this.#store.get(chunk) ?? new Uint8Array(this.chunkBytes);
    for (const block of blocks) {
      const start = block * blockBytes;
      content.set(data.subarray(start, start + blockBytes), start);
    }
    this.#store.set(chunk, content);
  }

  #checkOpen(): void {
    if (this.#closed) throw new StorageError("unavailable", "This disk in memory is closed.");
  }
}
