import { StorageError } from "../block_backend.ts";
import { DEFAULT_CHUNK_BYTES } from "../disk_store.ts";
import {
  changed,
  fetchRange,
  fetchText,
  type HttpOptions,
  type HttpRange,
  NetworkError,
} from "./http_range.ts";
import { type ImageManifest, parseManifest, sha256Hex } from "./image_manifest.ts";
import { type ImageIdentity, isSameImage, type ReadOnlyImage } from "./read_only_image.ts";

export interface HttpImageOptions extends HttpOptions {
  /** Where the manifest is (image_manifest.ts). Without one, what the server sends is taken as it is. */
  readonly manifestUrl?: string | undefined;
  /** Bytes; counts only without a manifest, which has its own. Default 256 KiB. */
  readonly chunkBytes?: number;
  /**
   * The image that it must be. With it the image opens without the network too; reading fails then until the
   * server can be reached again.
   */
  readonly known?: ImageIdentity | undefined;
}

/** What a connection to the server has found out. */
interface Connection {
  readonly identity: ImageIdentity;
  readonly manifest: ImageManifest | undefined;
  /** By chunk; empty without a manifest. */
  readonly holes: readonly boolean[];
}

/**
 * An image on any static host or object store that answers byte ranges, one range for each chunk. The file is pinned:
 * each answer must have the validators (ETag, or else Last-Modified) and the length of the first one; with a manifest
 * each chunk must also have its hash.
 */
export class HttpImage implements ReadOnlyImage {
  readonly identity: ImageIdentity;
  readonly #options: HttpImageOptions;
  #connection: Connection | undefined;
  /** As known when it was opened. */
  readonly #holes: readonly boolean[];
  #connecting: Promise<Connection> | undefined;
  #closed = false;

  private constructor(
    identity: ImageIdentity,
    options: HttpImageOptions,
    connection: Connection | undefined,
  ) {
    this.identity = identity;
    this.#options = options;
    this.#connection = connection;
    this.#holes = connection?.holes ?? [];
  }

  /**
   * Opens the image at `url`, absolute. Rejects with StorageError: "io" when it cannot be reached, "unavailable" when the server
   * is not fit for it, the manifest is not, or the image is not the known one.
   */
  static async open(url: string, options: HttpImageOptions = {}): Promise<HttpImage> {
    const { known } = options;
    try {
      const connection = await connect(url, options);
      return new HttpImage(connection.identity, options, connection);
    } catch (error) {
      if (known && error instanceof NetworkError) return new HttpImage(known, options, undefined);
      throw error;
    }
  }

  get byteLength(): number {
    return this.identity.byteLength;
  }

  get chunkBytes(): number {
    return this.identity.chunkBytes;
  }

  /** Whether the server was reached. */
  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  isHole(chunk: number): boolean {
    return this.#holes[chunk] ?? false;
  }

  async read(chunk: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { byteLength, chunkBytes } = this;
    if (this.#closed) throw new StorageError("unavailable", `The image ${this.identity.url} is closed.`);
    if (!(Number.isInteger(chunk) && chunk >= 0 && chunk * chunkBytes < byteLength)) {
      throw new RangeError(`Chunk ${chunk} lies outside the image's ${byteLength} bytes.`);
    }
    const { identity, manifest, holes } = this.#connection ?? (await this.#connectLate());
    if (holes[chunk]) return undefined;
    const at = chunk * chunkBytes;
    const length = Math.min(chunkBytes, byteLength - at);
    let range: HttpRange;
    for (let tried = 1; ; tried++) {
      range = await fetchRange(identity.url, at, length, ifRange(identity), this.#options);
      checkPinned(range, identity);
      const expected = manifest?.sha256[chunk];
      if (expected === undefined || (await sha256Hex(range.data)) === expected) break;
      if (tried < 2) continue; // it may have been damaged on its way
      throw new StorageError(
        "io",
        `Bytes ${at}-${at + length - 1} of ${identity.url} do not have the hash that the manifest names. ` +
          "The image or its manifest is damaged: put both there anew.",
      );
    }
    if (length === chunkBytes) return range.data;
    const whole = new Uint8Array(chunkBytes);
    whole.set(range.data);
    return whole;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** The server could not be reached at first. All reads that come meanwhile share one attempt. */
  async #connectLate(): Promise<Connection> {
    this.#connecting ??= connect(this.identity.url, this.#options).finally(() => {
      this.#connecting = undefined;
    });
    this.#connection = await this.#connecting;
    return this.#connection;
  }
}

async function connect(url: string, options: HttpImageOptions): Promise<Connection> {
  const { manifestUrl, known } = options;
  const { byteLength, etag, lastModified } = await fetchRange(url, 0, 1, undefined, options);
  const text = manifestUrl === undefined ? undefined : await fetchText(manifestUrl, options);
  const manifest = text === undefined ? undefined : parseManifest(text, manifestUrl ?? "");
  if (manifest && manifest.byteLength !== byteLength) {
    throw new StorageError(
      "unavailable",
      `The manifest ${manifestUrl} is of an image of ${manifest.byteLength} bytes, but ${url} has ${byteLength}.`,
    );
  }
  if (etag === undefined && lastModified === undefined && !manifest) {
    throw new StorageError(
      "unavailable",
      `The server of ${url} gives neither ETag nor Last-Modified, so it would not be noticed if the image changed. ` +
        "Make a manifest for it, or use another host.",
    );
  }
  const identity: ImageIdentity = {
    url,
    byteLength,
    chunkBytes: manifest?.chunkBytes ?? known?.chunkBytes ?? options.chunkBytes ?? DEFAULT_CHUNK_BYTES,
    ...(etag !== undefined && { etag }),
    ...(lastModified !== undefined && { lastModified }),
    ...(text !== undefined && { manifestSha256: await sha256Hex(new TextEncoder().encode(text)) }),
  };
  if (known && !isSameImage(identity, known)) throw changed(url);
  return { identity, manifest, holes: await holesOf(manifest) };
}

async function holesOf(manifest: ImageManifest | undefined): Promise<boolean[]> {
  if (!manifest) return [];
  const { sha256, chunkBytes, byteLength } = manifest;
  const zeroes = new Uint8Array(chunkBytes);
  const hole = await sha256Hex(zeroes);
  const tail = await sha256Hex(zeroes.subarray(0, byteLength % chunkBytes));
  return sha256.map((hash, i) => hash === hole || (hash === tail && i === sha256.length - 1));
}

/** A weak ETag never matches in If-Range. Another site would have to allow the header: there the answer's own suffice. */
function ifRange({ url, etag, lastModified }: ImageIdentity): string | undefined {
  if (typeof location !== "undefined" && new URL(url, location.href).origin !== location.origin)
    return undefined;
  if (etag !== undefined) return etag.startsWith("W/") ? undefined : etag;
  return lastModified;
}

/** An answer that came with other validators belongs to another file. */
function checkPinned(range: HttpRange, identity: ImageIdentity): void {
  if (
    range.byteLength !== identity.byteLength ||
    range.etag !== identity.etag ||
    (identity.etag === undefined && range.lastModified !== identity.lastModified)
  ) {
    throw changed(identity.url);
  }
}
