import { type BlockBackend, type ChunkChange, StorageError } from "v86-nvme";

/** A disk in memory whose chunks are compressed: the four methods are all that a backend needs. */
export class PackedMemory implements BlockBackend {
  readonly chunkBytes = 256 * 1024;
  readonly chunkCount: number;
  readonly #chunks = new Map<number, Blob>();
  /** The call before: reads and commits take effect in the order of their calls. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(capacityBytes: number) {
    this.chunkCount = Math.ceil(capacityBytes / this.chunkBytes);
  }

  /** Bytes that the disk takes. */
  get packedBytes(): number {
    return [...this.#chunks.values()].reduce((sum, { size }) => sum + size, 0);
  }

  async list(): Promise<number[]> {
    return [...this.#chunks.keys()].sort((a, b) => a - b);
  }

  read(chunks: readonly number[]): Promise<(Uint8Array<ArrayBuffer> | undefined)[]> {
    return this.#inOrder(() => Promise.all(chunks.map(chunk => this.#unpack(chunk))));
  }

  commit(changes: readonly ChunkChange[]): Promise<void> {
    // A Blob copies: the caller may change its arrays as soon as this returns.
    const copies = changes.map(({ chunk, data }) => ({ chunk, data: data && new Blob([data]) }));
    return this.#inOrder(async () => {
      // All is packed before anything is changed: a commit happens as a whole, or not at all.
      const packed = await Promise.all(
        copies.map(async ({ chunk, data }) => ({ chunk, data: data && (await pack(data)) })),
      );
      for (const { chunk, data } of packed) {
        if (data) this.#chunks.set(chunk, data);
        else this.#chunks.delete(chunk);
      }
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #unpack(chunk: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const packed = this.#chunks.get(chunk);
    if (!packed) return undefined;
    const stream = packed.stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => {
      if (this.#closed) throw new StorageError("unavailable", "This disk in compressed memory is closed.");
      return work();
    });
    this.#last = result.catch(() => {});
    return result;
  }
}

const pack = (data: Blob): Promise<Blob> =>
  new Response(data.stream().pipeThrough(new CompressionStream("deflate-raw"))).blob();
