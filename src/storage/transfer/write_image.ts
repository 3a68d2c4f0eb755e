import type { BlockBackend } from "../block_backend.ts";
import { isZero } from "../zeroes.ts";
import type { ImageSource } from "./image_source.ts";
import { checkCancelled, type TransferControl } from "./transfer_control.ts";

interface WholeChunk {
  readonly chunk: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** About as much as one durable commit is best at. */
const COMMIT_BYTES = 4 << 20;

/**
 * Writes an image to an empty disk that is large enough; chunks of zeroes take no room. Resolves when all of it is
 * durable. Memory: one commit and one piece, whatever the image's size. Rejects with ImageError, StorageError or
 * TransferCancelled, and then the disk holds a part of the image.
 */
export async function writeImage(
  image: ImageSource,
  disk: BlockBackend,
  control: TransferControl,
): Promise<void> {
  const { chunkBytes } = disk;
  const mostChunks = Math.max(1, COMMIT_BYTES / chunkBytes);
  const buffers: Uint8Array<ArrayBuffer>[] = [];
  let changes: WholeChunk[] = [];
  let current: WholeChunk | undefined;

  const commit = async () => {
    await disk.commit(changes);
    // Copied by then.
    for (const { data } of changes) buffers.push(data);
    changes = [];
  };
  const endChunk = async () => {
    if (current && isZero(current.data)) buffers.push(current.data);
    else if (current) changes.push(current);
    current = undefined;
    if (changes.length >= mostChunks) await commit();
  };

  for await (const { offset, data } of image.pieces()) {
    checkCancelled(control);
    for (let at = 0; at < data.length; ) {
      const chunk = Math.floor((offset + at) / chunkBytes);
      if (current?.chunk !== chunk) {
        await endChunk();
        current = { chunk, data: buffers.pop()?.fill(0) ?? new Uint8Array(chunkBytes) };
      }
      const inChunk = offset + at - chunk * chunkBytes;
      const length = Math.min(data.length - at, chunkBytes - inChunk);
      current.data.set(data.subarray(at, at + length), inChunk);
      at += length;
    }
    control.progress(offset + data.length, image.byteLength);
  }
  checkCancelled(control);
  await endChunk();
  if (changes.length > 0) await commit();
  control.progress(image.byteLength, image.byteLength);
}
