import { instantiateShared } from "../machine/v86/shared_wasm.ts";

/** Options for `new V86`. */
export interface SharedMemoryOptions {
  readonly wasm_fn: (imports: WebAssembly.Imports) => Promise<WebAssembly.Exports>;
}

/**
 * Options that give a V86 guest RAM which other threads can be given, as the serving modes with an iothread need it:
 *
 * ```js
 * const emulator = new V86({ ...sharedMemory("/v86/v86.wasm"), autostart: false, … });
 * ```
 *
 * `wasm` is the address of `v86.wasm` (in v86's package: `build/v86.wasm`), relative to the page, or its bytes.
 * Throws where there is no SharedArrayBuffer: the page must be cross-origin isolated. The V86 rejects what it promises
 * when the file cannot be fetched or is of a version that does not look as expected.
 */
export function sharedMemory(wasm: string | URL | Uint8Array | ArrayBuffer): SharedMemoryOptions {
  if (typeof SharedArrayBuffer !== "function") {
    throw new Error(
      "Guest RAM cannot be shared: this page is not cross-origin isolated. Serve it with the headers " +
        "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or do without " +
        'sharedMemory() and use the serving mode "mmio" or "mainloop".',
    );
  }
  return { wasm_fn: async imports => instantiateShared(await bytesOf(wasm), imports) };
}

async function bytesOf(wasm: string | URL | Uint8Array | ArrayBuffer): Promise<Uint8Array> {
  if (wasm instanceof Uint8Array) return wasm;
  if (wasm instanceof ArrayBuffer) return new Uint8Array(wasm);
  const response = await fetch(wasm);
  if (!response.ok)
    throw new Error(`v86.wasm could not be fetched: ${response.url} answers ${response.status}.`);
  return new Uint8Array(await response.arrayBuffer());
}
