import { StorageError } from "../block_backend.ts";
import { IoVector } from "../io_vector.ts";
import { isZero } from "../zeroes.ts";
import type { Disk } from "./disk.ts";
import { PATCH_BLOCK_BYTES, type SeedPatch } from "./seed_patch.ts";

/**
 * Writes a raw image to the front of a new disk; only its non-zero chunks take room. Resolves true when all of it is
 * durable and recorded, false at once when the disk was seeded before, with whatever image: a seeded disk belongs to
 * its user. A crash on the way leaves the disk unseeded, and the next call starts afresh.
 *
 * The disk must not be in use meanwhile. `sha256` names the image and is only recorded, not checked. `patch` is what lies over the
 * image, in the same step.
 * Rejects with StorageError; "io" also for a disk that holds data of another origin, and for an image that is larger
 * than the disk.
 */
export async function seedDisk(
  disk: Disk,
  image: ReadableStream<Uint8Array> | Uint8Array,
  sha256: string,
  patch?: SeedPatch,
): Promise<boolean> {
  if (disk.seededSha256 !== undefined) return false;
  const { cache } = disk;
  if (disk.seedingSha256 === undefined && cache.allocatedBytes > 0) {
    throw new StorageError(
      "io",
      `Disk "${disk.name}" already holds data that came from no image. Delete it to start from an image.`,
    );
  }
  await disk.recordSeed({ seedingSha256: sha256 });
  cache.tryZero(0, cache.byteLength); // what an interrupted seeding left

  const { chunkBytes } = disk.describe();
  const chunk = new Uint8Array(chunkBytes);
  const vector = new IoVector(chunk, 1);
  let offset = 0;
  let filled = 0;
  const writeChunk = async () => {
    if (offset + filled > cache.byteLength) {
      throw new StorageError(
        "io",
        `The image is larger than disk "${disk.name}" (${cache.byteLength} bytes).`,
      );
    }
    if (!isZero(chunk.subarray(0, filled))) {
      vector.clear();
      vector.add(0, filled);
      while (!cache.tryWrite(offset, vector)) await cache.prepare("write", offset, filled);
    }
    offset += filled;
    filled = 0;
  };
  for await (const piece of piecesOf(image)) {
    for (let at = 0; at < piece.length; ) {
      const length = Math.min(piece.length - at, chunkBytes - filled);
      chunk.set(piece.subarray(at, at + length), filled);
      at += length;
      filled += length;
      if (filled === chunkBytes) await writeChunk();
    }
  }
  if (filled > 0) await writeChunk();

  for (const { block, data } of patch?.blocks ?? []) {
    const offset = block * PATCH_BLOCK_BYTES;
    if (offset + data.length > cache.byteLength) {
      throw new StorageError("io", `The patch reaches beyond the end of disk "${disk.name}".`);
    }
    const from = new IoVector(data, 1);
    from.add(0, data.length);
    while (!cache.tryWrite(offset, from)) await cache.prepare("write", offset, data.length);
  }

  await cache.flush();
  await disk.recordSeed({ seededSha256: sha256 }, patch?.generation);
  return true;
}

/** Not `for await` over the stream itself: Safari cannot do that. */
async function* piecesOf(image: ReadableStream<Uint8Array> | Uint8Array): AsyncGenerator<Uint8Array> {
  if (image instanceof Uint8Array) {
    yield image;
    return;
  }
  const reader = image.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
