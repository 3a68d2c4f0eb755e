/** May this thread block in Atomics.wait? Workers may, and Node; a page's main thread may not. */
export function mayBlock(): boolean {
  try {
    // Not equal: it returns at once.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}

/** Holds the calling thread up though it may not block. */
export function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
