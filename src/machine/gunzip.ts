/**
 * Unpacks what may or may not be gzipped: some servers send a .gz file with Content-Encoding: gzip, and then the
 * browser has unpacked it already. Only for data that cannot itself begin with gzip's magic number.
 */
export async function gunzipIfPacked(bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.buffer;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}
