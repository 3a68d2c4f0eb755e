import { override } from "./override.ts";

/** As much of a worker as v86 uses of its helper. */
class NoWorker {
  postMessage(): void {}
  terminate(): void {}
}

/**
 * Call it in the moment that v86.wasm is there: v86 makes its machine next, and with it a helper worker for its ticks. It gets none,
 * as RunLoop gives the ticks and would end the helper at once. A worker's worker costs a thread; and in Firefox 153, driven by
 * WebDriver, the call that makes one did not return in 2 of 156 starts.
 */
export function denyHelperWorker(): void {
  // Where there are no workers, v86 makes none.
  if (typeof Worker === "undefined") return;
  const putBack = override(globalThis, "Worker", NoWorker as unknown as typeof Worker);
  // v86 goes on before the event loop turns.
  setTimeout(putBack);
}
