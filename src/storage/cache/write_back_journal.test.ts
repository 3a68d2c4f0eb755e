import { describe, expect, it } from "vitest";
import { type ChunkChange, type JournalTraits, StorageError } from "../block_backend.ts";
import { FaultBackend } from "../fault_backend.ts";
import { MemoryBackend, type MemoryStore } from "../memory_backend.ts";
import { ManualScheduler, read, settle, write, zero } from "../testing/test_support.ts";
import { BlockCache } from "./block_cache.ts";

const CHUNK = 4096;
const CHUNKS = 32;
const BLOCK = 256;
const traits: JournalTraits = { blockBytes: BLOCK, blockLimit: 4, chunkLimit: 4 };

/** Opens a cache above a backend with a journal; `log` says what each commit wrote: "3:whole", "3:-", "3:0,7". */
async function openCache(options: { store?: MemoryStore; journal?: JournalTraits } = {}) {
  const store: MemoryStore = options.store ?? new Map();
  const log: string[] = [];
  const faults: { commit?: (changes: readonly ChunkChange[]) => void | Promise<void> } = {};
  const backend = new FaultBackend(new MemoryBackend(CHUNK, CHUNKS, store, options.journal ?? traits), {
    async commit(changes) {
      await faults.commit?.(changes);
      log.push(
        changes
          .map(({ chunk, data, blocks }) => `${chunk}:${data ? (blocks ? blocks.join() : "whole") : "-"}`)
          .join(" "),
      );
    },
  });
  const scheduler = new ManualScheduler();
  const cache = await BlockCache.open(backend, {
    cacheBytes: 32 * CHUNK,
    dirtyBytes: 24 * CHUNK,
    writeBackBytes: 24 * CHUNK,
    scheduler,
  });
  return { cache, store, log, faults, scheduler };
}

/** Lets commits wait, until the test says what becomes of them. */
function gate(): { opened: Promise<void>; open: () => void; fail: (error: StorageError) => void } {
  let open = () => {};
  let fail: (error: StorageError) => void = () => {};
  const opened = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { opened, open, fail };
}

const bytes = (value: number, length = 10) => new Uint8Array(length).fill(value);

describe("a flush, above a backend with a journal", () => {
  it("writes only the blocks that have changed since the last one", async () => {
    const { cache, log, store } = await openCache();
    await write(cache, 3 * CHUNK + 5, bytes(1));
    await cache.flush();
    await write(cache, 3 * CHUNK + 2 * BLOCK - 1, bytes(2, 2));
    await write(cache, 5 * CHUNK + CHUNK - 1, bytes(3, 1));
    await cache.flush();
    expect(log).toEqual(["3:0", "3:1,2 5:15"]);
    expect(store.get(3)?.subarray(2 * BLOCK - 2, 2 * BLOCK + 2)).toEqual(new Uint8Array([0, 2, 2, 0]));
    expect(cache.counters()).toMatchObject({ committedBytes: 4 * BLOCK, dirtyBytes: 0 });
  });

  it("writes the chunk when more of it has changed than is cheap", async () => {
    const { cache, log } = await openCache();
    await write(cache, 0, bytes(1, 4 * BLOCK));
    await cache.flush();
    await write(cache, 0, bytes(2, 5 * BLOCK));
    await write(cache, CHUNK, bytes(3, CHUNK));
    await cache.flush();
    expect(log).toEqual(["0:0,1,2,3", "0:whole 1:whole"]);
  });

  it("writes nothing again that is durable", async () => {
    const { cache, log } = await openCache();
    await write(cache, 0, bytes(1));
    await cache.flush();
    await cache.flush();
    await cache.flushRange(0, CHUNK);
    expect(log).toEqual(["0:0"]);
  });

  it("covers what is written while its predecessor is under way", async () => {
    const { cache, log, faults, store } = await openCache();
    const slow = gate();
    faults.commit = () => slow.opened;
    await write(cache, 0, bytes(1));
    const first = cache.flush();
    await write(cache, BLOCK, bytes(2));
    const second = cache.flush();
    const range = cache.flushRange(BLOCK, 1);
    slow.open();
    await Promise.all([first, second, range]);
    expect(log).toEqual(["0:0", "0:1"]);
    expect(store.get(0)?.[BLOCK]).toBe(2);
  });

  it("has room for so many chunks only, and then writes others whole", async () => {
    const { cache, log } = await openCache();
    for (let chunk = 0; chunk < 6; chunk++) await write(cache, chunk * CHUNK, bytes(1));
    await cache.flush();
    await write(cache, 2 * CHUNK, bytes(2)); // has its place already
    await cache.flush();
    expect(log[0]).toBe("0:0 1:0 2:0 3:0 4:whole 5:whole");
    expect(log.at(-1)).toBe("2:0");
  });
});

describe("folding", () => {
  it("makes room for as many chunks again", async () => {
    const { cache, log, scheduler } = await openCache();
    for (let round = 0; round < 3; round++) {
      log.length = 0;
      for (let chunk = 0; chunk < 6; chunk++) await write(cache, chunk * CHUNK, bytes(round + 1));
      await cache.flush();
      expect(log[0]).toBe("0:0 1:0 2:0 3:0 4:whole 5:whole");
      await scheduler.advance(5000);
    }
  });

  it("that fails lets a flush succeed that came meanwhile", async () => {
    const { cache, faults, log, scheduler } = await openCache();
    await write(cache, 0, bytes(1));
    await cache.flush();
    const slow = gate();
    faults.commit = () => slow.opened;
    await scheduler.advance(2500);
    await write(cache, BLOCK, bytes(2));
    const flush = cache.flush();
    faults.commit = () => {};
    slow.fail(new StorageError("io", "broken"));
    await flush;
    expect(log).toEqual(["0:0", "0:1"]);
  });

  it("happens when the guest is idle", async () => {
    const { cache, log, scheduler } = await openCache();
    await write(cache, 0, bytes(1));
    await write(cache, CHUNK, bytes(1));
    await cache.flush();
    await scheduler.advance(2500);
    expect(log).toEqual(["0:0 1:0", "0:whole 1:whole"]);
    await scheduler.advance(60_000);
    expect(log).toHaveLength(2);
  });

  it("happens at the latest after 30 s, though the chunk is written all the time", async () => {
    const { cache, log, scheduler } = await openCache();
    const write10PerSecond = async (seconds: number) => {
      for (let i = 0; i < seconds * 10; i++) {
        await write(cache, 0, bytes((i % 255) + 1));
        await cache.flush();
        await scheduler.advance(100);
      }
    };
    await write10PerSecond(15);
    expect(new Set(log)).toEqual(new Set(["0:0"]));
    await write10PerSecond(15);
    expect(log.filter(entry => entry === "0:whole")).toHaveLength(1);
  });

  it("begins before the journal is full", async () => {
    const { cache, log, scheduler } = await openCache();
    for (let chunk = 0; chunk < 3; chunk++) {
      await write(cache, chunk * CHUNK, bytes(1));
      await cache.flush();
    }
    await scheduler.advance(100);
    expect(log).toEqual(["0:0", "1:0", "2:0", "0:whole 1:whole 2:whole"]);
    expect(cache.counters().dirtyBytes).toBe(0);
  });

  it("is no reason for a flush to wait or to fail", async () => {
    const { cache, faults, scheduler } = await openCache();
    await write(cache, 0, bytes(1));
    await cache.flush();
    const slow = gate();
    faults.commit = async () => {
      await slow.opened;
      throw new StorageError("no-space", "full");
    };
    await scheduler.advance(2500);
    await cache.flush(); // the fold is under way
    slow.open();
    await settle();
    expect(cache.counters()).toMatchObject({ commitFailures: 1, dirtyBytes: 0 });
    await cache.flush();
    expect(cache.failure?.kind).toBe("no-space");
    faults.commit = () => {};
    await scheduler.advance(5000);
    expect(cache.failure).toBeUndefined();
    expect(cache.counters().commits).toBe(2);
  });

  it("lets a flush wait for what was written during the fold", async () => {
    const { cache, log, faults, store, scheduler } = await openCache();
    await write(cache, 0, bytes(1));
    await cache.flush();
    const slow = gate();
    faults.commit = () => slow.opened;
    await scheduler.advance(2500);
    await write(cache, BLOCK, bytes(2));
    let flushed = false;
    const flush = cache.flush().then(() => {
      flushed = true;
    });
    await settle();
    expect(flushed).toBe(false);
    slow.open();
    await flush;
    expect(log).toEqual(["0:0", "0:whole", "0:1"]);
    expect(store.get(0)?.[BLOCK]).toBe(2);
  });
});

describe("the chunk of a journaled change", () => {
  it("is complete, though it was never stored as a whole", async () => {
    const { cache, store, log } = await openCache();
    await write(cache, 2 * CHUNK + BLOCK, bytes(7));
    await cache.flush();
    expect(log).toEqual(["2:1"]);
    const { cache: again } = await openCache({ store });
    expect(await read(again, 2 * CHUNK + BLOCK - 1, 3)).toEqual(new Uint8Array([0, 7, 7]));
    expect(again.allocatedBytes).toBe(CHUNK);
  });

  it("is gone when it was discarded, and what is written then lies over zeroes", async () => {
    const { cache, store, log } = await openCache();
    await write(cache, CHUNK, bytes(7, CHUNK));
    await cache.flush();
    await write(cache, CHUNK, bytes(8));
    await cache.flush();
    await zero(cache, CHUNK, CHUNK);
    await write(cache, CHUNK + BLOCK, bytes(9, 1));
    await cache.flush();
    expect(log).toEqual(["1:whole", "1:0", "1:whole"]);
    expect(store.get(1)?.findIndex(byte => byte !== 0)).toBe(BLOCK);
    await zero(cache, CHUNK, CHUNK);
    await cache.flush();
    expect(log.at(-1)).toBe("1:-");
    await write(cache, CHUNK + BLOCK, bytes(9, 1));
    await cache.flush();
    expect(log.at(-1)).toBe("1:1");
    expect(store.get(1)?.reduce((sum, byte) => sum + byte)).toBe(9);
  });

  it("is written anew when its commit failed, with what was written meanwhile", async () => {
    const { cache, store, log, faults } = await openCache();
    const slow = gate();
    faults.commit = () => slow.opened;
    await write(cache, 0, bytes(1));
    const failed = cache.flush();
    await write(cache, BLOCK, bytes(2));
    slow.fail(new StorageError("io", "broken"));
    await expect(failed).rejects.toThrow("broken");
    expect(cache.counters().dirtyBytes).toBe(CHUNK);
    faults.commit = () => {};
    await cache.flush();
    expect(log).toEqual(["0:0,1"]);
    expect([store.get(0)?.[0], store.get(0)?.[BLOCK]]).toEqual([1, 2]);
  });

  it("keeps nothing of what was there before a removal that failed", async () => {
    const { cache, store, faults } = await openCache();
    await write(cache, 0, bytes(7, CHUNK));
    await cache.flush();
    const slow = gate();
    faults.commit = () => slow.opened;
    await zero(cache, 0, CHUNK);
    const failed = cache.flush();
    await write(cache, BLOCK, bytes(9, 1));
    slow.fail(new StorageError("io", "broken"));
    await expect(failed).rejects.toThrow("broken");
    faults.commit = () => {};
    await cache.flush();
    expect(store.get(0)?.reduce((sum, byte) => sum + byte)).toBe(9);
  });
});
