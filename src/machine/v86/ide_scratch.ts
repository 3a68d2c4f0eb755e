import { ideDrives } from "./ide_drives.ts";
import { override } from "./override.ts";
import type { V86Emulator, V86MemoryBuffer } from "./seams.ts";

const CHUNK_BYTES = 65_536;
/** A snapshot goes through memory several times. */
const MOST_BYTES = 256 * 2 ** 20;

/**
 * v86's own IDE disk in memory, in a snapshot: v86 would save all of it, which mostly is zeroes, so that here it is what was
 * written, in chunks. Throws where v86's buffer is not what this knows.
 */
export function saveScratchSparsely(emulator: V86Emulator): void {
  const { buffer } = ideDrives(emulator)[0] ?? {};
  if (!isMemoryBuffer(buffer)) throw new Error("This version of v86 keeps the IDE disk in another way.");
  const content = new Uint8Array(buffer.buffer);
  const isWritten = new Uint8Array(Math.ceil(content.length / CHUNK_BYTES));
  const set = buffer.set.bind(buffer);
  override(buffer, "set", (start, data, done) => {
    isWritten.fill(1, Math.floor(start / CHUNK_BYTES), Math.ceil((start + data.length) / CHUNK_BYTES));
    set(start, data, done);
  });
  override(buffer, "get_state", () => {
    const chunks = Uint32Array.from(isWritten.keys()).filter(chunk => isWritten[chunk] !== 0);
    if (chunks.length * CHUNK_BYTES > MOST_BYTES) {
      throw new Error(
        "The IDE disk, which is in memory, has more than 256 MiB of data: that is too much for a snapshot. Choose NVMe for the scratch disk in the settings.",
      );
    }
    const packed = new Uint8Array(chunks.length * CHUNK_BYTES);
    for (const [index, chunk] of chunks.entries()) packed.set(chunkOf(content, chunk), index * CHUNK_BYTES);
    return [content.length, chunks, packed];
  });
  override(buffer, "set_state", state => {
    const [length, chunks, packed] = state;
    const isRight =
      length === content.length &&
      chunks instanceof Uint32Array &&
      packed instanceof Uint8Array &&
      packed.length === chunks.length * CHUNK_BYTES &&
      chunks.every(chunk => chunk < isWritten.length);
    if (!isRight) throw new Error("The saved content of the IDE disk is damaged.");
    for (const [index, chunk] of chunks.entries()) {
      const room = chunkOf(content, chunk);
      room.set(packed.subarray(index * CHUNK_BYTES, index * CHUNK_BYTES + room.length));
      isWritten[chunk] = 1;
    }
  });
}

const chunkOf = (content: Uint8Array, chunk: number): Uint8Array =>
  content.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);

function isMemoryBuffer(buffer: unknown): buffer is V86MemoryBuffer {
  const { buffer: content, set, get_state, set_state } = (buffer ?? {}) as Partial<V86MemoryBuffer>;
  return (
    content instanceof ArrayBuffer &&
    [set, get_state, set_state].every(method => typeof method === "function")
  );
}
