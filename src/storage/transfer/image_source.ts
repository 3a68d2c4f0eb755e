import type { TransferControl } from "./transfer_control.ts";

/** A disk image that can be read once from its beginning to its end, in bounded memory. */
export interface ImageSource {
  readonly format: "raw" | "gzip" | "qcow2";
  /** Size of the disk in the image, in bytes; any number. */
  readonly byteLength: number;
  /** What is in the image, ascending and without overlap; what lies between reads as zeroes. */
  pieces(): AsyncGenerator<ImagePiece, void>;
}

export interface ImagePiece {
  /** Bytes from the beginning of the disk. */
  readonly offset: number;
  /** May be overwritten after the next piece has been asked for. */
  readonly data: Uint8Array;
}

/** The image is of a kind that cannot be imported, or is damaged. The message says what to do. */
export class ImageError extends Error {
  override readonly name = "ImageError";
}

/** How much of a file is read at a time, in bytes. */
export const READ_BYTES = 4 << 20;

/** Bytes `start` to `end` of a file; fewer where the file ends. Rejects with ImageError when it cannot be read. */
export async function readSlice(file: Blob, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await file.slice(start, end).arrayBuffer());
  } catch (error) {
    throw unreadable(error);
  }
}

/** What a browser throws when a file was changed, moved or unplugged while it was read. */
export function unreadable(error: unknown): ImageError {
  const reason = error instanceof Error ? error.message : String(error);
  return new ImageError(
    `The image file could not be read to its end. Check that it is still there and was not changed, then import it again. (${reason})`,
    { cause: error },
  );
}

/** Opens an image with no more knowledge than its file. */
export type OpenImage = (file: Blob, control: TransferControl) => Promise<ImageSource>;
