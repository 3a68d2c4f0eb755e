import type { StorageError } from "../block_backend.ts";
import type { ChunkTable } from "./chunk_table.ts";

export type Intent = "read" | "write";

interface Waiter {
  readonly chunks: readonly number[];
  resolve(): void;
  reject(error: StorageError): void;
}

/**
 * Pins chunks so that what `prepare` promised still holds when the caller tries again, and lets no more be pinned
 * than the cache can keep. First come, first served, so that nobody starves; reads and writes queue separately,
 * because a read must not wait for write-back.
 */
export class Reservations {
  readonly #table: ChunkTable;
  readonly #waiting: Record<Intent, Waiter[]> = { read: [], write: [] };

  constructor(table: ChunkTable) {
    this.#table = table;
  }

  /** Whether a write waits for dirty data to become less. */
  get writesWaiting(): boolean {
    return this.#waiting.write.length > 0;
  }

  /** Most chunks that one reservation may ask for. */
  limit(intent: Intent): number {
    return intent === "write" ? this.#table.claimLimit : this.#table.capacity - this.#table.claimLimit;
  }

  /** Pins the chunks now, if there is room and nobody waits in front. */
  tryAcquire(intent: Intent, chunks: readonly number[]): boolean {
    if (this.#waiting[intent].length > 0 || !this.#fits(intent, chunks)) return false;
    this.#pin(intent, chunks);
    return true;
  }

  /** Waits in line for the pins. Rejects only through `rejectWrites` or `rejectAll`. */
  acquire(intent: Intent, chunks: readonly number[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting[intent].push({ chunks, resolve, reject });
    });
  }

  release(intent: Intent, chunks: readonly number[]): void {
    for (const chunk of chunks) {
      if (intent === "read") this.#table.unpinForRead(chunk);
      else this.#table.unpinForWrite(chunk);
    }
  }

  /** Serves the queues as far as there is room; to be called when some may have become free. */
  admit(): void {
    for (const intent of ["read", "write"] as const) {
      const queue = this.#waiting[intent];
      let served = 0;
      for (const waiter of queue) {
        if (!this.#fits(intent, waiter.chunks)) break;
        this.#pin(intent, waiter.chunks);
        waiter.resolve();
        served += 1;
      }
      queue.splice(0, served);
    }
  }

  /** Dirty data cannot become less at present: tell the writers instead of letting them wait. */
  rejectWrites(error: StorageError): void {
    for (const waiter of this.#waiting.write.splice(0)) waiter.reject(error);
  }

  rejectAll(error: StorageError): void {
    this.rejectWrites(error);
    for (const waiter of this.#waiting.read.splice(0)) waiter.reject(error);
  }

  #fits(intent: Intent, chunks: readonly number[]): boolean {
    const table = this.#table;
    let more = 0;
    for (const chunk of chunks) {
      if (!(intent === "read" ? table.isReadPinned(chunk) : table.isClaimed(chunk))) more += 1;
    }
    return intent === "read" ? table.readPinned + more <= this.limit(intent) : table.mayClaim(more);
  }

  #pin(intent: Intent, chunks: readonly number[]): void {
    for (const chunk of chunks) {
      if (intent === "read") this.#table.pinForRead(chunk);
      else this.#table.pinForWrite(chunk);
    }
  }
}
