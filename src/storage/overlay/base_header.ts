import { type ChunkChange, StorageError } from "../block_backend.ts";
import type { DiskStore } from "../disk_store.ts";
import { chunksOf, type ImageIdentity } from "./read_only_image.ts";

/** Raised whenever the meaning of such a store changes. */
export const BASE_FORMAT_VERSION = 1;
/** Room for the description; the rest of the header's chunks is the map. */
const DESCRIPTION_BYTES = 2048;

export interface BaseDescription {
  /** What the store is for. */
  readonly use: "overlay" | "cache";
  readonly formatVersion: number;
  readonly image: ImageIdentity;
}

/**
 * The first chunks of a store that stands on an image: which image, and one bit for each of its chunks. What a bit says
 * is the owner's business. The chunks behind it are the owner's.
 */
export class BaseHeader {
  readonly description: BaseDescription;
  readonly #chunkBytes: number;
  /** All of the header's bytes. */
  #bytes: Uint8Array<ArrayBuffer>;

  private constructor(description: BaseDescription, chunkBytes: number, bytes: Uint8Array<ArrayBuffer>) {
    this.description = description;
    this.#chunkBytes = chunkBytes;
    this.#bytes = bytes;
  }

  /** A new header, not stored yet. Throws RangeError when the address is too long. */
  static make(use: BaseDescription["use"], image: ImageIdentity, chunkBytes: number): BaseHeader {
    const description: BaseDescription = { use, formatVersion: BASE_FORMAT_VERSION, image };
    const json = new TextEncoder().encode(JSON.stringify(description));
    if (json.length > DESCRIPTION_BYTES)
      throw new RangeError(`The address of the image is too long: ${image.url}`);
    const bytes = new Uint8Array(headerChunks(image, chunkBytes) * chunkBytes);
    bytes.set(json); // and a zero behind it, if it is not as long as can be
    return new BaseHeader(description, chunkBytes, bytes);
  }

  /** Reads the header of a store; undefined when the store is empty. Rejects with StorageError. */
  static async read(store: DiskStore, use: BaseDescription["use"]): Promise<BaseHeader | undefined> {
    const [first] = await store.read([0]);
    if (!first) {
      if ((await store.list()).length === 0) return undefined;
      throw new StorageError(
        "unavailable",
        "This disk does not stand on a base image: open it as a disk of its own.",
      );
    }
    const description = describe(first);
    if (description?.use !== use || !description.image) {
      throw new StorageError(
        "unavailable",
        `This disk cannot be used as ${use} of a base image: it is none.`,
      );
    }
    if (description.formatVersion !== BASE_FORMAT_VERSION) {
      throw new StorageError(
        "unavailable",
        `This ${use} of a base image has format version ${description.formatVersion}; this Doorbell reads version ` +
          `${BASE_FORMAT_VERSION}. Use the Doorbell that made it, or delete it.`,
      );
    }
    const count = headerChunks(description.image, store.chunkBytes);
    const bytes = new Uint8Array(count * store.chunkBytes);
    const chunks = await store.read(Array.from({ length: count }, (_, i) => i));
    for (const [i, chunk] of chunks.entries()) if (chunk) bytes.set(chunk, i * store.chunkBytes);
    return new BaseHeader(description, store.chunkBytes, bytes);
  }

  /** How many of the store's chunks it takes. */
  get chunkCount(): number {
    return this.#bytes.length / this.#chunkBytes;
  }

  get image(): ImageIdentity {
    return this.description.image;
  }

  has(chunk: number): boolean {
    return (this.#bytes[DESCRIPTION_BYTES + (chunk >>> 3)] & (1 << (chunk & 7))) !== 0;
  }

  /** A header that has these bits too; this one stays as it is. */
  with(chunks: Iterable<number>): BaseHeader {
    const bytes = this.#bytes.slice();
    for (const chunk of chunks) bytes[DESCRIPTION_BYTES + (chunk >>> 3)] |= 1 << (chunk & 7);
    return new BaseHeader(this.description, this.#chunkBytes, bytes);
  }

  /** What has to be committed to store it in the place of `stored`, or where there is none. */
  changesFrom(stored?: BaseHeader): ChunkChange[] {
    const changes: ChunkChange[] = [];
    for (let chunk = 0; chunk < this.chunkCount; chunk++) {
      const data = this.#part(chunk);
      const old = stored === undefined ? undefined : stored.#part(chunk);
      if (!old || data.some((byte, i) => byte !== old[i])) changes.push({ chunk, data });
    }
    return changes;
  }

  #part(chunk: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(chunk * this.#chunkBytes, (chunk + 1) * this.#chunkBytes);
  }
}

/** Chunks of the header of a store on that image. */
export function headerChunks(image: ImageIdentity, chunkBytes: number): number {
  return Math.ceil((DESCRIPTION_BYTES + Math.ceil(chunksOf(image) / 8)) / chunkBytes);
}

function describe(first: Uint8Array<ArrayBuffer>): BaseDescription | undefined {
  const end = first.indexOf(0);
  const json = first.subarray(0, end < 0 ? DESCRIPTION_BYTES : Math.min(end, DESCRIPTION_BYTES));
  try {
    return JSON.parse(new TextDecoder().decode(json));
  } catch {
    return undefined;
  }
}
