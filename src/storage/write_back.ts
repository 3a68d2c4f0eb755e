import { type BlockBackend, type ChunkChange, StorageError } from "./block_backend.ts";
import { asStorageError } from "./chunk_loader.ts";
import { type ChunkTable, COMMITTING, DIRTY, JOURNALED, STORED } from "./chunk_table.ts";
import { DirtyBlocks } from "./dirty_blocks.ts";
import { DirtyLimit } from "./dirty_limit.ts";
import type { Scheduler } from "./scheduler.ts";

/** About 4 MiB a transaction is where IndexedDB's write speed levels off. */
const COMMIT_BYTES = 4 * 1024 * 1024;
/**
 * A commit that nobody waits for while the guest is active: put() takes 0.8 ms of the thread for each 256 KiB, so
 * 4 MiB keep the guest's I/O waiting for 13 ms, this for 3 ms.
 */
const PACED_COMMIT_BYTES = 1024 * 1024;
/** … and the pause after it. */
const PAUSE_MS = 15;
/** Removals carry no data, but each costs the transaction a little. */
const MAX_COMMIT_CHANGES = 1024;
/** The part of its greatest age at which data is committed at that pace, so that none has to be committed faster. */
const PACED_AGE = 2 / 3;

export interface WriteBackOptions {
  /** Held chunks from which on commits start by themselves. */
  readonly threshold: number;
  /** Milliseconds without a write after which everything dirty is committed. Ages are counted in these periods. */
  readonly idleMs: number;
  /** Milliseconds that data may be dirty before its commit has to start. */
  readonly maxAgeMs: number;
  /** Milliseconds after which a commit without answer counts as failed. */
  readonly timeoutMs: number;
  /** A commit ended; with the error when it failed. */
  readonly onCommitted: (error: StorageError | undefined) => void;
  /** Whether somebody waits for dirty data to become less. */
  readonly underPressure: () => boolean;
}

/** The commit under way. */
interface Running {
  readonly changes: readonly ChunkChange[];
  /** What of each chunk was not durable before. */
  readonly unsaved: readonly (readonly number[])[];
  /** The period in which the oldest of its chunks became dirty. */
  readonly since: number;
}

/** One pending flush: what still has to become durable for it. */
interface FlushWaiter {
  /** Chunks that need a commit which starts later than the flush. */
  readonly needs: Set<number>;
  /** The commit that was under way when it came. */
  readonly cameDuring: Running | undefined;
  /** Whether it also waits for that one. */
  awaitsRunning: boolean;
  resolve(): void;
  reject(error: StorageError): void;
}

/**
 * Commits dirty chunks, one commit at a time, each a durable transaction. There is no weaker kind: a strict
 * transaction makes only its own data durable, so a Flush could not vouch for chunks evicted by a relaxed one.
 *
 * When, is decided as in an operating system's page cache, by what is most urgent: a flush or a writer waits; more is
 * dirty than the threshold; data is old; the guest writes nothing. Only the last two leave the guest its time.
 *
 * The backend takes its copy when commit() is called; a chunk that changes later is simply dirty again. When a commit
 * fails, its chunks are dirty again too and are retried: for the next flush, or after a while.
 *
 * Where the backend has a journal, a flush writes only the changed blocks of a chunk of which little has changed. Such a
 * chunk is durable (no flush waits for it), but it stays dirty: the next commit that nobody waits for, which is always
 * one of whole chunks, folds it. So the journal is bounded by what bounds dirty data, and by a limit of its own.
 */
export class WriteBack {
  commits = 0;
  commitFailures = 0;
  committedBytes = 0;
  flushesCoalesced = 0;
  /** To be set whenever the guest reads or writes: background commits then go slowly. */
  guestActive = false;

  readonly #backend: BlockBackend;
  readonly #table: ChunkTable;
  readonly #scheduler: Scheduler;
  readonly #options: WriteBackOptions;
  /** Exactly the chunks flagged DIRTY, the longest dirty first. */
  readonly #dirty = new Set<number>();
  /** The period in which each dirty chunk became so. */
  readonly #dirtySince: Uint32Array;
  /** What of the dirty chunks is not durable. A dirty chunk without such blocks only waits to be folded. */
  readonly #unsaved: DirtyBlocks;
  /** Chunks flagged JOURNALED. */
  #journaled = 0;
  readonly #limit: DirtyLimit;
  readonly #waiters = new Set<FlushWaiter>();
  #running: Running | undefined;
  /** The running commit has not answered in time. */
  #stalled: StorageError | undefined;
  /** How many of the longest dirty chunks are to be committed though there are few; set when idle. */
  #toDrain = 0;
  /** The last commit failed: no new one by itself until the timer fires. */
  #failed = false;
  #stopped = false;
  #cancelTimer: (() => void) | undefined;
  /** Something was written in this period. */
  #touched = false;
  /** Periods so far. */
  #period = 0;
  /** Age of the oldest dirty chunk in periods, as of the last commit or the start of this period. */
  #oldest = 0;
  #cancelPause: (() => void) | undefined;
  #sharedFlush: Promise<void> | undefined;

  constructor(backend: BlockBackend, table: ChunkTable, scheduler: Scheduler, options: WriteBackOptions) {
    this.#backend = backend;
    this.#table = table;
    this.#scheduler = scheduler;
    this.#options = options;
    const { chunkBytes, chunkCount } = table;
    this.#dirtySince = new Uint32Array(chunkCount);
    this.#unsaved = new DirtyBlocks(chunkBytes, chunkCount, backend.journal?.blockBytes ?? chunkBytes);
    this.#limit = new DirtyLimit(chunkBytes, table.claimLimit);
    table.claimTarget = this.#limit.chunks;
  }

  get pendingFlushes(): number {
    return this.#waiters.size;
  }

  /** Why nothing can be written at present, if the backend has stopped answering. */
  get stalled(): StorageError | undefined {
    return this.#stalled;
  }

  /** Chunks held in memory that are durable already and only wait to be folded, or are being folded. */
  get foldable(): number {
    let count = 0;
    for (const chunk of this.#dirty) {
      if (!this.#unsaved.has(chunk) && (this.#table.flags[chunk] & COMMITTING) === 0) count += 1;
    }
    const { changes = [], unsaved = [] } = this.#running ?? {};
    for (const [i, { chunk }] of changes.entries()) {
      if (unsaved[i].length === 0 && !this.#unsaved.has(chunk)) count += 1;
    }
    return count;
  }

  /** To be called after each change of a chunk: its bytes from `start` to before `end`. */
  markDirty(chunk: number, start = 0, end = this.#table.chunkBytes): void {
    this.#touched = true;
    this.guestActive = true;
    this.#toDrain = 0;
    const wasUnsaved = this.#unsaved.has(chunk);
    this.#unsaved.mark(chunk, start, end);
    if (!wasUnsaved) this.#sharedFlush = undefined;
    if (this.#table.flags[chunk] & DIRTY) return;
    this.#table.setFlags(chunk, DIRTY, 0);
    this.#dirty.add(chunk);
    this.#dirtySince[chunk] = this.#period;
    if (!this.#cancelTimer) this.#startTimer();
  }

  /** Makes a whole chunk read as zeroes; its removal is committed like a write. */
  drop(chunk: number): void {
    // A flush that waits for this chunk needs some commit of it, even if the backend never had it.
    if (this.#table.drop(chunk, this.#waiters.size > 0)) {
      this.markDirty(chunk);
    } else {
      this.#dirty.delete(chunk);
      this.#unsaved.clear(chunk);
    }
  }

  /** Resolves when all that is dirty now is durable. */
  flush(): Promise<void> {
    if (this.#sharedFlush) {
      this.flushesCoalesced += 1;
      return this.#sharedFlush;
    }
    const needs = new Set<number>();
    for (const chunk of this.#dirty) if (this.#unsaved.has(chunk)) needs.add(chunk);
    const running = this.#running?.unsaved.some(blocks => blocks.length > 0) ?? false;
    const flush = this.#wait(needs, running);
    if (this.#waiters.size > 0) {
      this.#sharedFlush = flush;
      const done = () => {
        if (this.#sharedFlush === flush) this.#sharedFlush = undefined;
      };
      flush.then(done, done);
    }
    return flush;
  }

  /** Resolves when what is dirty now of the chunks `first`…`last` is durable. */
  flushRange(first: number, last: number): Promise<void> {
    const needs = new Set<number>();
    let committing = false;
    for (let chunk = first; chunk <= last; chunk++) {
      const flags = this.#table.flags[chunk];
      if (this.#unsaved.has(chunk)) needs.add(chunk);
      if (flags & COMMITTING) committing = true;
    }
    return this.#wait(needs, committing);
  }

  /** Starts a commit if there is a reason for one and none is under way. */
  pump(): void {
    if (this.#running || this.#stopped || this.#dirty.size === 0) return;
    if (this.#waiters.size > 0) this.#commit(this.#neededChunks(), COMMIT_BYTES, true);
    else if (this.#options.underPressure()) this.#commit(this.#dirty, COMMIT_BYTES);
    else if (!this.#failed) this.#commitInBackground();
  }

  /** Starts no commit any more, whatever one that is still under way comes to. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#cancelPause?.();
    this.#cancelPause = undefined;
  }

  /** Stops, and tells the flushes that wait why they never end. A commit that is under way may still succeed. */
  abandon(reason: StorageError): void {
    this.stop();
    this.#rejectWaiters(() => true, reason);
  }

  /** Commits what is to be committed though nobody waits for it, if anything is. */
  #commitInBackground(): void {
    const { claimLimit, claimTarget, held } = this.#table;
    const { threshold, maxAgeMs, idleMs } = this.#options;
    const oldest = this.#oldest * idleMs;
    if (held * claimLimit >= threshold * claimTarget || oldest >= maxAgeMs) {
      this.#commit(this.#dirty, COMMIT_BYTES);
    } else if (this.#toDrain > 0 || oldest >= PACED_AGE * maxAgeMs) {
      this.#commitPolitely(this.#dirty);
    } else if (this.#backend.journal && this.#journaled * 2 > this.#backend.journal.chunkLimit) {
      this.#commitPolitely(this.#journaledChunks());
    }
  }

  /** Leaves the guest its time while it reads or writes. */
  #commitPolitely(source: Iterable<number>): void {
    if (!this.guestActive) this.#commit(source, COMMIT_BYTES);
    else if (!this.#cancelPause) this.#commit(source, PACED_COMMIT_BYTES);
  }

  #wait(needs: Set<number>, awaitsRunning: boolean): Promise<void> {
    if (needs.size === 0 && !awaitsRunning) return Promise.resolve();
    if (this.#stalled) return Promise.reject(this.#stalled);
    return new Promise((resolve, reject) => {
      this.#waiters.add({ needs, cameDuring: this.#running, awaitsRunning, resolve, reject });
      this.pump();
    });
  }

  *#neededChunks(): Generator<number> {
    for (const waiter of this.#waiters) yield* waiter.needs;
  }

  *#journaledChunks(): Generator<number> {
    for (const chunk of this.#dirty) if (this.#table.flags[chunk] & JOURNALED) yield chunk;
  }

  /** Takes up to `most` bytes of the chunks in `source` for a commit; for a flush only what it needs. */
  #takeBatch(source: Iterable<number>, most: number, forFlush: boolean): Running {
    const { flags } = this.#table;
    const changes: ChunkChange[] = [];
    const unsaved: (readonly number[])[] = [];
    let since = this.#period;
    let bytes = 0;
    for (const chunk of source) {
      if (!(flags[chunk] & DIRTY)) continue; // two flushes may need the same chunk
      if (forFlush && !this.#unsaved.has(chunk)) continue;
      since = Math.min(since, this.#dirtySince[chunk]);
      const blocks = this.#unsaved.take(chunk);
      const change = this.#take(chunk, forFlush ? blocks : undefined);
      changes.push(change);
      unsaved.push(blocks);
      bytes += storedBytes(change, this.#unsaved.blockBytes);
      if (bytes >= most || changes.length >= MAX_COMMIT_CHANGES) break;
    }
    return { changes, unsaved, since };
  }

  /** The change that makes a chunk durable. When few `blocks` are not, and the journal has room for it, these alone. */
  #take(chunk: number, blocks: readonly number[] | undefined): ChunkChange {
    const table = this.#table;
    const { journal } = this.#backend;
    const data = table.buffers[chunk];
    const isJournaled = (table.flags[chunk] & JOURNALED) !== 0;
    if (data && blocks && journal && blocks.length <= journal.blockLimit) {
      if (isJournaled || this.#journaled < journal.chunkLimit) {
        // Still dirty, and at its place in the order.
        if (!isJournaled) this.#journaled += 1;
        table.setFlags(chunk, COMMITTING | STORED | JOURNALED, 0);
        return { chunk, data, blocks };
      }
    }
    this.#dirty.delete(chunk);
    table.setFlags(chunk, data ? COMMITTING | STORED : COMMITTING, DIRTY);
    return { chunk, data };
  }

  #commit(source: Iterable<number>, bytes: number, forFlush = false): void {
    const running = this.#takeBatch(source, bytes, forFlush);
    if (running.changes.length === 0) return;
    this.#running = running;
    const start = this.#scheduler.now();
    this.guestActive = false;
    const cancelDeadline = this.#scheduler.after(this.#options.timeoutMs, () => this.#stall());
    this.#backend
      .commit(running.changes)
      .finally(cancelDeadline)
      .then(
        () => this.#committed(running, this.#scheduler.now() - start, bytes === PACED_COMMIT_BYTES),
        error => this.#commitFailed(running, asStorageError(error, "Writing to storage failed")),
      );
  }

  /** The commit may still come through, so its chunks stay as they are; but nobody waits for it any longer. */
  #stall(): void {
    const seconds = this.#options.timeoutMs / 1000;
    const error = new StorageError("io", `Storage has not answered a write for ${seconds} s.`);
    this.#stalled = error;
    this.#rejectWaiters(() => true, error);
    this.#options.onCommitted(error);
  }

  #committed(running: Running, ms: number, paced: boolean): void {
    const { changes } = running;
    const table = this.#table;
    this.commits += 1;
    let bytes = 0;
    let isWhole = true;
    for (const change of changes) {
      const { chunk, data, blocks } = change;
      bytes += storedBytes(change, this.#unsaved.blockBytes);
      if (blocks) isWhole = false;
      else if (table.flags[chunk] & JOURNALED) this.#journaled -= 1;
      table.setFlags(chunk, 0, blocks ? COMMITTING : COMMITTING | JOURNALED);
      if (!data) table.removed(chunk);
    }
    this.committedBytes += bytes;
    if (bytes >= COMMIT_BYTES && isWhole) this.#limit.committed(bytes / table.chunkBytes, ms);
    table.claimTarget = this.#limit.chunks;
    this.#ended();
    this.#failed = false;
    if (paced) this.#pause();
    for (const waiter of this.#waiters) {
      if (waiter.cameDuring === running) waiter.awaitsRunning = false;
      else for (const { chunk } of changes) waiter.needs.delete(chunk);
      if (waiter.needs.size > 0) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
    this.#toDrain = Math.max(0, this.#toDrain - changes.length);
    this.#options.onCommitted(undefined);
    this.pump();
  }

  #commitFailed(running: Running, error: StorageError): void {
    const { changes, unsaved } = running;
    this.commitFailures += 1;
    // They come first again, and count as old as the oldest of all: the order stays that of the ages.
    const younger = [...this.#dirty];
    const oldestYounger = younger.length > 0 ? this.#dirtySince[younger[0]] : this.#period;
    const since = Math.min(running.since, oldestYounger);
    this.#dirty.clear();
    for (const [i, { chunk, data }] of changes.entries()) {
      this.#table.setFlags(chunk, DIRTY, COMMITTING);
      this.#dirty.add(chunk);
      this.#dirtySince[chunk] = since;
      // A chunk that was not removed, and may have been written again, is not zero outside of what was written.
      if (data) this.#unsaved.restore(chunk, unsaved[i]);
      else this.#unsaved.markAll(chunk);
    }
    for (const chunk of younger) this.#dirty.add(chunk);
    this.#ended();
    this.#failed = true;
    this.#toDrain = 0;
    this.#rejectWaiters(
      waiter =>
        waiter.cameDuring === running
          ? waiter.awaitsRunning
          : changes.some(({ chunk }) => waiter.needs.has(chunk)),
      error,
    );
    this.#options.onCommitted(error);
    this.#startTimer();
    this.pump();
  }

  #ended(): void {
    this.#running = undefined;
    this.#stalled = undefined;
    this.#findOldest();
  }

  #rejectWaiters(which: (waiter: FlushWaiter) => boolean, error: StorageError): void {
    for (const waiter of this.#waiters) {
      if (!which(waiter)) continue;
      this.#waiters.delete(waiter);
      waiter.reject(error);
    }
    this.#sharedFlush = undefined;
  }

  #findOldest(): void {
    const { value: chunk } = this.#dirty.values().next();
    this.#oldest = chunk === undefined ? 0 : this.#period - this.#dirtySince[chunk];
  }

  #pause(): void {
    if (this.#stopped) return;
    this.#cancelPause?.();
    this.#cancelPause = this.#scheduler.after(PAUSE_MS, () => {
      this.#cancelPause = undefined;
      this.pump();
    });
  }

  /** Begins a period. They go on as long as anything is dirty. */
  #startTimer(): void {
    if (this.#stopped) return;
    this.#cancelTimer?.();
    this.#touched = false;
    this.guestActive = false;
    this.#cancelTimer = this.#scheduler.after(this.#options.idleMs, () => this.#periodEnded());
  }

  #periodEnded(): void {
    this.#cancelTimer = undefined;
    this.#period += 1;
    const retry = this.#failed;
    this.#failed = false;
    if (this.#dirty.size === 0) return;
    this.#findOldest();
    if (retry || !this.#touched) this.#toDrain = this.#dirty.size;
    this.pump();
    this.#startTimer();
  }
}

/** Bytes that a change adds to storage. */
function storedBytes({ data, blocks }: ChunkChange, blockBytes: number): number {
  if (!data) return 0;
  return blocks ? blocks.length * blockBytes : data.byteLength;
}
