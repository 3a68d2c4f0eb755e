import { expect, it } from "vitest";
import { guestView } from "../../devices/virtio/guest_view.ts";
import { IoVector } from "../../storage/io_vector.ts";
import { guestRam } from "./guest_ram.ts";

const PAGE = 65536;

function make(shared: boolean) {
  const wasm_memory = new WebAssembly.Memory(
    shared ? { initial: 3, maximum: 8, shared } : { initial: 3, maximum: 8 },
  );
  const mem8 = { buffer: wasm_memory.buffer, byteOffset: PAGE, length: PAGE };
  return { wasm_memory, ram: guestRam({ wasm_memory, mem8 }) };
}

it.each([true, false])("is the same RAM after the memory that it lies in has grown (shared: %s)", shared => {
  const { wasm_memory, ram } = make(shared);
  const view = guestView(ram);
  const vector = new IoVector(ram, 1);
  ram.bytes[0] = 1;
  view.halves[1] = 2;
  wasm_memory.grow(2);
  expect(ram.byteLength).toBe(PAGE);
  expect(ram.bytes.length).toBe(PAGE);
  expect(ram.words[0]).toBe(0x20001);
  expect(view.data.getUint32(0, true)).toBe(0x20001);
  expect(view.halves[1]).toBe(2);
  expect(vector.memory[0]).toBe(1);
  expect(new Uint8Array(wasm_memory.buffer)[PAGE]).toBe(1);
});
