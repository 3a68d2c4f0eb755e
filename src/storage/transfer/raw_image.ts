/** Raw images, plain and packed with gzip. */
import {
  ImageError,
  type ImagePiece,
  type ImageSource,
  READ_BYTES,
  readSlice,
  unreadable,
} from "./image_source.ts";
import { checkCancelled, type TransferControl } from "./transfer_control.ts";

/** A file that is the disk, byte for byte. */
export function rawImage(file: Blob): ImageSource {
  return {
    format: "raw",
    byteLength: file.size,
    async *pieces(): AsyncGenerator<ImagePiece, void> {
      for (let offset = 0; offset < file.size; offset += READ_BYTES) {
        const data = await readSlice(file, offset, Math.min(offset + READ_BYTES, file.size));
        yield { offset, data };
      }
    },
  };
}

/**
 * A raw image packed with gzip. What gzip records of the size is only its low 32 bits, so the file is unpacked twice:
 * here to learn the size (and that it is whole), and again for its content. Rejects with ImageError when it is damaged
 * or unpacks to more than `maxBytes`.
 */
export async function gzipImage(
  file: Blob,
  maxBytes: number,
  control: TransferControl,
): Promise<ImageSource> {
  let byteLength = 0;
  let packed = 0;
  for await (const data of unpacked(file, read => (packed = read))) {
    checkCancelled(control);
    byteLength += data.length;
    if (byteLength > maxBytes) {
      throw new ImageError(
        `The image unpacks to more than ${maxBytes} bytes, the largest disk there can be.`,
      );
    }
    // The first half of the way.
    control.progress(packed / 2, file.size);
  }
  return {
    format: "gzip",
    byteLength,
    async *pieces(): AsyncGenerator<ImagePiece, void> {
      let offset = 0;
      for await (const data of unpacked(file, () => {})) {
        yield { offset, data };
        offset += data.length;
      }
    },
  };
}

/** Not `for await` over the stream itself: Safari cannot do that. */
async function* unpacked(
  file: Blob,
  onRead: (packedBytes: number) => void,
): AsyncGenerator<Uint8Array, void> {
  let packedBytes = 0;
  let broken: unknown;
  const counted = file.stream().pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(piece, controller) {
        packedBytes += piece.length;
        onRead(packedBytes);
        controller.enqueue(piece);
      },
    }),
  );
  const reader = counted.pipeThrough(new DecompressionStream("gzip")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        broken = error;
        throw error instanceof DOMException && error.name === "NotReadableError"
          ? unreadable(error)
          : new ImageError(
              "The image is damaged, or ends too early: gzip cannot unpack it. Try “gzip -t” on it, or get it anew.",
              { cause: error },
            );
      });
      if (done) return;
      yield value;
    }
  } finally {
    if (broken === undefined) await reader.cancel().catch(() => {});
  }
}
