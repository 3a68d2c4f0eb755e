import { type ChunkChange, type DirectReads, StorageError } from "../block_backend.ts";
import { checkChanges, checkChunks } from "../chunk_checks.ts";
import {
  type DiskMetadata,
  type DiskStore,
  grownMetadata,
  type LbaBytes,
  type NewDisk,
  newMetadata,
  type SeedRecord,
} from "../disk_store.ts";
import { storageErrorFrom } from "../indexeddb/indexeddb_errors.ts";
import {
  damaged,
  INDEX_FORMAT_VERSION,
  IndexLog,
  type IndexRecord,
  LOG_BYTES,
  writeAll,
} from "./index_log.ts";
import { openFiles } from "./opfs_files.ts";
import { SlotMap } from "./slot_map.ts";
import { closeFiles, type DiskFiles } from "./sync_file.ts";

/** Payload: the disk's DiskMetadata as JSON. */
const METADATA = 1;
/** Payload: pairs of 32-bit numbers, chunk and slot; slot REMOVED for a chunk that does not exist any more. */
const CHANGES = 2;
const REMOVED = 0xffff_ffff;
/** The data file keeps up to so many free slots at its end: a disk that is rewritten in place does not shrink and grow. */
const SPARE_SLOTS = 16;

/**
 * A disk in three files of the origin private file system, through synchronous access handles, which only dedicated
 * workers have. The data file consists of slots of one chunk each. A log (index_log.ts) says which slot holds which
 * chunk. A commit writes into free slots, flushes, and appends one record to the log: that is the moment when it
 * happens. The slots of what it replaced are free from then on. The files are locked by the browser as long as they
 * are open.
 */
export class OpfsBackend implements DiskStore, DirectReads {
  readonly leastBytes = 64 * 1024;
  readonly chunkBytes: number;
  readonly direct: DirectReads = this;
  readonly #name: string;
  readonly #files: DiskFiles;
  readonly #log: IndexLog;
  readonly #map: SlotMap;
  #metadata: DiskMetadata;
  #open = true;
  /** It was recorded that this session changes the disk. */
  #writes = false;

  private constructor(name: string, files: DiskFiles, log: IndexLog, records: readonly IndexRecord[]) {
    this.#name = name;
    this.#files = files;
    this.#log = log;
    const { metadata, map } = replay(records);
    this.#metadata = metadata;
    this.#map = map;
    this.chunkBytes = metadata.chunkBytes;
    if (files.data.getSize() < map.end * this.chunkBytes) throw damaged("its data file is too short");
    this.#trim(0);
  }

  /**
   * Opens disk `name`, or creates it as `create` says when there is none. Rejects with StorageError: "unavailable" (no
   * such disk, open elsewhere, unknown format, no OPFS here), "no-space" or "io".
   */
  static async open(name: string, create?: NewDisk): Promise<OpfsBackend> {
    return OpfsBackend.openFiles(name, await openFiles(name, create !== undefined), create);
  }

  /** The same over files that are open already. They are closed when it throws. Tests make the log short. */
  static openFiles(name: string, files: DiskFiles, create?: NewDisk, logBytes = LOG_BYTES): OpfsBackend {
    try {
      const found = IndexLog.open(files.index, logBytes);
      if (found) return new OpfsBackend(name, files, found.log, found.records);
      // The log is made before any data: without one, there was no disk yet.
      if (files.data.getSize() > 0) throw damaged("its index is lost");
      if (!create) throw new StorageError("unavailable", `There is no disk "${name}".`);
      const records = [metadataRecord(newMetadata(INDEX_FORMAT_VERSION, create))];
      return new OpfsBackend(name, files, IndexLog.create(files.index, records, logBytes), records);
    } catch (error) {
      closeFiles(files);
      if (error instanceof RangeError) throw error;
      throw storageErrorFrom(error, `Opening disk "${name}" failed`);
    }
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

  async list(): Promise<number[]> {
    this.#checkOpen();
    return this.#map.chunks();
  }

  async read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    this.#checkOpen();
    checkChunks(this, chunks);
    return this.#use("Reading from", () => chunks.map(chunk => this.#readChunk(chunk)));
  }

  readInto(chunk: number, within: number, target: Uint8Array): void {
    this.#checkOpen();
    checkChunks(this, [chunk]);
    this.#use("Reading from", () => {
      const slot = this.#map.slotOf(chunk);
      if (slot === undefined) target.fill(0);
      else this.#readSlot(chunk, slot * this.chunkBytes + within, target);
    });
  }

  async commit(changes: readonly ChunkChange[]): Promise<void> {
    this.#checkOpen();
    checkChanges(this, changes);
    if (changes.length > 0) this.#use("Writing to", () => this.#commit(changes));
  }

  /**
   * Where the log ends, with who has written to it last: each commit is a record of the log, so that the name changes with the content in
   * one durable step, and whatever version of Doorbell writes. The writer tells two copies of a profile apart that have gone
   * different ways.
   */
  readonly seal = async (): Promise<string> => {
    this.#checkOpen();
    return this.#use("Flushing", () => `${this.#metadata.writer ?? "new"}.${this.#log.position()}`);
  };

  async recordSeed(seed: SeedRecord): Promise<void> {
    this.#describe({ seededSha256: undefined, seedingSha256: undefined, ...seed });
  }

  async setLbaBytes(lbaBytes: LbaBytes): Promise<void> {
    this.#describe({ lbaBytes });
  }

  async grow(capacityBytes: number): Promise<void> {
    const metadata = grownMetadata(this.#metadata, capacityBytes);
    this.#describe({ chunkCount: metadata.chunkCount });
    this.#map.grow(metadata.chunkCount);
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#trim(0);
    closeFiles(this.#files);
  }

  #readChunk(chunk: number): Uint8Array<ArrayBuffer> | undefined {
    const slot = this.#map.slotOf(chunk);
    if (slot === undefined) return undefined;
    const data = new Uint8Array(this.chunkBytes);
    this.#readSlot(chunk, slot * this.chunkBytes, data);
    return data;
  }

  #readSlot(chunk: number, at: number, target: Uint8Array): void {
    if (this.#files.data.read(target, { at }) !== target.length) {
      throw new StorageError(
        "io",
        `Chunk ${chunk} of disk "${this.#name}" is damaged: its file is too short.`,
      );
    }
  }

  #commit(changes: readonly ChunkChange[]): void {
    const { data: file } = this.#files;
    // First: what a failed commit may have left in the log could name slots that are written now.
    this.#log.repair();
    this.#beginToWrite();
    if (this.#log.isLong) this.#writeLogAnew();
    const slots = this.#map.free(changes.filter(({ data }) => data).length);
    const entries = new Uint32Array(2 * changes.length);
    let used = 0;
    for (const [i, { chunk, data }] of changes.entries()) {
      const slot = data ? slots[used++] : REMOVED;
      if (data) writeAll(file, data, slot * this.chunkBytes);
      entries.set([chunk, slot], 2 * i);
    }
    if (used > 0) file.flush();
    this.#log.append({ kind: CHANGES, payload: new Uint8Array(entries.buffer) });
    apply(this.#map, entries);
    this.#trim(SPARE_SLOTS);
  }

  #describe(change: Partial<DiskMetadata>): void {
    this.#checkOpen();
    this.#use("Recording the state of", () => {
      this.#beginToWrite();
      const metadata = { ...this.#metadata, ...change };
      this.#log.append(metadataRecord(metadata));
      this.#metadata = metadata;
    });
  }

  #beginToWrite(): void {
    if (this.#writes) return;
    const metadata = { ...this.#metadata, writer: crypto.randomUUID() };
    this.#log.append(metadataRecord(metadata));
    this.#metadata = metadata;
    this.#writes = true;
  }

  #writeLogAnew(): void {
    const chunks = this.#map.chunks();
    const entries = new Uint32Array(2 * chunks.length);
    for (const [i, chunk] of chunks.entries())
      entries.set([chunk, this.#map.slotOf(chunk) ?? REMOVED], 2 * i);
    try {
      this.#log.writeAnew([
        metadataRecord(this.#metadata),
        { kind: CHANGES, payload: new Uint8Array(entries.buffer) },
      ]);
    } catch {
      // No room: the old one goes on. append() first makes sure that nothing of the new one is left.
    }
  }

  /** Gives free slots at the end of the data file back, if there are more than `spare`. */
  #trim(spare: number): void {
    const byteLength = this.#map.end * this.chunkBytes;
    try {
      if (this.#files.data.getSize() > byteLength + spare * this.chunkBytes) {
        this.#files.data.truncate(byteLength);
      }
    } catch {
      // Nothing that counts is there; the next commit tries again.
    }
  }

  #use<T>(doing: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storageErrorFrom(error, `${doing} disk "${this.#name}" failed`);
    }
  }

  #checkOpen(): void {
    if (!this.#open)
      throw new StorageError("unavailable", `Disk "${this.#name}" is not open: it was closed.`);
  }
}

function metadataRecord(metadata: DiskMetadata): IndexRecord {
  return { kind: METADATA, payload: new TextEncoder().encode(JSON.stringify(metadata)) };
}

function replay(records: readonly IndexRecord[]): { metadata: DiskMetadata; map: SlotMap } {
  let metadata: DiskMetadata | undefined;
  let map: SlotMap | undefined;
  for (const { kind, payload } of records) {
    if (kind === METADATA) {
      metadata = JSON.parse(new TextDecoder().decode(payload)) as DiskMetadata;
      if (!map) map = new SlotMap(metadata.chunkCount);
      else if (map.chunkCount < metadata.chunkCount) map.grow(metadata.chunkCount);
    } else if (kind === CHANGES && map) {
      apply(map, new Uint32Array(payload.buffer));
    } else {
      throw damaged(`its index has a record of kind ${kind}`);
    }
  }
  if (!metadata || !map) throw damaged("its index does not describe it");
  return { metadata, map };
}

function apply(map: SlotMap, entries: Uint32Array): void {
  for (let i = 0; i < entries.length; i += 2) {
    const [chunk, slot] = [entries[i], entries[i + 1]];
    if (chunk >= map.chunkCount || !map.place(chunk, slot === REMOVED ? undefined : slot)) {
      throw damaged(`its index puts chunk ${chunk} into slot ${slot}`);
    }
  }
}
