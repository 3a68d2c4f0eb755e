import { StorageError } from "../block_backend.ts";

/** Raised whenever the meaning of a manifest changes. */
const MANIFEST_VERSION = 1;

/** The hashes of an image's chunks, so that what a server sends can be checked: a JSON file beside the image. */
export interface ImageManifest {
  readonly version: number;
  /** Of the image. */
  readonly byteLength: number;
  readonly chunkBytes: number;
  /** SHA-256 of each chunk in hex, in order; the last chunk as long as it is, without padding. */
  readonly sha256: readonly string[];
}

/** Makes the manifest of an image from its bytes in order, in pieces of any length. */
export async function makeManifest(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  chunkBytes: number,
): Promise<ImageManifest> {
  const sha256: string[] = [];
  const chunk = new Uint8Array(chunkBytes);
  let byteLength = 0;
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const length = Math.min(piece.length - at, chunkBytes - filled);
      chunk.set(piece.subarray(at, at + length), filled);
      at += length;
      filled += length;
      byteLength += length;
      if (filled < chunkBytes) continue;
      sha256.push(await sha256Hex(chunk));
      filled = 0;
    }
  }
  if (filled > 0) sha256.push(await sha256Hex(chunk.subarray(0, filled)));
  return { version: MANIFEST_VERSION, byteLength, chunkBytes, sha256 };
}

/** Checks what a manifest file says. Throws StorageError "unavailable" with what is wrong in it. */
export function parseManifest(text: string, where: string): ImageManifest {
  const refuse = (why: string) => {
    throw new StorageError("unavailable", `The manifest ${where} cannot be used: ${why}.`);
  };
  let manifest: Partial<ImageManifest> | null;
  try {
    manifest = JSON.parse(text);
  } catch {
    return refuse("it is not JSON");
  }
  if (manifest?.version !== MANIFEST_VERSION) {
    return refuse(`it has version ${manifest?.version}, and this Doorbell reads ${MANIFEST_VERSION}`);
  }
  const { byteLength = -1, chunkBytes = 0, sha256 } = manifest;
  if (!Number.isSafeInteger(byteLength) || byteLength < 0) refuse(`an image cannot have ${byteLength} bytes`);
  if (chunkBytes < 4096 || !Number.isInteger(Math.log2(chunkBytes))) {
    refuse(`a chunk of ${chunkBytes} bytes is not a power of two of at least 4096`);
  }
  if (!Array.isArray(sha256) || sha256.length !== Math.ceil(byteLength / chunkBytes)) {
    return refuse("it does not have one hash for each chunk");
  }
  if (!sha256.every(hash => typeof hash === "string" && /^[0-9a-f]{64}$/.test(hash))) {
    refuse("its hashes are not SHA-256 in small hex letters");
  }
  return { version: MANIFEST_VERSION, byteLength, chunkBytes, sha256 };
}

export async function sha256Hex(data: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(hash, byte => byte.toString(16).padStart(2, "0")).join("");
}
