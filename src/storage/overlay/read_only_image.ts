/** What says that an image is the same one as before. Kept as JSON with the disks that stand on the image. */
export interface ImageIdentity {
  readonly url: string;
  readonly byteLength: number;
  readonly chunkBytes: number;
  /** As the server gave it; absent if it gives none. */
  readonly etag?: string;
  /** HTTP date; absent if the server gives none. */
  readonly lastModified?: string;
  /** SHA-256 of the manifest file, in hex; absent without one. */
  readonly manifestSha256?: string;
}

/** An image that never changes, read chunk by chunk: the base beneath a copy-on-write disk. */
export interface ReadOnlyImage {
  readonly identity: ImageIdentity;
  /** Bytes; need not be whole chunks. */
  readonly byteLength: number;
  /** Bytes; a power of two of at least 4096. */
  readonly chunkBytes: number;
  /** Whether a chunk is known to be all zeroes without reading it. The answer is the same for as long as it is open. */
  isHole(chunk: number): boolean;
  /**
   * Reads one chunk; what lies beyond the image's end reads as zeroes. Undefined for one that is all zeroes and was
   * not read. The array belongs to the caller. Rejects with StorageError: "unavailable" when the image has changed,
   * "io" otherwise.
   */
  read(chunk: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  close(): Promise<void>;
}

export function chunksOf({
  byteLength,
  chunkBytes,
}: Pick<ReadOnlyImage, "byteLength" | "chunkBytes">): number {
  return Math.ceil(byteLength / chunkBytes);
}

/**
 * Whether two identities name the same content. A manifest has a hash of every chunk, so that two with the same one are
 * the same wherever they are; without it the address and what the server says of the file must be the same.
 */
export function isSameImage(a: ImageIdentity, b: ImageIdentity): boolean {
  if (a.byteLength !== b.byteLength || a.chunkBytes !== b.chunkBytes) return false;
  if (a.manifestSha256 !== b.manifestSha256) return false;
  if (a.manifestSha256 !== undefined) return true;
  return a.url === b.url && a.etag === b.etag && a.lastModified === b.lastModified;
}
