import { type BlockBackend, type ChunkChange, type JournalTraits, StorageError } from "./block_backend.ts";
import { checkChanges } from "./chunk_checks.ts";

/** What goes wrong, and when. All of it may be changed at any time; with nothing set, nothing goes wrong. */
export interface Faults {
  /**
   * Run before the request reaches the wrapped backend: one that throws or rejects fails the request (which then had
   * no effect), one that takes its time delays it, one that never resolves (`hang`) lets it hang.
   */
  read?: ((chunks: readonly number[]) => void | Promise<void>) | undefined;
  commit?: ((changes: readonly ChunkChange[]) => void | Promise<void>) | undefined;
  /** Which part of the requests fail with "io" and have no effect: 0 to 1. */
  failRate?: number | undefined;
  /** Which part of the commits fail after some of their chunks, or the first half of one, were stored: 0 to 1. */
  tornRate?: number | undefined;
  /** Requests wait up to so many turns of the promise queue, so that those under way together overtake each other. */
  reorderTurns?: number | undefined;
  /** Bytes that the chunks may take altogether: a commit that would need more fails with "no-space", without effect. */
  quotaBytes?: number | undefined;
  /** Commits are answered at once but not passed on before flush(): a drive that lies. powerCut() loses them. */
  dropUntilFlush?: boolean | undefined;
}

/** Never resolves. */
export function hang(): Promise<void> {
  return new Promise(() => {});
}

/** Wraps a backend and makes go wrong what `faults` says. The same seed and the same requests give the same faults. */
export class FaultBackend implements BlockBackend {
  readonly chunkBytes: number;
  readonly chunkCount: number;
  readonly journal: JournalTraits | undefined;
  readonly faults: Faults;
  readonly #inner: BlockBackend;
  readonly #random: () => number;
  /** What was answered and not passed on: each chunk's latest content. */
  readonly #held = new Map<number, ChunkChange>();
  #endedBecause: string | undefined;

  constructor(inner: BlockBackend, faults: Faults = {}, seed = 1) {
    this.#inner = inner;
    this.#random = randomNumbers(seed);
    this.faults = faults;
    this.chunkBytes = inner.chunkBytes;
    this.chunkCount = inner.chunkCount;
    this.journal = inner.journal;
  }

  async list(): Promise<number[]> {
    this.#checkOpen();
    const chunks = new Set(await this.#inner.list());
    for (const { chunk, data } of this.#held.values()) {
      if (data) chunks.add(chunk);
      else chunks.delete(chunk);
    }
    return [...chunks].sort((a, b) => a - b);
  }

  async read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    this.#checkOpen();
    await this.faults.read?.(chunks);
    await this.#beforeRequest("read");
    const contents = await this.#inner.read(chunks);
    return chunks.map((chunk, i) => {
      const held = this.#held.get(chunk);
      return held ? held.data?.slice() : contents[i];
    });
  }

  async commit(changes: readonly ChunkChange[]): Promise<void> {
    this.#checkOpen();
    // The caller may change its arrays once commit() has returned, and the wrapped backend only sees them later.
    const copy = changes.map(change => ({ ...change, data: change.data?.slice() }));
    checkChanges(this, copy);
    await this.faults.commit?.(copy);
    await this.#beforeRequest("commit");
    if (this.faults.quotaBytes !== undefined) await this.#checkQuota(copy, this.faults.quotaBytes);
    if (this.#happens(this.faults.tornRate)) {
      await this.#inner.commit(await this.#torn(copy));
      throw new StorageError("io", "A fault of the test tore this commit.");
    }
    if (!this.faults.dropUntilFlush) return this.#inner.commit(copy);
    // Whole chunks: what lies around changed blocks may itself be held.
    for (const { chunk, data } of copy) this.#held.set(chunk, { chunk, data });
  }

  /** Passes on what `dropUntilFlush` has held back. */
  async flush(): Promise<void> {
    this.#checkOpen();
    const held = [...this.#held.values()];
    await this.#inner.commit(held);
    for (const change of held) {
      if (this.#held.get(change.chunk) === change) this.#held.delete(change.chunk);
    }
  }

  /** Of what is held back, some chunks are still written and some are lost. Nothing is answered from then on. */
  async powerCut(): Promise<void> {
    this.#endedBecause = "a fault of the test has cut the power";
    await this.#inner.commit([...this.#held.values()].filter(() => this.#random() < 0.5));
    this.#held.clear();
  }

  async close(): Promise<void> {
    if (this.#endedBecause === undefined && this.#held.size > 0) await this.flush();
    this.#endedBecause ??= "it was closed";
    return this.#inner.close();
  }

  async #beforeRequest(what: string): Promise<void> {
    const { reorderTurns = 0 } = this.faults;
    const turns = reorderTurns > 0 ? Math.floor(this.#random() * (reorderTurns + 1)) : 0;
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    if (this.#happens(this.faults.failRate)) {
      throw new StorageError("io", `A fault of the test failed this ${what}.`);
    }
  }

  async #checkQuota(changes: readonly ChunkChange[], quotaBytes: number): Promise<void> {
    const chunks = new Set(await this.list());
    const before = chunks.size;
    for (const { chunk, data } of changes) {
      if (data) chunks.add(chunk);
      else chunks.delete(chunk);
    }
    // Removing is possible even when there is too much already.
    if (chunks.size > before && chunks.size * this.chunkBytes > quotaBytes) {
      throw new StorageError("no-space", `A fault of the test leaves room for ${quotaBytes} bytes only.`);
    }
  }

  /** The changes up to some place, of the one there perhaps only the first half. */
  async #torn(changes: readonly ChunkChange[]): Promise<ChunkChange[]> {
    const whole = Math.floor(this.#random() * changes.length);
    const torn = changes.slice(0, whole);
    const data = changes[whole]?.data;
    if (!data || this.#random() < 0.5) return torn;
    const { chunk } = changes[whole];
    const [content = new Uint8Array(this.chunkBytes)] = await this.#inner.read([chunk]);
    content.set(data.subarray(0, this.chunkBytes / 2));
    return [...torn, { chunk, data: content }];
  }

  #happens(rate: number | undefined): boolean {
    return rate !== undefined && this.#random() < rate;
  }

  #checkOpen(): void {
    if (this.#endedBecause === undefined) return;
    throw new StorageError("unavailable", `This disk is not open: ${this.#endedBecause}.`);
  }
}

/** Numbers from 0 to 1 that depend on nothing but the seed: a linear congruential generator (Numerical Recipes). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
