import { type BlockBackend, type DirectReads, StorageError } from "../block_backend.ts";
import type { BlockDevice } from "../block_device.ts";
import type { IoVector } from "../io_vector.ts";
import { type Scheduler, systemScheduler } from "../scheduler.ts";
import { defaultCacheBytes } from "./cache_size.ts";
import { ChunkLoader } from "./chunk_loader.ts";
import { ChunkTable, PASSED, WRITTEN_WHOLE } from "./chunk_table.ts";
import { ReadAhead } from "./read_ahead.ts";
import { type Intent, Reservations } from "./reservations.ts";
import { WriteBack } from "./write_back.ts";

export interface BlockCacheOptions {
  /** Most memory for chunks, in bytes. Default 128 to 512 MiB, by the computer's memory. At least four chunks. */
  readonly cacheBytes?: number;
  /**
   * Most data that is not yet durable, in bytes; writes wait beyond it. Default three quarters of cacheBytes. On
   * storage that would take more than 8 s to commit so much it is less, but not less than 64 MiB.
   */
  readonly dirtyBytes?: number;
  /**
   * Data not yet durable from which on it is committed in the background, whatever the guest does. Default three
   * quarters of dirtyBytes.
   */
  readonly writeBackBytes?: number;
  /** Milliseconds without a write after which all is committed in the background. Default 1000. */
  readonly idleMs?: number;
  /** Milliseconds after which data is committed though it is rewritten all the time. Default 30,000. */
  readonly maxAgeMs?: number;
  /** Milliseconds after which a backend that does not answer counts as failed. Default 30,000. */
  readonly timeoutMs?: number;
  /** Default: setTimeout. */
  readonly scheduler?: Scheduler;
}

/** What a cache has done and holds. Calls are counted, bytes are in whole chunks. */
export interface CacheCounters {
  /** tryRead / tryWrite / tryZero calls that succeeded. */
  readonly hits: number;
  /** … that answered false. */
  readonly misses: number;
  /** Chunks loaded by read-ahead. */
  readonly readAheadLoads: number;
  /** Data in memory that is not yet durable. */
  readonly dirtyBytes: number;
  /** Data in memory. */
  readonly residentBytes: number;
  /** Room that the disk takes in storage or memory. */
  readonly allocatedBytes: number;
  /** Commits that became durable. */
  readonly commits: number;
  readonly commitFailures: number;
  readonly committedBytes: number;
  /** flush and flushRange calls that wait at present; more than 0 means "flushing". */
  readonly pendingFlushes: number;
  /** flush calls that were answered together with an earlier one. */
  readonly flushesCoalesced: number;
}

/**
 * The write-back chunk cache above a backend. What it promises about durability is in docs/storage.md.
 *
 * What `prepare` made ready stays ready until the task in which its promise resolved is over.
 */
export class BlockCache implements BlockDevice {
  readonly byteLength: number;
  readonly #backend: BlockBackend;
  readonly #direct: DirectReads | undefined;
  readonly #scheduler: Scheduler;
  readonly #table: ChunkTable;
  readonly #loader: ChunkLoader;
  readonly #readAhead: ReadAhead;
  readonly #writeBack: WriteBack;
  readonly #reservations: Reservations;
  readonly #chunkBytes: number;
  #hits = 0;
  #misses = 0;
  #closed: StorageError | undefined;
  #failure: StorageError | undefined;
  /** Reservations to be released in a task of their own. */
  #expiring: { intent: Intent; chunks: readonly number[] }[] = [];

  private constructor(backend: BlockBackend, options: BlockCacheOptions) {
    const { chunkBytes, chunkCount } = backend;
    const {
      cacheBytes = defaultCacheBytes(),
      dirtyBytes = cacheBytes * 0.75,
      scheduler = systemScheduler,
    } = options;
    const { writeBackBytes = dirtyBytes * 0.75, idleMs = 1000, maxAgeMs = 30_000 } = options;
    const { timeoutMs = 30_000 } = options;
    const capacity = Math.floor(cacheBytes / chunkBytes);
    if (capacity < 4) throw new RangeError(`A cache of ${cacheBytes} bytes holds fewer than four chunks.`);
    // At least two chunks for writes and for reads: a small unaligned request touches two.
    const claimLimit = Math.min(capacity - 2, Math.max(2, Math.floor(dirtyBytes / chunkBytes)));
    this.byteLength = chunkBytes * chunkCount;
    this.#backend = backend;
    this.#direct = backend.direct;
    this.#scheduler = scheduler;
    this.#chunkBytes = chunkBytes;
    this.#table = new ChunkTable(chunkBytes, chunkCount, capacity, claimLimit);
    this.#loader = new ChunkLoader(backend, this.#table, scheduler, timeoutMs);
    this.#readAhead = new ReadAhead(this.#table, this.#loader);
    this.#reservations = new Reservations(this.#table);
    this.#writeBack = new WriteBack(backend, this.#table, scheduler, {
      threshold: Math.max(1, Math.floor(writeBackBytes / chunkBytes)),
      idleMs,
      maxAgeMs,
      timeoutMs,
      underPressure: () => this.#reservations.writesWaiting,
      onCommitted: error => {
        this.#failure = error;
        if (error) this.#reservations.rejectWrites(error);
        else this.#reservations.admit();
      },
    });
  }

  /** Puts a cache above an open backend, which it then owns. Rejects with StorageError. */
  static async open(backend: BlockBackend, options: BlockCacheOptions = {}): Promise<BlockCache> {
    const cache = new BlockCache(backend, options);
    for (const chunk of await backend.list()) cache.#table.addStored(chunk);
    return cache;
  }

  get allocatedBytes(): number {
    return this.#table.allocated * this.#chunkBytes;
  }

  /** flush and flushRange calls that wait at present. */
  get pendingFlushes(): number {
    return this.#writeBack.pendingFlushes;
  }

  /** Why the last commit failed; undefined when it did not. The data stays dirty and is tried again. */
  get failure(): StorageError | undefined {
    return this.#failure;
  }

  counters(): CacheCounters {
    return {
      hits: this.#hits,
      misses: this.#misses,
      readAheadLoads: this.#readAhead.loads,
      dirtyBytes: (this.#table.held - this.#writeBack.saved) * this.#chunkBytes,
      residentBytes: this.#table.resident * this.#chunkBytes,
      allocatedBytes: this.allocatedBytes,
      commits: this.#writeBack.commits,
      commitFailures: this.#writeBack.commitFailures,
      committedBytes: this.#writeBack.committedBytes,
      pendingFlushes: this.#writeBack.pendingFlushes,
      flushesCoalesced: this.#writeBack.flushesCoalesced,
    };
  }

  tryRead(offset: number, into: IoVector): boolean {
    this.#checkRange(offset, into.byteLength);
    if (into.byteLength === 0) return true;
    const table = this.#table;
    const first = Math.floor(offset / this.#chunkBytes);
    const last = Math.floor((offset + into.byteLength - 1) / this.#chunkBytes);
    let passes = false;
    for (let chunk = first; chunk <= last; chunk++) {
      if (!this.#closed && !table.isMissing(chunk)) continue;
      if (this.#closed || !this.#mayPass(chunk, into)) {
        this.#misses += 1;
        return false;
      }
      passes = true;
    }
    if (!passes) this.#copy(offset, into, false);
    else if (!this.#readPast(offset, into, first, last)) return false;
    this.#hits += 1;
    this.#writeBack.guestActive = true;
    this.#readAhead.hit(first, last);
    return true;
  }

  tryWrite(offset: number, from: IoVector): boolean {
    this.#checkRange(offset, from.byteLength);
    if (from.byteLength === 0) return true;
    const first = Math.floor(offset / this.#chunkBytes);
    const last = Math.floor((offset + from.byteLength - 1) / this.#chunkBytes);
    if (last - first + 1 > this.#table.claimLimit) {
      throw new RangeError(
        `A write of ${from.byteLength} bytes is larger than the cache ever holds; raise dirtyBytes.`,
      );
    }
    if (!this.#readyToWrite(offset, from.byteLength, first, last)) {
      this.#misses += 1;
      return false;
    }
    this.#hits += 1;
    this.#installForWrite(offset, from.byteLength, first, last);
    this.#copy(offset, from, true);
    for (let chunk = first; chunk <= last; chunk++) {
      const start = chunk * this.#chunkBytes;
      const end = Math.min(this.#chunkBytes, offset + from.byteLength - start);
      if (offset <= start && end === this.#chunkBytes) this.#table.flags[chunk] |= WRITTEN_WHOLE;
      this.#writeBack.markDirty(chunk, Math.max(0, offset - start), end);
    }
    this.#writeBack.pump();
    return true;
  }

  tryZero(offset: number, byteLength: number): boolean {
    this.#checkRange(offset, byteLength);
    if (byteLength === 0) return true;
    const end = offset + byteLength;
    const partial = this.#partialChunks(offset, byteLength);
    if (this.#closed || !partial.every(chunk => this.#readyToZeroPart(chunk, partial.length))) {
      this.#misses += 1;
      return false;
    }
    this.#hits += 1;
    for (const chunk of partial) {
      const start = chunk * this.#chunkBytes;
      const buffer = this.#table.buffers[chunk];
      if (!buffer) continue; // reads as zeroes already
      const [from, to] = [Math.max(0, offset - start), Math.min(this.#chunkBytes, end - start)];
      buffer.fill(0, from, to);
      this.#writeBack.markDirty(chunk, from, to);
    }
    const firstWhole = Math.ceil(offset / this.#chunkBytes);
    const endWhole = Math.floor(end / this.#chunkBytes);
    for (let chunk = firstWhole; chunk < endWhole; chunk++) {
      this.#loader.forget(chunk);
      this.#writeBack.drop(chunk);
    }
    this.#reservations.admit(); // dropping dirty chunks made room
    this.#writeBack.pump();
    return true;
  }

  async prepare(intent: Intent, offset: number, byteLength: number): Promise<void> {
    this.#checkRange(offset, byteLength);
    this.#checkOpen();
    if (byteLength === 0) return;
    const first = Math.floor(offset / this.#chunkBytes);
    const last = Math.floor((offset + byteLength - 1) / this.#chunkBytes);
    const partial = this.#partialChunks(offset, byteLength);
    const limit = this.#reservations.limit(intent);
    let chunks = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    if (chunks.length > limit) {
      if (intent === "read") {
        throw new RangeError(`A read of ${byteLength} bytes is larger than the cache ever holds.`);
      }
      // Larger than any write: a range to be zeroed, which only needs the chunks at its ends.
      chunks = partial;
    }
    await this.#reserve(intent, chunks);
    try {
      await this.#loadMissing(intent === "read" ? chunks : partial, intent === "read");
    } catch (error) {
      this.#release([{ intent, chunks }]);
      throw error;
    }
    this.#expire(intent, chunks);
  }

  async flush(): Promise<void> {
    this.#checkOpen();
    await this.#writeBack.flush();
  }

  async flushRange(offset: number, byteLength: number): Promise<void> {
    this.#checkRange(offset, byteLength);
    this.#checkOpen();
    if (byteLength === 0) return;
    await this.#writeBack.flushRange(
      Math.floor(offset / this.#chunkBytes),
      Math.floor((offset + byteLength - 1) / this.#chunkBytes),
    );
  }

  /**
   * Flushes and releases the disk. Refuses new requests from the moment of the call. Rejects with StorageError when
   * the flush fails; the disk is released all the same, so flush() first if there is something to be saved.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = new StorageError("unavailable", "The disk is closed.");
    this.#reservations.rejectAll(this.#closed);
    try {
      await this.#writeBack.flush();
    } finally {
      this.#writeBack.stop();
      await this.#backend.close();
    }
  }

  /**
   * Gives the disk up without saving anything: what is dirty must not reach storage any more. All that waits and all
   * that comes is refused with `reason`.
   */
  abandon(reason: StorageError): void {
    this.#closed = reason;
    this.#writeBack.abandon(reason);
    this.#reservations.rejectAll(reason);
    this.#backend.close().catch(() => {});
  }

  /** Whether the claims, the missing chunks and the room allow this write. Makes the room. */
  #readyToWrite(offset: number, byteLength: number, first: number, last: number): boolean {
    if (this.#closed) return false;
    const table = this.#table;
    let claims = 0;
    let buffers = 0;
    for (let chunk = first; chunk <= last; chunk++) {
      if (!table.isClaimed(chunk)) claims += 1;
      if (table.buffers[chunk] !== undefined) continue;
      buffers += 1;
      if (table.isMissing(chunk) && !this.#coversChunk(offset, byteLength, chunk)) return false;
    }
    if (claims > 0 && !table.mayClaim(claims)) return false;
    return buffers === 0 || table.makeRoom(buffers, first, last);
  }

  #installForWrite(offset: number, byteLength: number, first: number, last: number): void {
    for (let chunk = first; chunk <= last; chunk++) {
      if (this.#table.buffers[chunk] !== undefined) continue;
      this.#loader.forget(chunk);
      this.#table.install(chunk, this.#table.newBuffer(!this.#coversChunk(offset, byteLength, chunk)));
    }
  }

  #mayPass(chunk: number, { byteLength, count, hasDiscards }: IoVector): boolean {
    // What is dropped has been read all the same: whether it can be is what Verify asks.
    if (!this.#direct || hasDiscards || byteLength < this.#direct.leastBytes * count) return false;
    return (this.#table.flags[chunk] & PASSED) === 0;
  }

  /**
   * Reads what is not in memory straight into the guest's: the first of several reads of a chunk is often the only one,
   * and costs half without memory of its own. False when storage failed; prepare() then meets the error.
   */
  #readPast(offset: number, into: IoVector, first: number, last: number): boolean {
    let failed = false;
    try {
      this.#copy(offset, into, false);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      failed = true;
      this.#misses += 1;
    }
    const end = offset + into.byteLength;
    for (let chunk = first; chunk <= last; chunk++) {
      if (!this.#table.isMissing(chunk)) continue;
      if (failed || end >= (chunk + 1) * this.#chunkBytes) this.#table.flags[chunk] |= PASSED;
    }
    return !failed;
  }

  #readyToZeroPart(chunk: number, claims: number): boolean {
    const table = this.#table;
    if (table.isMissing(chunk)) return false;
    return table.buffers[chunk] === undefined || table.isClaimed(chunk) || table.mayClaim(claims);
  }

  #coversChunk(offset: number, byteLength: number, chunk: number): boolean {
    const start = chunk * this.#chunkBytes;
    return offset <= start && offset + byteLength >= start + this.#chunkBytes;
  }

  /** The chunks at the ends of a range that it covers only partly: none, one or two. */
  #partialChunks(offset: number, byteLength: number): number[] {
    const first = Math.floor(offset / this.#chunkBytes);
    const last = Math.floor((offset + byteLength - 1) / this.#chunkBytes);
    const ends = first === last ? [first] : [first, last];
    return ends.filter(chunk => !this.#coversChunk(offset, byteLength, chunk));
  }

  /**
   * Copies between the vector's segments and the chunks, whatever bounds either has. A 4 KiB request costs 0.25 µs
   * altogether, each further segment 0.05 µs; wasm's memory.copy would be at most 1.4 times as fast (docs/storage.md).
   */
  #copy(offset: number, vector: IoVector, toDisk: boolean): void {
    const { memory, offsets, lengths, count } = vector;
    const chunkBytes = this.#chunkBytes;
    const table = this.#table;
    let chunk = Math.floor(offset / chunkBytes);
    let within = offset - chunk * chunkBytes;
    table.touch(chunk);
    for (let segment = 0; segment < count; segment++) {
      let at = offsets[segment];
      let left = lengths[segment];
      while (left > 0) {
        if (within === chunkBytes) {
          chunk += 1;
          within = 0;
          table.touch(chunk);
        }
        const length = Math.min(left, chunkBytes - within);
        const buffer = table.buffers[chunk];
        if (at < 0) {
          // DISCARD: read, and dropped.
        } else if (toDisk) buffer!.set(memory.subarray(at, at + length), within);
        else if (!buffer) this.#readAbsent(chunk, within, memory.subarray(at, at + length));
        else memory.set(length === chunkBytes ? buffer : buffer.subarray(within, within + length), at);
        at += length;
        within += length;
        left -= length;
      }
    }
  }

  #readAbsent(chunk: number, within: number, target: Uint8Array): void {
    if (this.#table.isMissing(chunk)) this.#direct!.readInto(chunk, within, target);
    else target.fill(0);
  }

  async #reserve(intent: Intent, chunks: readonly number[]): Promise<void> {
    if (this.#reservations.tryAcquire(intent, chunks)) return;
    if (intent === "write" && this.#writeBack.stalled) throw this.#writeBack.stalled;
    const acquired = this.#reservations.acquire(intent, chunks);
    this.#writeBack.pump();
    await acquired;
  }

  async #loadMissing(chunks: readonly number[], readAhead: boolean): Promise<void> {
    for (let round = 0; ; round++) {
      const missing = chunks.filter(chunk => this.#table.isMissing(chunk));
      if (missing.length === 0) return;
      const load = this.#loader.load(missing);
      if (readAhead && round === 0) this.#readAhead.miss(chunks[0], chunks[chunks.length - 1]);
      await load;
      this.#checkOpen();
    }
  }

  #expire(intent: Intent, chunks: readonly number[]): void {
    this.#expiring.push({ intent, chunks });
    if (this.#expiring.length > 1) return;
    this.#scheduler.after(0, () => this.#release(this.#expiring.splice(0)));
  }

  #release(reservations: readonly { intent: Intent; chunks: readonly number[] }[]): void {
    for (const { intent, chunks } of reservations) this.#reservations.release(intent, chunks);
    this.#reservations.admit();
  }

  #checkOpen(): void {
    if (this.#closed) throw this.#closed;
  }

  #checkRange(offset: number, byteLength: number): void {
    if (!(offset >= 0 && byteLength >= 0 && offset + byteLength <= this.byteLength)) {
      throw new RangeError(
        `${byteLength} bytes at ${offset} lie outside the disk's ${this.byteLength} bytes.`,
      );
    }
  }
}
