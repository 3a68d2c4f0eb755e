import type { BlockBackend, ChunkChange, JournalTraits } from "./block_backend.ts";

/**
 * What goes wrong, and when. Each hook runs before the request reaches the wrapped backend: one that throws or
 * rejects fails the request (which then had no effect), one that takes its time delays it, one that never resolves
 * (`hang`) lets it hang.
 */
export interface Faults {
  read?: ((chunks: readonly number[]) => void | Promise<void>) | undefined;
  commit?: ((changes: readonly ChunkChange[]) => void | Promise<void>) | undefined;
}

/** Never resolves. */
export function hang(): Promise<void> {
  return new Promise(() => {});
}

/** Wraps a backend and delays, fails or hangs the requests that `faults` picks. `faults` may be changed at any time. */
export class FaultBackend implements BlockBackend {
  readonly chunkBytes: number;
  readonly chunkCount: number;
  readonly journal: JournalTraits | undefined;
  readonly faults: Faults;
  readonly #inner: BlockBackend;

  constructor(inner: BlockBackend, faults: Faults = {}) {
    this.#inner = inner;
    this.faults = faults;
    this.chunkBytes = inner.chunkBytes;
    this.chunkCount = inner.chunkCount;
    this.journal = inner.journal;
  }

  list(): Promise<number[]> {
    return this.#inner.list();
  }

  async read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    await this.faults.read?.(chunks);
    return this.#inner.read(chunks);
  }

  async commit(changes: readonly ChunkChange[]): Promise<void> {
    // The caller may change its arrays once commit() has returned, and the wrapped backend only sees them later.
    const copy = changes.map(change => ({ ...change, data: change.data?.slice() }));
    await this.faults.commit?.(copy);
    return this.#inner.commit(copy);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
