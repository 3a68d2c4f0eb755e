/** What the browser must offer before a machine can start, and the sentence for each thing that is missing. */

/** The parts of the global object that are looked at; a parameter so that the check can be tested. */
export interface BrowserFeatures {
  readonly isSecureContext: boolean;
  readonly crossOriginIsolated: boolean;
  readonly indexedDB: boolean;
  readonly sharedWasmMemory: boolean;
  readonly moduleWorkers: boolean;
}

/** The first thing that is missing, as one sentence with its cure; undefined when all is there. */
export function missingRequirement(features: BrowserFeatures): string | undefined {
  if (!features.isSecureContext) {
    return "This page was not loaded over https or from localhost, so the browser gives it no shared memory: open it through one of the two (“npm start” serves it on localhost).";
  }
  if (!features.crossOriginIsolated) {
    return "This page is not cross-origin isolated, so it has no SharedArrayBuffer for the guest’s memory: serve it with the headers “Cross-Origin-Opener-Policy: same-origin” and “Cross-Origin-Embedder-Policy: require-corp” (“npm start” does), over https or from localhost.";
  }
  if (!features.sharedWasmMemory) {
    return "This browser has no WebAssembly threads (shared memory), which the machine needs: use a current Chrome, Edge, Firefox or Safari.";
  }
  if (!features.moduleWorkers) {
    return "This browser has no module workers, in which the machine runs: use a current Chrome, Edge, Firefox or Safari.";
  }
  if (!features.indexedDB) {
    return "This browser gives the page no IndexedDB, in which the SSD lives: leave private browsing or allow this site to store data, then reload.";
  }
  return undefined;
}

/** Looks at the browser that runs the page. */
export function browserFeatures(): BrowserFeatures {
  return {
    isSecureContext: globalThis.isSecureContext === true,
    crossOriginIsolated: globalThis.crossOriginIsolated === true,
    indexedDB: hasIndexedDb(),
    sharedWasmMemory: hasSharedWasmMemory(),
    moduleWorkers: hasModuleWorkers(),
  };
}

/** Some browsers throw on access instead of leaving it undefined. */
function hasIndexedDb(): boolean {
  try {
    return typeof globalThis.indexedDB === "object" && globalThis.indexedDB !== null;
  } catch {
    return false;
  }
}

function hasSharedWasmMemory(): boolean {
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return memory.buffer instanceof SharedArrayBuffer && typeof Atomics.wait === "function";
  } catch {
    return false;
  }
}

/** A browser that knows module workers reads the `type` option; the worker itself (an empty one) ends at once. */
function hasModuleWorkers(): boolean {
  let read = false;
  const url = URL.createObjectURL(new Blob([""], { type: "text/javascript" }));
  try {
    new Worker(url, {
      get type(): WorkerType {
        read = true;
        return "module";
      },
    }).terminate();
  } catch {
    // A browser that refuses workers altogether has not read the option, or has no use for it.
    return false;
  } finally {
    URL.revokeObjectURL(url);
  }
  return read;
}
