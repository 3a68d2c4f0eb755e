/** v86.wasm with its memory shared, for v86's option `wasm_fn`. */
import { JIT_TABLE_OFFSET } from "./seams.ts";
import { withSharedMemory, withSharedMemoryImport } from "./wasm_memory.ts";

type Finalize = (index: number, start: number, flags: number, address: number, length: number) => void;

/** What v86.wasm exports, as far as it is used here. */
interface V86Exports {
  readonly memory: WebAssembly.Memory;
  codegen_finalize_finished(index: number, start: number, flags: number): void;
}

/** Compiles v86.wasm, with its memory shared, for `instantiateShared`. */
export function compileShared(wasm: Uint8Array): Promise<WebAssembly.Module> {
  return WebAssembly.compile(withSharedMemory(wasm));
}

/**
 * Instantiates `wasm` (the bytes of v86.wasm, or what is compiled of them) with its memory shared. v86's JIT makes modules that import that memory;
 * what puts them into place is replaced by what makes the import shared first.
 */
export async function instantiateShared(
  wasm: Uint8Array | WebAssembly.Module,
  imports: WebAssembly.Imports,
): Promise<WebAssembly.Exports> {
  const module = wasm instanceof WebAssembly.Module ? wasm : await compileShared(wasm);
  const { __indirect_function_table: table } = imports.env;
  if (!(table instanceof WebAssembly.Table) || typeof imports.env.codegen_finalize !== "function") {
    throw new Error(
      "This version of v86 hands its JIT's code over in another way than the one that is known.",
    );
  }
  let jitImports: WebAssembly.ModuleImports = {};
  const finalize: Finalize = (index, start, flags, address, length) => {
    const code = new Uint8Array(memory.buffer, address >>> 0, length >>> 0);
    void WebAssembly.instantiate(withSharedMemoryImport(code), { e: jitImports }).then(({ instance }) => {
      table.set(index + JIT_TABLE_OFFSET, instance.exports.f);
      finished(index, start, flags);
    });
  };
  const env = { ...imports.env, codegen_finalize: finalize };
  const { exports } = await WebAssembly.instantiate(module, { ...imports, env });
  const { memory, codegen_finalize_finished: finished } = exports as unknown as V86Exports;
  jitImports = { ...(exports as WebAssembly.ModuleImports), m: memory };
  return exports;
}
