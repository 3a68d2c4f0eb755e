/** Whether all bytes are zero. `bytes` starts at a multiple of 4 in its buffer. */
export function isZero(bytes: Uint8Array): boolean {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  for (const word of words) if (word !== 0) return false;
  return bytes.subarray(words.length * 4).every(byte => byte === 0);
}
