import { promisifyRequest } from "idb-keyval";
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
import {
  chunkOfKey,
  JOURNAL_BLOCK_BYTES,
  journalKeys,
  putBlocks,
  putChunk,
  readChunk,
} from "./indexeddb_chunks.ts";
import {
  checkMetadata,
  finished,
  GENERATION_KEY,
  type GenerationRecord,
  METADATA_KEY,
  OWNER_KEY,
  openDatabase,
  type StoreName,
} from "./indexeddb_database.ts";
import { storageErrorFrom } from "./indexeddb_errors.ts";

/** A block costs about 0.1 ms, a chunk of 256 KiB about 3 ms. */
const JOURNAL_BLOCK_LIMIT = 16;
/** What is in the journal after a crash is folded at the next opening: at most 32 MiB of chunks to read and write. */
const JOURNAL_CHUNK_LIMIT = 128;
/** Chunks folded in one transaction. */
const FOLD_CHUNKS = 16;

/**
 * A disk in one IndexedDB database: object stores "chunks" (key: chunk number), "journal" (key: number of a 4 KiB block;
 * lies over the chunks) and "metadata". Every commit is one transaction of durability "strict".
 *
 * A backend that was opened later is the owner: each transaction that writes first looks whether this one still is.
 */
export class IndexedDbBackend implements DiskStore {
  readonly chunkBytes: number;
  readonly journal: JournalTraits | undefined;
  readonly #name: string;
  readonly #db: IDBDatabase;
  #metadata: DiskMetadata;
  /** What the database names as owner once this backend has written to it. */
  readonly #token = crypto.randomUUID();
  /** The owner that this one takes the disk from; its token is replaced in the first transaction that succeeds. */
  #predecessor: { readonly token: unknown } | undefined;
  /** Name of the content, durable once #predecessor is gone; the first change after a seal gives another one. */
  #generation: string;
  #isSealed = true;
  /** How often it was sealed: a change that was under way then does not break that seal. */
  #seals = 0;
  /** Chunks that have, or may soon have, journal records, each with the number of its latest journaled change. */
  readonly #journaled = new Map<number, number>();
  #changeNumber = 0;
  /** Why the database can no longer be used; undefined while it can. */
  #closedBecause: string | undefined;

  private constructor(
    name: string,
    db: IDBDatabase,
    metadata: DiskMetadata,
    predecessor: unknown,
    generation: GenerationRecord | undefined,
  ) {
    const isKnown = generation !== undefined && generation.owner === predecessor;
    this.#generation = isKnown ? generation.id : crypto.randomUUID();
    this.#name = name;
    this.#db = db;
    this.#metadata = metadata;
    this.#predecessor = { token: predecessor };
    this.chunkBytes = metadata.chunkBytes;
    if (this.chunkBytes > JOURNAL_BLOCK_BYTES) {
      this.journal = {
        blockBytes: JOURNAL_BLOCK_BYTES,
        blockLimit: Math.min(JOURNAL_BLOCK_LIMIT, this.chunkBytes / JOURNAL_BLOCK_BYTES / 4),
        chunkLimit: JOURNAL_CHUNK_LIMIT,
      };
    }
    db.onversionchange = ({ newVersion }) =>
      this.#release(
        newVersion === null ? "another tab deletes it" : "another tab converts it to a newer format",
      );
    db.onclose = () => this.#release("the browser closed its database; reload the page to open it again");
  }

  /**
   * Opens disk `name`, or creates it as `create` says when there is none, and takes it from whoever had it open.
   * Rejects with StorageError: "unavailable" (no such disk, unknown format, no IndexedDB), "no-space" or "io".
   */
  static async open(name: string, create?: NewDisk): Promise<IndexedDbBackend> {
    const db = await openDatabase(name, create);
    try {
      const [metadata, owner, generation] = await Promise.all(
        [METADATA_KEY, OWNER_KEY, GENERATION_KEY].map(key =>
          promisifyRequest<unknown>(db.transaction("metadata").objectStore("metadata").get(key)),
        ),
      ).catch(error => {
        throw storageErrorFrom(error, `Reading the description of disk "${name}" failed`);
      });
      const backend = new IndexedDbBackend(
        name,
        db,
        checkMetadata(name, db, metadata),
        owner,
        generation as GenerationRecord | undefined,
      );
      await backend.#begin();
      return backend;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  get metadata(): DiskMetadata {
    return this.#metadata;
  }

  get chunkCount(): number {
    return this.#metadata.chunkCount;
  }

  get isOpen(): boolean {
    return this.#closedBecause === undefined;
  }

  recordSeed(seed: SeedRecord, generation?: string): Promise<void> {
    const { seededSha256, seedingSha256, ...geometry } = this.#metadata;
    return this.#describe({ ...geometry, ...seed }, generation);
  }

  setLbaBytes(lbaBytes: LbaBytes): Promise<void> {
    return this.#describe({ ...this.#metadata, lbaBytes });
  }

  async grow(capacityBytes: number): Promise<void> {
    await this.#describe(grownMetadata(this.#metadata, capacityBytes));
  }

  async list(): Promise<number[]> {
    const stored = await this.#use("Listing the chunks of", () =>
      promisifyRequest(this.#db.transaction("chunks").objectStore("chunks").getAllKeys()),
    );
    return [...new Set([...(stored as number[]), ...this.#journaled.keys()])].sort((a, b) => a - b);
  }

  async read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    checkChunks(this, chunks);
    if (chunks.length === 0) return [];
    return this.#use("Reading from", () => {
      const isJournaled = chunks.map(chunk => this.#journaled.has(chunk));
      const transaction = this.#db.transaction(isJournaled.includes(true) ? ["chunks", "journal"] : "chunks");
      const store = transaction.objectStore("chunks");
      return Promise.all(
        chunks.map((chunk, i) => {
          const journal = isJournaled[i] ? transaction.objectStore("journal") : undefined;
          return readChunk(store, journal, chunk, this.chunkBytes);
        }),
      );
    });
  }

  async commit(changes: readonly ChunkChange[]): Promise<void> {
    checkChanges(this, changes);
    const whole = changes.filter(({ blocks }) => !blocks || !this.journal);
    const before = whole.map(({ chunk }) => this.#journaled.get(chunk));
    // Journaled changes alone leave "chunks" free to be read meanwhile.
    const stores: StoreName[] = whole.length > 0 ? ["chunks", "journal"] : ["journal"];
    // put() serialises the data at once, and all of this runs before the first await: that is the copy we promise.
    const isChange = changes.some(({ isFold }) => !isFold);
    const write = (transaction: IDBTransaction) => {
      const journal = transaction.objectStore("journal");
      for (const { chunk, data, blocks } of changes) {
        if (this.journal && data && blocks) {
          this.#journaled.set(chunk, ++this.#changeNumber);
          putBlocks(journal, chunk, data, blocks);
          continue;
        }
        const chunks = transaction.objectStore("chunks");
        if (data) putChunk(chunks, chunk, data);
        else chunks.delete(chunk);
        if (this.#journaled.has(chunk)) journal.delete(journalKeys(chunk, this.chunkBytes));
      }
    };
    await this.#write(stores, "Writing to", write, isChange);
    for (const [i, { chunk }] of whole.entries()) {
      if (this.#journaled.get(chunk) === before[i]) this.#journaled.delete(chunk);
    }
  }

  readonly seal = async (): Promise<string> => {
    this.#isSealed = true;
    this.#seals += 1;
    // Behind all changes that are under way, each of which may give a new name.
    await this.#write([], "Flushing", () => {});
    return this.#generation;
  };

  async close(): Promise<void> {
    this.#release("it was closed");
  }

  /** Becomes the owner, and folds what the one before has left in the journal. */
  async #begin(): Promise<void> {
    // Without room the disk can still be read, and the first write that succeeds makes it ours.
    const isFull = await this.#unlessFull(this.#write([], "Opening", () => {}));
    const keys = await this.#use("Reading the journal of", () =>
      promisifyRequest(this.#db.transaction("journal").objectStore("journal").getAllKeys()),
    );
    for (const key of keys as number[]) this.#journaled.set(chunkOfKey(key, this.chunkBytes), 0);
    if (!isFull) await this.#unlessFull(this.#fold([...this.#journaled.keys()]));
  }

  async #fold(chunks: readonly number[]): Promise<void> {
    for (let at = 0; at < chunks.length; at += FOLD_CHUNKS) {
      const batch = chunks.slice(at, at + FOLD_CHUNKS);
      const contents = await this.read(batch);
      await this.commit(batch.map((chunk, i) => ({ chunk, data: contents[i], isFold: true })));
    }
  }

  /** Resolves with whether it failed for want of room. */
  async #unlessFull(work: Promise<void>): Promise<boolean> {
    try {
      await work;
      return false;
    } catch (error) {
      if (error instanceof StorageError && error.kind === "no-space") return true;
      throw error;
    }
  }

  async #describe(metadata: DiskMetadata, generation?: string): Promise<void> {
    const write = (transaction: IDBTransaction) => {
      transaction.objectStore("metadata").put(metadata, METADATA_KEY);
    };
    await this.#write([], "Recording the state of", write, true, generation);
    this.#metadata = metadata;
  }

  /**
   * One durable transaction on `stores` and "metadata". `body` must not wait; what it throws undoes everything. So does
   * the fence: the question who the owner is travels in front of the body's requests, and costs no time. With `isChange` the
   * content is another one afterwards, and sealed by the name `generation` where that is given.
   */
  #write(
    stores: readonly StoreName[],
    doing: string,
    body: (transaction: IDBTransaction) => void,
    isChange = false,
    generation?: string,
  ): Promise<void> {
    return this.#use(doing, async () => {
      if (generation !== undefined) {
        // From now on, so that a change which comes behind this one while it is under way gives a new name.
        this.#isSealed = true;
        this.#seals += 1;
      }
      const seals = this.#seals;
      const next = generation ?? (isChange && this.#isSealed ? crypto.randomUUID() : undefined);
      const transaction = this.#db.transaction([...stores, "metadata"], "readwrite", {
        durability: "strict",
      });
      const metadata = transaction.objectStore("metadata");
      const owner = metadata.get(OWNER_KEY);
      owner.onsuccess = () => {
        const isOurs = owner.result === this.#token;
        if (!isOurs && !(this.#predecessor && owner.result === this.#predecessor.token)) {
          this.#release("another tab has taken this disk over. To have it here again, reload this page");
          transaction.abort();
          return;
        }
        if (!isOurs) metadata.put(this.#token, OWNER_KEY);
        if (isOurs && next === undefined) return;
        const record: GenerationRecord = { id: next ?? this.#generation, owner: this.#token };
        metadata.put(record, GENERATION_KEY);
      };
      try {
        body(transaction);
      } catch (error) {
        transaction.abort();
        throw error;
      }
      await finished(transaction);
      this.#predecessor = undefined;
      if (next === undefined) return;
      this.#generation = next;
      if (generation === undefined && this.#seals === seals) this.#isSealed = false;
    });
  }

  async #use<T>(doing: string, work: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    try {
      return await work();
    } catch (error) {
      this.#checkOpen();
      throw storageErrorFrom(error, `${doing} disk "${this.#name}" failed`);
    }
  }

  #checkOpen(): void {
    if (this.#closedBecause !== undefined) {
      throw new StorageError("unavailable", `Disk "${this.#name}" is not open: ${this.#closedBecause}.`);
    }
  }

  #release(because: string): void {
    this.#closedBecause ??= because;
    this.#db.close();
  }
}
