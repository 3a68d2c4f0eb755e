import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { withSharedMemory, withSharedMemoryImport } from "./wasm_memory.ts";

const MAGIC = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const section = (id: number, ...body: number[]) => [id, body.length, ...body];
const module = (...sections: number[][]) => Uint8Array.from([...MAGIC, ...sections.flat()]);

/** () -> i32, one memory, exported as "m"; `load` reads the word at 8. */
const TYPE = section(1, 1, 0x60, 0, 1, 0x7f);
const FUNCTION = section(3, 1, 0);
const MEMORY = section(5, 1, 0, 2);
const EXPORT = section(7, 2, 1, 0x6d, 2, 0, 1, 0x66, 0, 0);
const CODE = section(10, 1, 7, 0, 0x41, 8, 0x28, 2, 0, 0x0b);
const SMALL = module(TYPE, FUNCTION, MEMORY, EXPORT, CODE);
const IMPORT = section(2, 1, 1, 0x65, 1, 0x6d, 2, 0, 2); // "e" "m" memory, minimum 2
const IMPORTING = module(TYPE, IMPORT, FUNCTION, section(7, 1, 1, 0x66, 0, 0), CODE);

const v86Wasm = async () =>
  new Uint8Array(
    await readFile(
      join(dirname(createRequire(import.meta.url).resolve("v86/package.json")), "build/v86.wasm"),
    ),
  );

describe("withSharedMemory", () => {
  it("shares the memory of a small module, which still runs", async () => {
    expect(WebAssembly.validate(SMALL)).toBe(true);
    const { instance } = await WebAssembly.instantiate(withSharedMemory(SMALL));
    const { m, f } = instance.exports as { m: WebAssembly.Memory; f: () => number };
    expect(m.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(m.buffer.byteLength).toBe(2 * 65536);
    new Int32Array(m.buffer)[2] = 4711;
    expect(f()).toBe(4711);
  });

  it("shares the memory of the v86.wasm that is installed", async () => {
    const module = await WebAssembly.compile(withSharedMemory(await v86Wasm()));
    const memories = WebAssembly.Module.exports(module).filter(({ kind }) => kind === "memory");
    expect(memories).toHaveLength(1);
    const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
    for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
      imports[from] ??= {};
      imports[from][name] =
        kind === "table" ? new WebAssembly.Table({ element: "anyfunc", initial: 2048 }) : () => 0;
    }
    const { exports } = await WebAssembly.instantiate(module, imports);
    expect((exports[memories[0].name] as WebAssembly.Memory).buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it("does not touch its argument", () => {
    const copy = SMALL.slice();
    withSharedMemory(SMALL);
    expect(SMALL).toEqual(copy);
  });

  it("mends a section size that takes another byte", () => {
    // A section padded by LEB128 to 127 bytes grows beyond 128.
    const padded = [5, 0x83, 0x80, 0x80, 0x00, 1, 0, 2];
    expect(WebAssembly.validate(module(TYPE, FUNCTION, padded, EXPORT, CODE))).toBe(true);
    expect(WebAssembly.validate(withSharedMemory(module(TYPE, FUNCTION, padded, EXPORT, CODE)))).toBe(true);
  });

  it.each<[string, Uint8Array]>([
    ["no memory", module(TYPE, FUNCTION)],
    ["two memories", module(section(5, 2, 0, 1, 0, 1))],
    ["no memory of its own", module(section(5, 0))],
    ["a memory that is shared already", module(section(5, 1, 3, 1, 2))],
    ["a memory with a maximum", module(section(5, 1, 1, 1, 2))],
    ["nothing at all", new Uint8Array(0)],
    ["a page of HTML", new TextEncoder().encode("<!doctype html><title>404</title>")],
    ["a section that says it is longer than the file", Uint8Array.from([...MAGIC, 5, 100, 1, 0, 1])],
    ["a section size that does not end", Uint8Array.from([...MAGIC, 1, 0x80, 0x80])],
    ["limits that do not end", Uint8Array.from([...MAGIC, 5, 3, 1, 0, 0x80])],
    ["a section without a size", Uint8Array.from([...MAGIC, 5])],
  ])("refuses a module with %s", (_name, bytes) => {
    expect(() => withSharedMemory(bytes)).toThrow();
  });
});

describe("withSharedMemoryImport", () => {
  it("lets a module import a shared memory", async () => {
    const m = new WebAssembly.Memory({ initial: 2, maximum: 65536, shared: true });
    new Int32Array(m.buffer)[2] = 7;
    await expect(WebAssembly.instantiate(IMPORTING, { e: { m } })).rejects.toThrow();
    const { instance } = await WebAssembly.instantiate(withSharedMemoryImport(IMPORTING), { e: { m } });
    expect((instance.exports as { f: () => number }).f()).toBe(7);
  });

  it("copies out of shared memory, where v86 leaves its modules", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(IMPORTING.length));
    shared.set(IMPORTING);
    const result = withSharedMemoryImport(shared);
    expect(result.buffer).toBeInstanceOf(ArrayBuffer);
    expect(WebAssembly.validate(result)).toBe(true);
  });

  it.each<[string, Uint8Array]>([
    ["no imports", module(TYPE, FUNCTION)],
    ["a last import that is a function", module(TYPE, section(2, 1, 1, 0x65, 1, 0x66, 0, 0))],
    ["a memory that is shared already", module(section(2, 1, 1, 0x65, 1, 0x6d, 2, 3, 2, 4))],
    ["nothing at all", new Uint8Array(0)],
    ["a truncated section", IMPORTING.slice(0, MAGIC.length + TYPE.length + 2)],
  ])("refuses a module with %s", (_name, bytes) => {
    expect(() => withSharedMemoryImport(bytes)).toThrow();
  });
});
