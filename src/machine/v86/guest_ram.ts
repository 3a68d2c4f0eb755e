import { createGuestMemory, type GuestMemory } from "../../devices/guest_memory.ts";
import { isShared } from "../../devices/shared_buffer.ts";
import type { V86Cpu } from "./seams.ts";

/** The guest's RAM in v86's wasm memory, shared or not. */
export function guestRam({ mem8, wasm_memory }: Pick<V86Cpu, "mem8" | "wasm_memory">): GuestMemory {
  const { buffer, byteOffset, length } = mem8;
  return isShared(buffer)
    ? createGuestMemory(buffer, byteOffset, length)
    : new GrowingGuestRam(wasm_memory, byteOffset, length);
}

/** RAM in a memory that is not shared: when that grows, its buffer is detached and there is another one. */
class GrowingGuestRam implements GuestMemory {
  readonly byteLength: number;
  readonly #memory: WebAssembly.Memory;
  readonly #byteOffset: number;
  #view: GuestMemory;

  constructor(memory: WebAssembly.Memory, byteOffset: number, byteLength: number) {
    this.byteLength = byteLength;
    this.#memory = memory;
    this.#byteOffset = byteOffset;
    this.#view = createGuestMemory(memory.buffer, byteOffset, byteLength);
  }

  get bytes(): Uint8Array {
    return this.#current.bytes;
  }

  get words(): Int32Array {
    return this.#current.words;
  }

  get #current(): GuestMemory {
    const { buffer } = this.#memory;
    if (this.#view.bytes.buffer !== buffer) {
      this.#view = createGuestMemory(buffer, this.#byteOffset, this.byteLength);
    }
    return this.#view;
  }
}
