import type { BlockBackend, ChunkChange } from "./block_backend.ts";

type Geometry = Pick<BlockBackend, "chunkBytes" | "chunkCount">;

/** Throws RangeError for a chunk number outside the disk: a caller's mistake, not a storage failure. */
export function checkChunks(disk: Geometry, chunks: readonly number[]): void {
  for (const chunk of chunks) {
    if (!Number.isInteger(chunk) || chunk < 0 || chunk >= disk.chunkCount) {
      throw new RangeError(`Chunk ${chunk} lies outside the disk's ${disk.chunkCount} chunks.`);
    }
  }
}

/** Like checkChunks, and refuses data that is not exactly one chunk long. */
export function checkChanges(disk: Geometry, changes: readonly ChunkChange[]): void {
  checkChunks(
    disk,
    changes.map(change => change.chunk),
  );
  for (const { chunk, data } of changes) {
    if (data && data.byteLength !== disk.chunkBytes) {
      throw new RangeError(`Chunk ${chunk} got ${data.byteLength} bytes instead of ${disk.chunkBytes}.`);
    }
  }
}
