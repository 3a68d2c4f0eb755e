import type { ChunkChange, JournalTraits } from "./block_backend.ts";
import type { DiskMetadata, DiskStore, LbaBytes, SeedRecord } from "./disk_store.ts";
import type { ChunkSink, StoredChunk } from "./transfer/chunk_sink.ts";
import { checkCancelled, type TransferControl } from "./transfer/transfer_control.ts";

/** Chunks that are read at a time: about what one commit of a sink is best at. */
const BATCH_BYTES = 4 << 20;
/** So long a commit waits for the sink to take what it is about to overwrite. */
const RESCUE_WAIT_MS = 1000;
/** More than this waiting for a slow sink ends the copy: the guest must not suffer from it. */
const MAX_RESCUED_BYTES = 64 << 20;

/** The copy that is under way. */
interface Copy {
  readonly sink: ChunkSink;
  /** 1 for each chunk that was read for the copy, or need not be. */
  readonly taken: Uint8Array;
  readonly rescues: Set<Promise<void>>;
  rescuedBytes: number;
  failure: unknown;
}

/**
 * A disk that can be copied as it is at one moment while it is written to (copy before write, as in a backup job of
 * QEMU). Before a commit changes a chunk that the copy has not reached yet, the chunk's old content is read for the
 * copy. That needs no waiting, as a backend does reads and commits in the order of their calls.
 */
export class SnapshotStore implements DiskStore {
  readonly #store: DiskStore;
  #copy: Copy | undefined;

  constructor(store: DiskStore) {
    this.#store = store;
  }

  get chunkBytes(): number {
    return this.#store.chunkBytes;
  }

  get chunkCount(): number {
    return this.#store.chunkCount;
  }

  get metadata(): DiskMetadata {
    return this.#store.metadata;
  }

  get isOpen(): boolean {
    return this.#store.isOpen;
  }

  get journal(): JournalTraits | undefined {
    return this.#store.journal;
  }

  list(): Promise<number[]> {
    return this.#store.list();
  }

  read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    return this.#store.read(chunks);
  }

  async commit(changes: readonly ChunkChange[]): Promise<void> {
    const rescue = this.#copy && this.#rescue(this.#copy, changes);
    await this.#store.commit(changes);
    if (!rescue) return;
    // Back-pressure: who writes faster than the copy can be kept is slowed.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>(resolve => {
      timer = setTimeout(resolve, RESCUE_WAIT_MS);
    });
    await Promise.race([rescue, late]);
    clearTimeout(timer);
  }

  recordSeed(seed: SeedRecord, generation?: string): Promise<void> {
    return this.#store.recordSeed(seed, generation);
  }

  setLbaBytes(lbaBytes: LbaBytes): Promise<void> {
    return this.#store.setLbaBytes(lbaBytes);
  }

  get seal(): (() => Promise<string>) | undefined {
    const store = this.#store;
    return store.seal && (() => (store.seal as () => Promise<string>)());
  }

  grow(capacityBytes: number): Promise<void> {
    return this.#store.grow(capacityBytes);
  }

  async close(): Promise<void> {
    if (this.#copy)
      this.#copy.failure ??= new Error("The disk was closed while it was copied; copy it again.");
    await this.#store.close();
  }

  /**
   * Copies into `sink` what is durable when this is called: as a crash at that moment would have left the disk.
   * Chunks that do not exist are not read. Rejects with TransferCancelled, with StorageError, with what the sink
   * rejected with, or with Error when a copy is under way already or the sink is too slow for the writer.
   */
  async copyTo(sink: ChunkSink, control: TransferControl): Promise<void> {
    if (this.#copy) throw new Error("This disk is being copied already. Wait for that, or cancel it.");
    const copy: Copy = {
      sink,
      taken: new Uint8Array(this.chunkCount),
      rescues: new Set(),
      rescuedBytes: 0,
      failure: undefined,
    };
    this.#copy = copy;
    try {
      const chunks = await this.#store.list();
      const batchChunks = Math.max(1, BATCH_BYTES / this.chunkBytes);
      for (let done = 0; done < chunks.length; done += batchChunks) {
        checkCancelled(control);
        if (copy.failure !== undefined) throw copy.failure;
        const batch = chunks.slice(done, done + batchChunks).filter(chunk => copy.taken[chunk] === 0);
        await this.#take(copy, batch);
        const copied = Math.min(done + batchChunks, chunks.length);
        control.progress(copied * this.chunkBytes, chunks.length * this.chunkBytes);
      }
      await Promise.all(copy.rescues);
      if (copy.failure !== undefined) throw copy.failure;
      checkCancelled(control);
    } finally {
      this.#copy = undefined;
    }
  }

  /** Reads chunks, in the order of the calls, and hands them to the sink. */
  async #take(copy: Copy, chunks: readonly number[]): Promise<void> {
    for (const chunk of chunks) copy.taken[chunk] = 1;
    if (chunks.length === 0) return;
    const contents = await this.#store.read(chunks);
    await copy.sink.write(
      contents.flatMap((data, i): StoredChunk[] => (data ? [{ chunk: chunks[i], data }] : [])),
    );
  }

  /** Saves for the copy what a commit is about to change. Never rejects: that is the copy's failure, not the commit's. */
  #rescue(copy: Copy, changes: readonly ChunkChange[]): Promise<void> | undefined {
    // A chunk beyond the count of then did not exist then.
    const chunks = changes.map(({ chunk }) => chunk).filter(chunk => copy.taken[chunk] === 0);
    if (chunks.length === 0 || copy.failure !== undefined) return undefined;
    const bytes = chunks.length * this.chunkBytes;
    copy.rescuedBytes += bytes;
    if (copy.rescuedBytes > MAX_RESCUED_BYTES) {
      copy.failure = new Error(
        "Linux writes to this disk faster than the copy can be saved. Copy it when the machine is quiet or switched off.",
      );
      return undefined;
    }
    const rescue = this.#take(copy, chunks)
      .catch((error: unknown) => {
        copy.failure ??= error;
      })
      .finally(() => {
        copy.rescuedBytes -= bytes;
        copy.rescues.delete(rescue);
      });
    copy.rescues.add(rescue);
    return rescue;
  }
}
