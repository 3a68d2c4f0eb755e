/** Where the raw image of a disk is written to. Holes of the disk are never read, and stay holes where that is possible. */
import { isZero } from "../zeroes.ts";
import type { ChunkSink, StoredChunk } from "./chunk_sink.ts";

/** A raw image in the making. */
export interface RawExport<T> extends ChunkSink {
  /** Completes the image. */
  finish(): Promise<T>;
  /** Throws away what there is of it. */
  abort(): Promise<void>;
}

/**
 * Writes into a file that the user chose. The browser writes to a file beside it and puts it in place at the end, so an
 * export that was interrupted leaves the chosen file as it was. Holes are skipped over by seeking.
 */
export async function exportToFile(
  file: FileSystemFileHandle,
  byteLength: number,
  chunkBytes: number,
): Promise<RawExport<undefined>> {
  const stream = await file.createWritable();
  await stream.truncate(byteLength);
  return {
    async write(chunks) {
      for (const { chunk, data } of chunks) {
        if (isZero(data)) continue;
        const position = chunk * chunkBytes;
        await stream.write({ type: "write", position, data: clipped(data, byteLength - position) });
      }
    },
    async finish() {
      await stream.close();
      return undefined;
    },
    async abort() {
      await stream.abort().catch(() => {});
    },
  };
}

/** Holes are made of parts of one Blob of this many zeroes. */
const ZEROES_BYTES = 16 << 20;

/**
 * Puts the image together as a Blob, for a download: the browser keeps its parts outside this thread's memory, on the
 * computer's disk when they are many.
 */
export function exportToBlob(byteLength: number, chunkBytes: number): RawExport<Blob> {
  const parts = new Map<number, Blob>();
  return {
    async write(chunks) {
      for (const { chunk, data } of chunks) {
        if (!isZero(data)) parts.set(chunk, new Blob([clipped(data, byteLength - chunk * chunkBytes)]));
      }
    },
    async finish() {
      const zeroes = new Blob([new Uint8Array(ZEROES_BYTES)]);
      const all: Blob[] = [];
      let end = 0;
      const skipTo = (offset: number) => {
        for (; end + ZEROES_BYTES <= offset; end += ZEROES_BYTES) all.push(zeroes);
        if (end < offset) all.push(zeroes.slice(0, offset - end));
        end = offset;
      };
      for (const [chunk, part] of [...parts].sort(([a], [b]) => a - b)) {
        skipTo(chunk * chunkBytes);
        all.push(part);
        end += part.size;
      }
      skipTo(byteLength);
      return new Blob(all, { type: "application/octet-stream" });
    },
    async abort() {
      parts.clear();
    },
  };
}

function clipped(data: StoredChunk["data"], byteLength: number): StoredChunk["data"] {
  return data.subarray(0, Math.max(0, byteLength));
}
