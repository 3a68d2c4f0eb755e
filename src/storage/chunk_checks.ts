import type { BlockBackend, ChunkChange } from "./block_backend.ts";

type Geometry = Pick<BlockBackend, "chunkBytes" | "chunkCount" | "journal">;

/** Throws RangeError for a chunk number outside the disk: a caller's mistake, not a storage failure. */
export function checkChunks(disk: Geometry, chunks: readonly number[]): void {
  for (const chunk of chunks) {
    if (!Number.isInteger(chunk) || chunk < 0 || chunk >= disk.chunkCount) {
      throw new RangeError(`Chunk ${chunk} lies outside the disk's ${disk.chunkCount} chunks.`);
    }
  }
}

/** Like checkChunks, and refuses data that is not exactly one chunk long, and blocks outside of it. */
export function checkChanges(disk: Geometry, changes: readonly ChunkChange[]): void {
  checkChunks(
    disk,
    changes.map(change => change.chunk),
  );
  const blockCount = disk.journal ? disk.chunkBytes / disk.journal.blockBytes : 0;
  for (const { chunk, data, blocks } of changes) {
    if (data && data.byteLength !== disk.chunkBytes) {
      throw new RangeError(`Chunk ${chunk} got ${data.byteLength} bytes instead of ${disk.chunkBytes}.`);
    }
    if (!disk.journal || !blocks) continue;
    if (!data || !blocks.every(block => Number.isInteger(block) && block >= 0 && block < blockCount)) {
      throw new RangeError(`Chunk ${chunk} got changed blocks that it does not have.`);
    }
  }
}
