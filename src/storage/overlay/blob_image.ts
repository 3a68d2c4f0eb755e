import { StorageError } from "../block_backend.ts";
import { DEFAULT_CHUNK_BYTES } from "../disk_store.ts";
import type { ImageIdentity, ReadOnlyImage } from "./read_only_image.ts";

/** An image in a file of this computer, or in a Blob that is kept: read by chunks, never as a whole. */
export class BlobImage implements ReadOnlyImage {
  readonly identity: ImageIdentity;
  readonly chunkBytes: number;
  readonly #blob: Blob;

  constructor(name: string, blob: Blob, chunkBytes = DEFAULT_CHUNK_BYTES) {
    this.#blob = blob;
    this.chunkBytes = chunkBytes;
    this.identity = { url: `file:${encodeURIComponent(name)}`, byteLength: blob.size, chunkBytes };
  }

  get byteLength(): number {
    return this.#blob.size;
  }

  isHole(): boolean {
    return false;
  }

  async read(chunk: number): Promise<Uint8Array<ArrayBuffer>> {
    const at = chunk * this.chunkBytes;
    if (!(Number.isInteger(chunk) && chunk >= 0 && at < this.byteLength)) {
      throw new RangeError(`Chunk ${chunk} lies outside the image's ${this.byteLength} bytes.`);
    }
    const data = new Uint8Array(this.chunkBytes);
    try {
      data.set(new Uint8Array(await this.#blob.slice(at, at + this.chunkBytes).arrayBuffer()));
    } catch (error) {
      throw new StorageError(
        "io",
        `${decodeURIComponent(this.identity.url.slice(5))} could not be read: the file was moved, deleted or changed. Choose it again.`,
        { cause: error },
      );
    }
    return data;
  }

  async close(): Promise<void> {}
}
