import { afterEach, describe, expect, it } from "vitest";
import { BlockCache } from "../cache/block_cache.ts";
import { read, write, zero } from "../testing/test_support.ts";
import { IndexedDbBackend } from "./indexeddb_backend.ts";
import { databaseName } from "./indexeddb_database.ts";

const CHUNK = 256 * 1024;
const CHUNKS = 8;
let disks = 0;
const freshName = () => `journal-test-${Date.now()}-${disks++}`;
const opened: BlockCache[] = [];

/** Opens the disk; a cache that has it open is left as a killed tab would leave it. */
async function open(name: string, idleMs = 60_000): Promise<BlockCache> {
  const backend = await IndexedDbBackend.open(name, { capacityBytes: CHUNK * CHUNKS });
  const cache = await BlockCache.open(backend, { idleMs, maxAgeMs: 10 * idleMs });
  opened.push(cache);
  return cache;
}

afterEach(async () => {
  for (const cache of opened.splice(0)) await cache.close().catch(() => {});
});

async function records(name: string): Promise<number> {
  const db = await new Promise<IDBDatabase>(resolve => {
    const request = indexedDB.open(databaseName(name));
    request.onsuccess = () => resolve(request.result);
  });
  const request = db.transaction("journal").objectStore("journal").count();
  const count = await new Promise<number>(resolve => {
    request.onsuccess = () => resolve(request.result);
  });
  db.close();
  return count;
}

const sameBytes = (a: Uint8Array, b: Uint8Array) => a.every((byte, i) => byte === b[i]);

describe("a cache above IndexedDB with its journal", () => {
  it("has after a crash what it flushed, time and again", async () => {
    let seed = 12_345;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const name = freshName();
    const model = new Uint8Array(CHUNK * CHUNKS);
    let sawRecords = false;
    for (let life = 0; life < 6; life++) {
      const cache = await open(name);
      expect(await records(name)).toBe(0);
      for (let chunk = 0; chunk < CHUNKS; chunk++) {
        const content = await read(cache, chunk * CHUNK, CHUNK);
        expect(sameBytes(content, model.subarray(chunk * CHUNK, (chunk + 1) * CHUNK)), `chunk ${chunk}`).toBe(
          true,
        );
      }
      for (let step = 0; step < 40; step++) {
        const kind = random(10);
        const offset = random(model.length - CHUNK);
        if (kind === 0) {
          const chunk = random(CHUNKS);
          await zero(cache, chunk * CHUNK, CHUNK);
          model.fill(0, chunk * CHUNK, (chunk + 1) * CHUNK);
        } else if (kind === 1) {
          const length = 1 + random(CHUNK);
          await write(cache, offset, new Uint8Array(length).fill(step + 1));
          model.fill(step + 1, offset, offset + length);
        } else if (kind === 2) {
          const length = 1 + random(9000);
          await zero(cache, offset, length);
          model.fill(0, offset, offset + length);
        } else {
          const length = 1 + random(9000);
          await write(cache, offset, new Uint8Array(length).fill(100 + step));
          model.fill(100 + step, offset, offset + length);
        }
        if (random(3) === 0) await cache.flush();
      }
      await cache.flush();
      sawRecords ||= (await records(name)) > 0;
    }
    expect(sawRecords).toBe(true);
  });

  it("folds its journal by itself", async () => {
    const name = freshName();
    const cache = await open(name, 50);
    await write(cache, 3 * CHUNK + 5000, new Uint8Array(10).fill(7));
    await cache.flush();
    expect(await records(name)).toBe(1);
    await expect.poll(() => records(name), { timeout: 10_000 }).toBe(0);
    const again = await open(name);
    expect(await read(again, 3 * CHUNK + 4999, 3)).toEqual(new Uint8Array([0, 7, 7]));
  });

  it("frees what is in the journal when its chunk is discarded", async () => {
    const name = freshName();
    const cache = await open(name);
    await write(cache, 2 * CHUNK, new Uint8Array(10).fill(7));
    await cache.flush();
    await zero(cache, 2 * CHUNK, CHUNK);
    await cache.flush();
    expect(await records(name)).toBe(0);
    expect((await open(name)).allocatedBytes).toBe(0);
  });
});
