import { type BlockBackend, StorageError } from "../block_backend.ts";
import type { Scheduler } from "../scheduler.ts";
import { asStorageError } from "./chunk_loader.ts";
import type { ChunkTable } from "./chunk_table.ts";
import { type Batch, DirtyChunks } from "./dirty_chunks.ts";
import { DirtyLimit } from "./dirty_limit.ts";

/** About 4 MiB a transaction is where IndexedDB's write speed levels off. */
const COMMIT_BYTES = 4 * 1024 * 1024;
/** Of storage that answers at once: what such a commit costs besides is a second flush. */
const DIRECT_COMMIT_BYTES = 8 * 1024 * 1024;
/**
 * Dirty data from which on such storage is written to. More would not come in faster: it would go into memory that was
 * never used before, which costs half as much as writing it out.
 */
const DIRECT_THRESHOLD_BYTES = 16 * 1024 * 1024;
/**
 * A commit that nobody waits for while the guest is active: put() takes 0.8 ms of the thread for each 256 KiB, so
 * 4 MiB keep the guest's I/O waiting for 13 ms, this for 3 ms.
 */
const PACED_COMMIT_BYTES = 1024 * 1024;
/** … and the pause after it. */
const PAUSE_MS = 15;
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

/** One pending flush: what still has to become durable for it. */
interface FlushWaiter {
  /** Chunks that need a commit which starts later than the flush. */
  readonly needs: Set<number>;
  /** The commit that was under way when it came. */
  readonly cameDuring: Batch | undefined;
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
  readonly #commitBytes: number;
  readonly #dirty: DirtyChunks;
  readonly #limit: DirtyLimit;
  readonly #waiters = new Set<FlushWaiter>();
  #running: Batch | undefined;
  /** The running commit has not answered in time. */
  #stalled: StorageError | undefined;
  /** How many of the longest dirty chunks are to be committed though there are few; set when idle. */
  #toDrain = 0;
  /** The last commit failed: no new one by itself until the timer fires. */
  #failed = false;
  /**
   * Storage had no room at the last commit with data. Then removals go alone, and first: a transaction that takes no
   * room is let through, and makes room for the others.
   */
  #full = false;
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
    this.#commitBytes = backend.direct ? DIRECT_COMMIT_BYTES : COMMIT_BYTES;
    this.#dirty = new DirtyChunks(table, backend.journal);
    this.#limit = new DirtyLimit(table.chunkBytes, table.claimLimit);
    table.claimTarget = this.#limit.chunks;
  }

  get pendingFlushes(): number {
    return this.#waiters.size;
  }

  /** Why nothing can be written at present, if the backend has stopped answering. */
  get stalled(): StorageError | undefined {
    return this.#stalled;
  }

  /** Chunks held in memory though they are durable. */
  get saved(): number {
    return this.#dirty.countSaved(this.#running);
  }

  /** To be called after each change of a chunk: its bytes from `start` to before `end`. */
  markDirty(chunk: number, start = 0, end = this.#table.chunkBytes): void {
    this.#touched = true;
    this.guestActive = true;
    this.#toDrain = 0;
    if (!this.#dirty.mark(chunk, start, end, this.#period)) return;
    this.#sharedFlush = undefined;
    if (!this.#cancelTimer) this.#startTimer();
  }

  /** Makes a whole chunk read as zeroes; its removal is committed like a write. */
  drop(chunk: number): void {
    // A flush that waits for this chunk needs some commit of it, even if the backend never had it.
    if (this.#table.drop(chunk, this.#waiters.size > 0)) this.markDirty(chunk);
    else this.#dirty.forget(chunk);
  }

  /** Resolves when all that is dirty now is durable. */
  flush(): Promise<void> {
    if (this.#sharedFlush) {
      this.flushesCoalesced += 1;
      return this.#sharedFlush;
    }
    const flush = this.#wait(() => true);
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
    return this.#wait(chunk => chunk >= first && chunk <= last);
  }

  /** Starts a commit if there is a reason for one and none is under way. */
  pump(): void {
    if (this.#running || this.#stopped || this.#dirty.size === 0) return;
    if (this.#waiters.size > 0) this.#commit(this.#neededChunks(), this.#commitBytes, true);
    else if (this.#options.underPressure()) this.#commit(this.#dirty, this.#commitBytes);
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
    const { held } = this.#table;
    const { maxAgeMs, idleMs } = this.#options;
    const oldest = this.#oldest * idleMs;
    if (held >= this.#threshold || oldest >= maxAgeMs) {
      this.#commit(this.#dirty, this.#commitBytes);
    } else if (this.#toDrain > 0 || oldest >= PACED_AGE * maxAgeMs) {
      this.#commitPolitely(this.#dirty);
    } else if (this.#dirty.isJournalHalfFull) {
      this.#commitPolitely(this.#dirty.journaled());
    }
  }

  /** Held chunks from which on commits start by themselves. */
  get #threshold(): number {
    const { claimLimit, claimTarget, chunkBytes } = this.#table;
    const threshold = (this.#options.threshold * claimTarget) / claimLimit;
    return this.#backend.direct ? Math.min(threshold, DIRECT_THRESHOLD_BYTES / chunkBytes) : threshold;
  }

  /** Leaves the guest its time while it reads or writes. */
  #commitPolitely(source: Iterable<number>): void {
    if (!this.guestActive) this.#commit(source, this.#commitBytes);
    else if (!this.#cancelPause) this.#commit(source, PACED_COMMIT_BYTES);
  }

  /** Waits until what is dirty, or under way, of some chunks is durable. */
  #wait(concerns: (chunk: number) => boolean): Promise<void> {
    const needs = new Set<number>();
    for (const chunk of this.#dirty) if (concerns(chunk) && this.#dirty.isUnsaved(chunk)) needs.add(chunk);
    const running = this.#running;
    const awaitsRunning =
      running?.changes.some(({ chunk }, i) => concerns(chunk) && running.unsaved[i].length > 0) ?? false;
    if (needs.size === 0 && !awaitsRunning) return Promise.resolve();
    if (this.#stalled) return Promise.reject(this.#stalled);
    return new Promise((resolve, reject) => {
      this.#waiters.add({ needs, cameDuring: running, awaitsRunning, resolve, reject });
      this.pump();
    });
  }

  *#neededChunks(): Generator<number> {
    for (const waiter of this.#waiters) yield* waiter.needs;
  }

  /** Of storage that is full, removals alone. */
  #commit(source: Iterable<number>, bytes: number, forFlush = false): void {
    const removals = this.#full ? this.#removals() : [];
    const running =
      removals.length > 0
        ? this.#dirty.take(removals, bytes, false)
        : this.#dirty.take(source, bytes, forFlush);
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

  #committed(running: Batch, ms: number, paced: boolean): void {
    const { changes } = running;
    const bytes = changes.reduce((sum, change) => sum + this.#dirty.storedBytes(change), 0);
    this.commits += 1;
    this.committedBytes += bytes;
    this.#dirty.committed(running);
    // What can be read again at once need not be kept: memory that is in use already takes the next writes.
    if (this.#backend.direct) for (const { chunk } of changes) this.#table.releaseWritten(chunk);
    if (bytes >= this.#commitBytes && !changes.some(({ blocks }) => blocks)) {
      this.#limit.committed(bytes / this.#table.chunkBytes, ms);
    }
    this.#table.claimTarget = this.#limit.chunks;
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
    // Removals that went alone prove nothing: what could not be saved before still waits.
    if (!this.#full || bytes > 0 || this.#dirty.size === 0) {
      this.#full = false;
      this.#options.onCommitted(undefined);
    }
    this.pump();
  }

  #removals(): number[] {
    const { buffers } = this.#table;
    return [...this.#dirty].filter(chunk => buffers[chunk] === undefined);
  }

  #commitFailed(running: Batch, error: StorageError): void {
    this.commitFailures += 1;
    this.#dirty.failed(running);
    this.#ended();
    this.#failed = true;
    this.#full = error.kind === "no-space";
    this.#toDrain = 0;
    this.#rejectWaiters(
      waiter =>
        waiter.cameDuring === running
          ? waiter.awaitsRunning
          : running.changes.some(({ chunk }) => waiter.needs.has(chunk)),
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
    this.#oldest = this.#period - (this.#dirty.oldest ?? this.#period);
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
