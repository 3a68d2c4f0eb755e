import type { ChunkChange, JournalTraits } from "../block_backend.ts";
import { type ChunkTable, COMMITTING, DIRTY, JOURNALED, STORED } from "./chunk_table.ts";
import { DirtyBlocks } from "./dirty_blocks.ts";

/** Removals carry no data, but each costs the transaction a little. */
const MAX_COMMIT_CHANGES = 1024;

/** The content of one commit. */
export interface Batch {
  readonly changes: readonly ChunkChange[];
  /** What of each chunk was not durable before. */
  readonly unsaved: readonly (readonly number[])[];
  /** The period in which the oldest of its chunks became dirty. */
  readonly since: number;
}

/**
 * The chunks that have to be committed, and what of them is not durable.
 *
 * Where there is a journal, little that has changed in a chunk is committed for a flush as these blocks alone. Such a
 * chunk is durable (no flush waits for it), but it stays dirty, at its place, until a commit of the whole chunk folds
 * it. So the journal is bounded by what bounds dirty data, and by a limit of its own.
 */
export class DirtyChunks implements Iterable<number> {
  readonly #table: ChunkTable;
  readonly #journal: JournalTraits | undefined;
  /** Exactly the chunks flagged DIRTY, the longest dirty first. */
  readonly #order = new Set<number>();
  /** The period in which each of them became so. */
  readonly #since: Uint32Array;
  /** What of them is not durable; nothing of one that only waits to be folded. */
  readonly #unsaved: DirtyBlocks;
  /** Chunks flagged JOURNALED. */
  #journaled = 0;

  constructor(table: ChunkTable, journal: JournalTraits | undefined) {
    const { chunkBytes, chunkCount } = table;
    this.#table = table;
    this.#journal = journal;
    this.#since = new Uint32Array(chunkCount);
    this.#unsaved = new DirtyBlocks(chunkBytes, chunkCount, journal?.blockBytes ?? chunkBytes);
  }

  get size(): number {
    return this.#order.size;
  }

  /** The longest dirty first. */
  [Symbol.iterator](): Iterator<number> {
    return this.#order.values();
  }

  /** Those of which the journal holds blocks. */
  *journaled(): Generator<number> {
    for (const chunk of this.#order) if (this.#table.flags[chunk] & JOURNALED) yield chunk;
  }

  /** Whether it is time to fold, lest the journal is full when a flush needs it. */
  get isJournalHalfFull(): boolean {
    return this.#journal !== undefined && this.#journaled * 2 > this.#journal.chunkLimit;
  }

  /** Whether a flush has to wait for a commit of the chunk that is still to come. */
  isUnsaved(chunk: number): boolean {
    return this.#unsaved.has(chunk);
  }

  /** The period in which the oldest became dirty; undefined when none is. */
  get oldest(): number | undefined {
    const { value: chunk } = this.#order.values().next();
    return chunk === undefined ? undefined : this.#since[chunk];
  }

  /** Chunks that are durable and only wait to be folded, those in the commit under way included. */
  countSaved(underWay: Batch | undefined): number {
    const { changes = [], unsaved = [] } = underWay ?? {};
    let count = 0;
    for (const chunk of this.#order) {
      if (!this.#unsaved.has(chunk) && (this.#table.flags[chunk] & COMMITTING) === 0) count += 1;
    }
    for (const [i, { chunk }] of changes.entries()) {
      if (unsaved[i].length === 0 && !this.#unsaved.has(chunk)) count += 1;
    }
    return count;
  }

  /**
   * Notes in this period a change of the chunk's bytes from `start` to before `end`. Returns whether all of it had been
   * durable, or under way, before.
   */
  mark(chunk: number, start: number, end: number, period: number): boolean {
    const wasUnsaved = this.#unsaved.has(chunk);
    this.#unsaved.mark(chunk, start, end);
    if ((this.#table.flags[chunk] & DIRTY) === 0) {
      this.#table.setFlags(chunk, DIRTY, 0);
      this.#order.add(chunk);
      this.#since[chunk] = period;
    }
    return !wasUnsaved;
  }

  /** Notes that there is nothing to be committed of a chunk that is no longer dirty. */
  forget(chunk: number): void {
    this.#order.delete(chunk);
    this.#unsaved.clear(chunk);
  }

  /** Takes up to `most` bytes of the chunks in `source` for a commit; for a flush, only what is not durable. */
  take(source: Iterable<number>, most: number, forFlush: boolean): Batch {
    const changes: ChunkChange[] = [];
    const unsaved: (readonly number[])[] = [];
    let since = Number.POSITIVE_INFINITY;
    let bytes = 0;
    for (const chunk of source) {
      if ((this.#table.flags[chunk] & DIRTY) === 0) continue; // two flushes may need the same chunk
      if (forFlush && !this.#unsaved.has(chunk)) continue;
      since = Math.min(since, this.#since[chunk]);
      const blocks = this.#unsaved.take(chunk);
      const change = this.#take(chunk, forFlush ? blocks : undefined);
      changes.push(blocks.length === 0 && change.data ? { ...change, isFold: true } : change);
      unsaved.push(blocks);
      bytes += this.storedBytes(change);
      if (bytes >= most || changes.length >= MAX_COMMIT_CHANGES) break;
    }
    return { changes, unsaved, since };
  }

  /** The batch is durable. */
  committed({ changes }: Batch): void {
    for (const { chunk, data, blocks } of changes) {
      if (!blocks && this.#table.flags[chunk] & JOURNALED) this.#journaled -= 1;
      this.#table.setFlags(chunk, 0, blocks ? COMMITTING : COMMITTING | JOURNALED);
      if (!data) this.#table.removed(chunk);
    }
  }

  /** Nothing of the batch happened. Its chunks come first again, as old as the oldest of all: the order is by age. */
  failed({ changes, unsaved, since }: Batch): void {
    const younger = [...this.#order];
    const oldest = Math.min(since, this.oldest ?? since);
    this.#order.clear();
    for (const [i, { chunk }] of changes.entries()) {
      this.#table.setFlags(chunk, DIRTY, COMMITTING);
      this.#order.add(chunk);
      this.#since[chunk] = oldest;
      // Of a removal that is every block: what was written since does not lie over zeroes.
      this.#unsaved.restore(chunk, unsaved[i]);
    }
    for (const chunk of younger) this.#order.add(chunk);
  }

  /** Bytes that a change adds to storage. */
  storedBytes({ data, blocks }: ChunkChange): number {
    if (!data) return 0;
    return blocks ? blocks.length * this.#unsaved.blockBytes : data.byteLength;
  }

  /** The change that makes a chunk durable: the `blocks` alone when they are few and the journal has room for it. */
  #take(chunk: number, blocks: readonly number[] | undefined): ChunkChange {
    const table = this.#table;
    const data = table.buffers[chunk];
    if (data && blocks && this.#isForJournal(chunk, blocks.length)) {
      if ((table.flags[chunk] & JOURNALED) === 0) this.#journaled += 1;
      table.setFlags(chunk, COMMITTING | STORED | JOURNALED, 0);
      return { chunk, data, blocks };
    }
    this.#order.delete(chunk);
    table.setFlags(chunk, data ? COMMITTING | STORED : COMMITTING, DIRTY);
    return { chunk, data };
  }

  #isForJournal(chunk: number, blocks: number): boolean {
    if (!this.#journal || blocks > this.#journal.blockLimit) return false;
    return (this.#table.flags[chunk] & JOURNALED) !== 0 || this.#journaled < this.#journal.chunkLimit;
  }
}
