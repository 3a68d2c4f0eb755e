import type { BlockBackend } from "../block_backend.ts";
import { isZero } from "../zeroes.ts";

/** A chunk and its content. */
export interface StoredChunk {
  readonly chunk: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** What the chunks of a disk are copied into, in whatever order they come and each at most once. */
export interface ChunkSink {
  /**
   * Takes chunks. Calls may overlap. Resolves when they are kept as well as this sink keeps them; the arrays belong to
   * the sink. Rejects when it cannot.
   */
  write(chunks: readonly StoredChunk[]): Promise<void>;
}

/** Copies into another disk with chunks of the same size; chunks of zeroes take no room there. */
export function diskSink(disk: BlockBackend): ChunkSink {
  return { write: chunks => disk.commit(chunks.filter(({ data }) => !isZero(data))) };
}
