import { type BlockBackend, StorageError } from "../block_backend.ts";
import { type Scheduler, withDeadline } from "../scheduler.ts";
import type { ChunkTable } from "./chunk_table.ts";

/** Brings missing chunks into the table. Whoever wants a chunk that is already on its way shares that load. */
export class ChunkLoader {
  readonly #backend: BlockBackend;
  readonly #table: ChunkTable;
  readonly #scheduler: Scheduler;
  readonly #timeoutMs: number;
  readonly #loads = new Map<number, Promise<void>>();

  constructor(backend: BlockBackend, table: ChunkTable, scheduler: Scheduler, timeoutMs: number) {
    this.#backend = backend;
    this.#table = table;
    this.#scheduler = scheduler;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Resolves when the loads of these chunks are through. A chunk that nobody has pinned may have found no room, and
   * one that was dropped meanwhile is not brought in: look again. Rejects with StorageError.
   */
  async load(chunks: readonly number[]): Promise<void> {
    const fresh = chunks.filter(chunk => !this.#loads.has(chunk));
    if (fresh.length > 0) this.#start(fresh);
    await Promise.all(new Set(chunks.map(chunk => this.#loads.get(chunk))));
  }

  isLoading(chunk: number): boolean {
    return this.#loads.has(chunk);
  }

  /** The chunk's stored content no longer counts: what is on its way must not be brought in. */
  forget(chunk: number): void {
    if (this.#loads.size > 0) this.#loads.delete(chunk);
  }

  #start(chunks: readonly number[]): void {
    const load = this.#read(chunks).then(
      contents => {
        for (const [i, chunk] of chunks.entries()) {
          if (this.#loads.get(chunk) !== load) continue;
          this.#loads.delete(chunk);
          if (this.#table.isMissing(chunk) && this.#table.makeRoom(1, chunk, chunk)) {
            this.#table.install(chunk, contents[i]);
          }
        }
      },
      error => {
        for (const chunk of chunks) if (this.#loads.get(chunk) === load) this.#loads.delete(chunk);
        throw error;
      },
    );
    load.catch(() => {}); // whoever waits for it sees the error; read-ahead has nobody waiting
    for (const chunk of chunks) this.#loads.set(chunk, load);
  }

  async #read(chunks: readonly number[]): Promise<Uint8Array<ArrayBuffer>[]> {
    const late = () =>
      new StorageError(
        "io",
        `Storage did not answer a read within ${this.#timeoutMs / 1000} s. Reload the page.`,
      );
    try {
      const contents = await withDeadline(this.#backend.read(chunks), this.#timeoutMs, this.#scheduler, late);
      return contents.map((content, i) => {
        if (content) return content;
        throw new StorageError("io", `Storage has lost chunk ${chunks[i]}, which had been written.`);
      });
    } catch (error) {
      throw asStorageError(error, "Reading from storage failed");
    }
  }
}

/** Whatever a backend threw, as the StorageError that the block layer promises. */
export function asStorageError(error: unknown, what: string): StorageError {
  if (error instanceof StorageError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new StorageError("io", `${what}: ${detail}`, { cause: error });
}
