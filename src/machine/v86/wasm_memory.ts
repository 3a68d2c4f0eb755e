/**
 * Makes the memory of v86's WebAssembly modules shared, by rewriting the two places where its limits are written:
 * the memory section of v86.wasm, and the memory import of each module that v86's JIT makes.
 * Binary format: WebAssembly core specification, chapter 5.
 */

const SECTION_IMPORT = 2;
const SECTION_MEMORY = 5;
/** Limits flags: bit 0 has a maximum, bit 1 shared (threads proposal). */
const LIMITS_UNSHARED = 0;
const LIMITS_SHARED_WITH_MAXIMUM = 3;
/** 65536 pages of 64 KiB, the most that 32-bit memory can have. */
const MAXIMUM_PAGES = 65536;
const HEADER_BYTES = 8;
const MAGIC = [0x00, 0x61, 0x73, 0x6d];
const EXTERNAL_MEMORY = 2;

/** A v86.wasm whose one own memory is shared. Throws if the module does not look as expected. */
export function withSharedMemory(module: Uint8Array): Uint8Array<ArrayBuffer> {
  for (const section of sections(module)) {
    if (section.id !== SECTION_MEMORY) continue;
    const count = readU32(module, section.body);
    if (count.value !== 1) throw new Error(`v86.wasm has ${count.value} memories where one was expected`);
    return withSharedLimits(module, section, count.next);
  }
  throw new Error("v86.wasm has no memory section");
}

/** A module of v86's JIT that imports the shared memory. The memory is its last import. */
export function withSharedMemoryImport(module: Uint8Array): Uint8Array<ArrayBuffer> {
  for (const section of sections(module)) {
    if (section.id !== SECTION_IMPORT) continue;
    // The last import ends the section: limits flags 0 and a minimum of one byte, behind kind 2.
    const kind = section.end - 3;
    if (
      module[kind] !== EXTERNAL_MEMORY ||
      module[kind + 1] !== LIMITS_UNSHARED ||
      module[kind + 2] >= 0x80
    ) {
      throw new Error("a module of v86's JIT does not end its imports with an unshared memory");
    }
    return withSharedLimits(module, section, kind + 1);
  }
  throw new Error("a module of v86's JIT has no imports");
}

interface Section {
  readonly id: number;
  /** Where the section's size field starts, its contents start, and its contents end. */
  readonly sizeAt: number;
  readonly body: number;
  readonly end: number;
}

function* sections(module: Uint8Array): Generator<Section> {
  if (!MAGIC.every((byte, i) => module[i] === byte)) throw new Error("this is no WebAssembly module");
  let at = HEADER_BYTES;
  while (at < module.length) {
    const id = module[at];
    const size = readU32(module, at + 1);
    if (size.next + size.value > module.length) throw new Error("a WebAssembly section is cut off");
    yield { id, sizeAt: at + 1, body: size.next, end: size.next + size.value };
    at = size.next + size.value;
  }
}

/** Replaces the limits at `flagsAt` by shared ones with a maximum, and mends the section's size. */
function withSharedLimits(module: Uint8Array, section: Section, flagsAt: number): Uint8Array<ArrayBuffer> {
  if (module[flagsAt] !== LIMITS_UNSHARED)
    throw new Error(`unexpected memory limits flags ${module[flagsAt]}`);
  const minimum = readU32(module, flagsAt + 1);
  const before = module.subarray(section.body, flagsAt);
  const limits = [
    LIMITS_SHARED_WITH_MAXIMUM,
    ...module.subarray(flagsAt + 1, minimum.next),
    ...u32(MAXIMUM_PAGES),
  ];
  const after = module.subarray(minimum.next, section.end);
  const size = u32(before.length + limits.length + after.length);
  const head = module.subarray(0, section.sizeAt);
  const tail = module.subarray(section.end);
  const result = new Uint8Array(
    head.length + size.length + before.length + limits.length + after.length + tail.length,
  );
  let at = 0;
  for (const part of [head, size, before, limits, after, tail]) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** LEB128, unsigned. */
function readU32(bytes: Uint8Array, at: number): { readonly value: number; readonly next: number } {
  let value = 0;
  let next = at;
  for (let shift = 0; ; shift += 7) {
    if (next >= bytes.length || shift > 28) throw new Error("a number in a WebAssembly module does not end");
    const byte = bytes[next++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, next };
  }
}

function u32(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  do {
    bytes.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>>= 7;
  } while (left > 0);
  return bytes;
}
