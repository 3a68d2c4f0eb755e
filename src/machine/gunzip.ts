import { createEventLoopTurn } from "../eventloop/turn.ts";

/** So much is unpacked in one go, in bytes of the packed data: some milliseconds of work. */
const PIECE_BYTES = 256 << 10;

/**
 * Unpacks what may or may not be gzipped: some servers send a .gz file with Content-Encoding: gzip, and then the
 * browser has unpacked it already. Only for data that cannot itself begin with gzip's magic number.
 */
export async function gunzipIfPacked(bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.buffer;
  return await gunzip(bytes);
}

/**
 * Unpacks gzip, and lets the event loop turn between its pieces. Rejects when it is damaged. Not by way of a Blob, whose content
 * comes from the browser's process.
 */
export async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  const channel = new MessageChannel();
  const turn = createEventLoopTurn(channel);
  let at = 0;
  const pieces = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      if (at > 0) await turn();
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + PIECE_BYTES));
      at += PIECE_BYTES;
    },
  });
  try {
    return await new Response(pieces.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  } finally {
    channel.port1.close();
  }
}
