import { describe, expect, it } from "vitest";
import { StorageError } from "../../storage/block_backend.ts";
import { BlockCache } from "../../storage/cache/block_cache.ts";
import { FaultBackend, type Faults } from "../../storage/fault_backend.ts";
import { MemoryBackend, type MemoryStore } from "../../storage/memory_backend.ts";
import { DiskBuffer } from "./disk_buffer.ts";

const CHUNK = 4096;
const BYTES = 16 * CHUNK;

async function disk(faults: Faults = {}, stored: MemoryStore = new Map()) {
  const backend = new FaultBackend(new MemoryBackend(CHUNK, 16, stored), faults);
  const cache = await BlockCache.open(backend, { cacheBytes: 8 * CHUNK });
  return { backend, cache, stored, buffer: new DiskBuffer(cache, BYTES) };
}

const read = (buffer: DiskBuffer, start: number, length: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    buffer.onReadError = reject;
    buffer.get(start, length, resolve);
  });
const write = (buffer: DiskBuffer, start: number, data: Uint8Array): Promise<void> =>
  new Promise(resolve => buffer.set(start, data, resolve));
const sector = (value: number, count = 1) => new Uint8Array(512 * count).fill(value);

describe("DiskBuffer", () => {
  it("answers at once what is in memory, and later what is not", async () => {
    const stored: MemoryStore = new Map([[3, new Uint8Array(CHUNK).fill(7)]]);
    const { buffer } = await disk({}, stored);
    let answers = 0;
    buffer.get(3 * CHUNK, 512, data => {
      answers++;
      expect(data).toEqual(sector(7));
    });
    expect([answers, buffer.get_from_cache(3 * CHUNK, 512)]).toEqual([0, undefined]);
    expect(await read(buffer, 3 * CHUNK, 512)).toEqual(sector(7));
    expect(answers).toBe(1);
    await new Promise(resolve => setTimeout(resolve));
    buffer.get(3 * CHUNK + 512, 512, () => answers++);
    expect(answers).toBe(2);
    expect(buffer.get_from_cache(3 * CHUNK, 512)).toEqual(sector(7));
  });

  it("reads what was written before, however long the write has to wait, and keeps the data it was given", async () => {
    const stored: MemoryStore = new Map([[2, new Uint8Array(CHUNK).fill(1)]]);
    const { buffer } = await disk({}, stored);
    // A part of a chunk that is not in memory.
    const data = sector(9);
    buffer.set(2 * CHUNK + 512, data, () => {});
    data.fill(5);
    expect(await read(buffer, 2 * CHUNK, 1536)).toEqual(
      Uint8Array.from([...sector(1), ...sector(9), ...sector(1)]),
    );
  });

  it("takes more than fits into the cache, in order", async () => {
    const { buffer, stored } = await disk();
    for (let round = 1; round <= 2; round++) {
      for (let chunk = 0; chunk < 16; chunk++) buffer.set(chunk * CHUNK, sector(chunk + round, 8), () => {});
    }
    await buffer.flush();
    expect([...stored].sort(([a], [b]) => a - b).map(([, data]) => data[100])).toEqual(
      Array.from({ length: 16 }, (_, chunk) => chunk + 2),
    );
  });

  it("is durable after a flush, and not told so when it is not", async () => {
    const { buffer, stored, backend } = await disk();
    await write(buffer, 512, sector(3));
    await buffer.flush();
    expect(stored.get(0)?.[512]).toBe(3);
    backend.commit = () => Promise.reject(new StorageError("io", "broken"));
    await write(buffer, 1024, sector(4));
    await expect(buffer.flush()).rejects.toThrow("broken");
  });

  it("tells of reads that fail, and of writes with the next flush, once", async () => {
    const { buffer, backend } = await disk({}, new Map([[1, new Uint8Array(CHUNK)]]));
    const readable = backend.read.bind(backend);
    backend.read = () => Promise.reject(new StorageError("io", "unreadable"));
    await expect(read(buffer, CHUNK, 512)).rejects.toThrow("unreadable");
    // A part of a chunk must be read first.
    await write(buffer, CHUNK, sector(1));
    await expect(buffer.flush()).rejects.toThrow("unreadable");
    backend.read = readable;
    await write(buffer, CHUNK, sector(2));
    await buffer.flush();
    expect(await read(buffer, CHUNK, 512)).toEqual(sector(2));
  });

  it("gives zeroes for what no drive has, and takes nothing there", async () => {
    const { buffer, stored } = await disk();
    for (const [start, length] of [
      [-512, 512],
      [BYTES, 512],
      [BYTES - 512, 1024],
      [0, 2 ** 40],
    ]) {
      const data = await read(buffer, start, length);
      expect(data.every(byte => byte === 0)).toBe(true);
      expect(data.length).toBeLessThanOrEqual(2 ** 25);
    }
    await write(buffer, -512, sector(1));
    await write(buffer, BYTES - 512, sector(1, 2));
    await buffer.flush();
    expect(stored.size).toBe(0);
  });
});
