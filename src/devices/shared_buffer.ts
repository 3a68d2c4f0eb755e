/**
 * The memory of a machine's shared state. Where there is no SharedArrayBuffer (a page that is not cross-origin isolated)
 * it is a plain one, which does for a machine that lives in one thread: atomics work on it, only waiting does not.
 */
export function allocateShared(byteLength: number): SharedArrayBuffer {
  if (typeof SharedArrayBuffer === "function") return new SharedArrayBuffer(byteLength);
  return new ArrayBuffer(byteLength) as unknown as SharedArrayBuffer;
}

/** Can another thread be given this buffer? */
export function isShared(buffer: ArrayBufferLike): boolean {
  return typeof SharedArrayBuffer === "function" && buffer instanceof SharedArrayBuffer;
}
