import type { ChunkLoader } from "./chunk_loader.ts";
import { type ChunkTable, READ_AHEAD_MARK } from "./chunk_table.ts";

const FIRST_WINDOW_BYTES = 1024 * 1024;
const LAST_WINDOW_BYTES = 4 * 1024 * 1024;

/**
 * Sequential read-ahead for one stream, as Linux does it: a sequential miss loads a window beyond the request; the
 * first chunk of the window is marked, and reading it starts the next, larger window. So one to two windows are
 * under way while the reader goes on, and never more.
 */
export class ReadAhead {
  /** Chunks loaded ahead of any request. */
  loads = 0;

  readonly #table: ChunkTable;
  readonly #loader: ChunkLoader;
  readonly #firstWindow: number;
  readonly #lastWindow: number;
  #window = 0;
  /** Last chunk that was read. */
  #lastRead = -1;
  /** First chunk beyond the current window. */
  #end = 0;

  constructor(table: ChunkTable, loader: ChunkLoader) {
    this.#table = table;
    this.#loader = loader;
    const most = Math.max(1, Math.floor((table.capacity - table.claimLimit) / 4));
    this.#lastWindow = Math.min(most, Math.max(1, LAST_WINDOW_BYTES / table.chunkBytes));
    this.#firstWindow = Math.min(this.#lastWindow, Math.max(1, FIRST_WINDOW_BYTES / table.chunkBytes));
  }

  /** A read of `first`…`last` was served from memory. */
  hit(first: number, last: number): void {
    this.#lastRead = last;
    if (this.#isMarked(first, last)) this.#extend(last);
  }

  /** A read of `first`…`last` found chunks missing; their own load has been started. */
  miss(first: number, last: number): void {
    const sequential = first === this.#lastRead || first === this.#lastRead + 1;
    this.#lastRead = last;
    if (!sequential) {
      this.#window = 0;
      this.#end = 0;
    } else if (last >= this.#end || this.#isMarked(first, last)) {
      this.#extend(last);
    }
  }

  #isMarked(first: number, last: number): boolean {
    const { flags } = this.#table;
    for (let chunk = first; chunk <= last; chunk++) if (flags[chunk] & READ_AHEAD_MARK) return true;
    return false;
  }

  #extend(last: number): void {
    const { flags, chunkCount } = this.#table;
    this.#window = this.#window === 0 ? this.#firstWindow : Math.min(this.#lastWindow, 2 * this.#window);
    const from = Math.max(last + 1, this.#end);
    this.#end = Math.min(chunkCount, from + this.#window);
    for (let chunk = Math.max(0, last - this.#window); chunk <= last; chunk++)
      flags[chunk] &= ~READ_AHEAD_MARK;
    const ahead: number[] = [];
    for (let chunk = from; chunk < this.#end; chunk++) {
      if (this.#table.isMissing(chunk) && !this.#loader.isLoading(chunk)) ahead.push(chunk);
    }
    if (ahead.length === 0) return;
    flags[ahead[0]] |= READ_AHEAD_MARK;
    this.loads += ahead.length;
    this.#loader.load(ahead).catch(() => {}); // a read that needs the chunk will report its own failure
  }
}
