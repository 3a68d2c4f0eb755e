import { describe, expect, it } from "vitest";
import { StorageError } from "../block_backend.ts";
import { FaultBackend, type Faults, hang } from "../fault_backend.ts";
import { MemoryBackend, type MemoryStore } from "../memory_backend.ts";
import { ManualScheduler, read, settle, vectorOf, write, zero } from "../testing/test_support.ts";
import { BlockCache, type BlockCacheOptions } from "./block_cache.ts";

const CHUNK = 4096;
const CHUNKS = 64;

interface Setup {
  readonly cache: BlockCache;
  readonly store: MemoryStore;
  readonly faults: Faults;
  readonly scheduler: ManualScheduler;
  /** Every batch that was asked of the backend. */
  readonly reads: number[][];
  readonly commits: number[][];
}

async function setUp(options: BlockCacheOptions = {}, stored: readonly number[] = []): Promise<Setup> {
  const store: MemoryStore = new Map(stored.map(chunk => [chunk, bytes(CHUNK, chunk + 1)]));
  const reads: number[][] = [];
  const commits: number[][] = [];
  const faults: Faults = {};
  const backend = new FaultBackend(new MemoryBackend(CHUNK, CHUNKS, store), {
    read: chunks => {
      reads.push([...chunks]);
      return faults.read?.(chunks);
    },
    commit: changes => {
      commits.push(changes.map(({ chunk }) => chunk));
      return faults.commit?.(changes);
    },
  });
  const scheduler = new ManualScheduler();
  const cache = await BlockCache.open(backend, {
    cacheBytes: 16 * CHUNK,
    dirtyBytes: 8 * CHUNK,
    writeBackBytes: 8 * CHUNK,
    scheduler,
    ...options,
  });
  return { cache, store, faults, scheduler, reads, commits };
}

function bytes(length: number, value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(value);
}

const full = () => Promise.reject(new StorageError("no-space", "full"));

/** A promise to be settled by hand. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>(resolve => {
    open = resolve;
  });
  return { opened, open };
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const done = () => {
    pending = false;
  };
  promise.then(done, done);
  await settle();
  return pending;
}

describe("reading", () => {
  it("reads a thin disk as zeroes at once, without memory and without the backend", async () => {
    const { cache, reads } = await setUp();
    const guest = bytes(2 * CHUNK, 0xee);
    expect(cache.tryRead(CHUNK / 2, vectorOf(guest))).toBe(true);
    expect(guest).toEqual(bytes(2 * CHUNK, 0));
    expect(cache.counters()).toMatchObject({ residentBytes: 0, allocatedBytes: 0, hits: 1, misses: 0 });
    expect(reads).toEqual([]);
  });

  it("copies nothing when one chunk of the request is missing", async () => {
    const { cache } = await setUp({}, [1]);
    const guest = bytes(2 * CHUNK, 0xee);
    expect(cache.tryRead(0, vectorOf(guest))).toBe(false);
    expect(guest).toEqual(bytes(2 * CHUNK, 0xee));
    await cache.prepare("read", 0, 2 * CHUNK);
    expect(cache.tryRead(0, vectorOf(guest))).toBe(true);
    expect([guest[CHUNK - 1], guest[CHUNK]]).toEqual([0, 2]);
  });

  it("loads the missing chunks of a request in one batch", async () => {
    const { cache, reads } = await setUp({}, [3, 4, 6]);
    await cache.prepare("read", 3 * CHUNK, 4 * CHUNK);
    expect(reads).toEqual([[3, 4, 6]]);
  });

  it("shares a load between requests for the same chunk", async () => {
    const { cache, reads } = await setUp({}, [5]);
    await Promise.all([cache.prepare("read", 5 * CHUNK, 10), cache.prepare("read", 5 * CHUNK + 99, 10)]);
    expect(reads).toEqual([[5]]);
  });

  it("reports a failed read, and works again afterwards", async () => {
    const { cache, faults } = await setUp({}, [5]);
    faults.read = () => Promise.reject(new Error("cable"));
    const failed = cache.prepare("read", 5 * CHUNK, 10);
    await expect(failed).rejects.toMatchObject({ name: "StorageError", kind: "io" });
    await expect(failed).rejects.toThrow("cable");
    faults.read = undefined;
    expect((await read(cache, 5 * CHUNK, 10))[0]).toBe(6);
  });

  it("gives up on a backend that never answers, and asks again the next time", async () => {
    const { cache, faults, scheduler } = await setUp({ timeoutMs: 500 }, [5]);
    faults.read = hang;
    const lost = cache.prepare("read", 5 * CHUNK, 10);
    lost.catch(() => {});
    await scheduler.advance(499);
    expect(await isPending(lost)).toBe(true);
    await scheduler.advance(1);
    await expect(lost).rejects.toMatchObject({ kind: "io" });
    faults.read = undefined;
    expect((await read(cache, 5 * CHUNK, 10))[0]).toBe(6);
  });

  it("reports a chunk that storage has lost instead of reading zeroes", async () => {
    const { cache, store } = await setUp({}, [5]);
    store.delete(5);
    await expect(cache.prepare("read", 5 * CHUNK, 10)).rejects.toThrow("lost chunk 5");
  });

  it("does not bring in what a slow load read before the chunk was dropped", async () => {
    const { cache, faults, scheduler } = await setUp({}, [5]);
    const slow = gate();
    faults.read = () => slow.opened;
    const prepared = cache.prepare("read", 5 * CHUNK, CHUNK);
    await settle();
    expect(cache.tryZero(5 * CHUNK, CHUNK)).toBe(true);
    expect(cache.tryWrite(5 * CHUNK, vectorOf(bytes(8, 77)))).toBe(true);
    slow.open();
    await prepared;
    expect((await read(cache, 5 * CHUNK, 16)).subarray(0, 9)).toEqual(
      new Uint8Array([77, 77, 77, 77, 77, 77, 77, 77, 0]),
    );
    await scheduler.advance(0);
  });

  it("does not bring in what a slow read-ahead read before the chunk was rewritten and evicted", async () => {
    const slow = gate();
    class SlowReadAhead extends MemoryBackend {
      #reads = 0;
      override async read(chunks: readonly number[]) {
        const contents = await super.read(chunks);
        this.#reads += 1;
        if (this.#reads === 2) await slow.opened; // the first read is the one that was asked for
        return contents;
      }
    }
    const store: MemoryStore = new Map(
      Array.from({ length: CHUNKS }, (_, chunk) => [chunk, bytes(CHUNK, 1)]),
    );
    const scheduler = new ManualScheduler();
    const cache = await BlockCache.open(new SlowReadAhead(CHUNK, CHUNKS, store), {
      cacheBytes: 8 * CHUNK,
      scheduler,
    });
    await read(cache, 0, CHUNK); // starts to read chunk 1 ahead
    await write(cache, CHUNK, bytes(CHUNK, 2));
    await cache.flush();
    for (let chunk = CHUNKS - 1; chunk > 20; chunk -= 2) {
      await read(cache, chunk * CHUNK, CHUNK);
      await scheduler.advance(0);
    }
    expect(cache.tryRead(CHUNK, vectorOf(bytes(1, 0)))).toBe(false); // evicted
    slow.open();
    await settle();
    expect((await read(cache, CHUNK, 1))[0]).toBe(2);
  });

  it("refuses ranges outside the disk", async () => {
    const { cache } = await setUp();
    expect(() => cache.tryRead(CHUNKS * CHUNK - 1, vectorOf(bytes(2, 0)))).toThrow(RangeError);
    expect(() => cache.tryWrite(-1, vectorOf(bytes(2, 0)))).toThrow(RangeError);
    expect(() => cache.tryZero(0, CHUNKS * CHUNK + 1)).toThrow(RangeError);
    await expect(cache.prepare("read", CHUNKS * CHUNK, 1)).rejects.toThrow(RangeError);
  });
});

describe("read-ahead", () => {
  const everything = Array.from({ length: CHUNKS }, (_, chunk) => chunk);

  it("loads ahead of a sequential reader, so that it stops missing", async () => {
    const { cache } = await setUp({ cacheBytes: 32 * CHUNK }, everything);
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      expect((await read(cache, chunk * CHUNK, CHUNK))[0]).toBe(chunk + 1);
      await settle();
    }
    const { misses, readAheadLoads } = cache.counters();
    expect(misses).toBe(1);
    expect(readAheadLoads).toBe(CHUNKS - 1);
  });

  it("is bounded: it never runs further ahead than a part of the cache", async () => {
    const { cache, reads } = await setUp({ cacheBytes: 32 * CHUNK }, everything);
    for (let chunk = 0; chunk < 10; chunk++) await read(cache, chunk * CHUNK, CHUNK);
    await settle();
    expect(Math.max(...reads.flat())).toBeLessThan(10 + 2 * 6);
    expect(cache.counters().residentBytes).toBeLessThanOrEqual(32 * CHUNK);
  });

  it("leaves random reads alone", async () => {
    const { cache, reads } = await setUp({}, everything);
    for (const chunk of [40, 7, 22, 3, 50, 11]) await read(cache, chunk * CHUNK, 512);
    expect(reads).toEqual([[40], [7], [22], [3], [50], [11]]);
  });

  it("keeps a failure to itself: only who needs the chunk hears of it", async () => {
    const { cache, faults } = await setUp({ cacheBytes: 32 * CHUNK }, everything);
    faults.read = chunks => (chunks.includes(0) ? undefined : Promise.reject(new Error("cable")));
    expect((await read(cache, 0, CHUNK))[0]).toBe(1);
    await settle();
    await expect(cache.prepare("read", CHUNK, CHUNK)).rejects.toThrow("cable");
  });
});

describe("writing", () => {
  it("takes partial writes of chunks that do not exist without loading anything", async () => {
    const { cache, reads } = await setUp();
    expect(cache.tryWrite(CHUNK - 2, vectorOf(bytes(4, 9)))).toBe(true);
    expect(await read(cache, CHUNK - 4, 8)).toEqual(new Uint8Array([0, 0, 9, 9, 9, 9, 0, 0]));
    expect(reads).toEqual([]);
    expect(cache.allocatedBytes).toBe(2 * CHUNK);
  });

  it("loads only the partly covered chunks that exist", async () => {
    const { cache, reads } = await setUp({}, [1, 2, 3]);
    const data = bytes(2 * CHUNK, 9);
    expect(cache.tryWrite(1.5 * CHUNK, vectorOf(data))).toBe(false);
    await cache.prepare("write", 1.5 * CHUNK, data.length);
    expect(reads).toEqual([[1, 3]]);
    expect(cache.tryWrite(1.5 * CHUNK, vectorOf(data))).toBe(true);
    const back = await read(cache, CHUNK, 3 * CHUNK);
    expect([back[0], back[CHUNK / 2], back[2.5 * CHUNK - 1], back[2.5 * CHUNK]]).toEqual([2, 9, 9, 4]);
  });

  it("overwrites whole chunks without loading them", async () => {
    const { cache, reads } = await setUp({}, [1]);
    expect(cache.tryWrite(CHUNK, vectorOf(bytes(CHUNK, 9)))).toBe(true);
    expect(reads).toEqual([]);
  });

  it("holds writers back while too much is dirty, and lets them go on after a commit", async () => {
    const { cache, faults } = await setUp({ dirtyBytes: 4 * CHUNK, writeBackBytes: 4 * CHUNK });
    const slow = gate();
    faults.commit = () => slow.opened;
    for (let chunk = 0; chunk < 4; chunk++) {
      expect(cache.tryWrite(chunk * CHUNK, vectorOf(bytes(CHUNK, 1)))).toBe(true);
    }
    expect(cache.tryWrite(4 * CHUNK, vectorOf(bytes(CHUNK, 1)))).toBe(false);
    expect(cache.tryWrite(3 * CHUNK, vectorOf(bytes(CHUNK, 2)))).toBe(true); // dirty already: no more of it
    const prepared = cache.prepare("write", 4 * CHUNK, CHUNK);
    expect(await isPending(prepared)).toBe(true);
    slow.open();
    await prepared;
    expect(cache.tryWrite(4 * CHUNK, vectorOf(bytes(CHUNK, 1)))).toBe(true);
    expect(cache.counters().dirtyBytes).toBeLessThanOrEqual(4 * CHUNK);
  });

  it("keeps the room that a prepared write was promised from other writers", async () => {
    const { cache } = await setUp({ dirtyBytes: 2 * CHUNK, writeBackBytes: 2 * CHUNK });
    await cache.prepare("write", 0, 2 * CHUNK);
    expect(cache.tryWrite(5 * CHUNK, vectorOf(bytes(1, 1)))).toBe(false);
    expect(cache.tryWrite(0, vectorOf(bytes(2 * CHUNK, 1)))).toBe(true);
  });

  it("tells waiting writers when nothing can be committed, and recovers", async () => {
    const { cache, faults } = await setUp({ dirtyBytes: 2 * CHUNK });
    faults.commit = full;
    await write(cache, 0, bytes(2 * CHUNK, 1));
    await expect(cache.prepare("write", 2 * CHUNK, CHUNK)).rejects.toMatchObject({ kind: "no-space" });
    faults.commit = undefined;
    await cache.prepare("write", 2 * CHUNK, CHUNK);
    expect(cache.tryWrite(2 * CHUNK, vectorOf(bytes(CHUNK, 3)))).toBe(true);
    expect((await read(cache, 0, 1))[0]).toBe(1);
  });

  it("never holds more than cacheBytes, and still serves every request", async () => {
    const { cache, scheduler } = await setUp({ cacheBytes: 8 * CHUNK, dirtyBytes: 4 * CHUNK });
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      await write(cache, chunk * CHUNK, bytes(CHUNK, chunk + 1));
      expect(cache.counters().residentBytes).toBeLessThanOrEqual(8 * CHUNK);
      await scheduler.advance(1);
    }
    for (let chunk = CHUNKS - 1; chunk >= 0; chunk--) {
      expect((await read(cache, chunk * CHUNK, CHUNK))[0]).toBe(chunk + 1);
      expect(cache.counters().residentBytes).toBeLessThanOrEqual(8 * CHUNK);
      await scheduler.advance(1);
    }
  });

  it("keeps what prepare loaded until the caller had its turn, however many ask at once", async () => {
    const all = Array.from({ length: CHUNKS }, (_, chunk) => chunk);
    const { cache, scheduler } = await setUp({ cacheBytes: 8 * CHUNK, dirtyBytes: 4 * CHUNK }, all);
    let retries = 0;
    const readers = all.map(async chunk => {
      const guest = vectorOf(bytes(CHUNK, 0));
      await cache.prepare("read", chunk * CHUNK, CHUNK);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      if (!cache.tryRead(chunk * CHUNK, guest)) retries += 1;
      expect(cache.counters().residentBytes).toBeLessThanOrEqual(8 * CHUNK);
    });
    for (let turn = 0; turn < CHUNKS; turn++) await scheduler.advance(1);
    await Promise.all(readers);
    expect(retries).toBe(0);
  });

  it("refuses a write that could never fit, instead of letting it wait for ever", async () => {
    const { cache } = await setUp({ dirtyBytes: 2 * CHUNK });
    expect(() => cache.tryWrite(0, vectorOf(bytes(3 * CHUNK, 1)))).toThrow(RangeError);
    await expect(cache.prepare("read", 0, 15 * CHUNK)).rejects.toThrow(RangeError);
  });
});

describe("zeroing", () => {
  it("drops whole chunks from storage and zeroes the parts", async () => {
    const { cache, store } = await setUp({}, [1, 2, 3, 4]);
    await zero(cache, 1.5 * CHUNK, 2 * CHUNK);
    expect(cache.allocatedBytes).toBe(3 * CHUNK);
    await cache.flush();
    expect([...store.keys()].sort()).toEqual([1, 3, 4]);
    expect([
      store.get(1)?.[0],
      store.get(1)?.[CHUNK / 2],
      store.get(3)?.[0],
      store.get(3)?.[CHUNK / 2],
    ]).toEqual([2, 0, 0, 4]);
  });

  it("zeroes the whole disk at once, whatever the cache holds", async () => {
    const all = Array.from({ length: CHUNKS }, (_, chunk) => chunk);
    const { cache, store } = await setUp({}, all);
    await read(cache, 0, 4 * CHUNK);
    expect(cache.tryZero(0, CHUNKS * CHUNK)).toBe(true);
    expect(cache.counters()).toMatchObject({ allocatedBytes: 0, residentBytes: 0 });
    expect(await read(cache, 0, CHUNK)).toEqual(bytes(CHUNK, 0));
    await cache.flush();
    expect(store.size).toBe(0);
  });

  it("prepares the ends of a range that is larger than the cache", async () => {
    const all = Array.from({ length: CHUNKS }, (_, chunk) => chunk);
    const { cache, reads } = await setUp({}, all);
    await zero(cache, CHUNK / 2, (CHUNKS - 1) * CHUNK);
    expect(reads).toEqual([[0, CHUNKS - 1]]);
    expect(cache.allocatedBytes).toBe(2 * CHUNK);
  });

  it("does not bother the backend about data it never saw", async () => {
    const { cache, commits } = await setUp();
    await write(cache, 0, bytes(CHUNK, 1));
    await zero(cache, 0, CHUNK);
    await cache.flush();
    expect(commits).toEqual([]);
    expect(cache.counters()).toMatchObject({ dirtyBytes: 0, allocatedBytes: 0 });
  });

  it("a flush that waits for a chunk ends though the chunk is dropped meanwhile", async () => {
    const { cache, faults, store } = await setUp();
    const slow = gate();
    faults.commit = () => slow.opened;
    await write(cache, 0, bytes(CHUNK, 1));
    const first = cache.flush();
    await write(cache, CHUNK, bytes(CHUNK, 1));
    const second = cache.flush();
    expect(cache.tryZero(0, 2 * CHUNK)).toBe(true);
    slow.open();
    await Promise.all([first, second]);
    await cache.flush();
    expect(store.size).toBe(0);
  });
});

describe("durability", () => {
  it("flush resolves only when the data is in the backend", async () => {
    const { cache, store, faults } = await setUp();
    const slow = gate();
    faults.commit = () => slow.opened;
    await write(cache, 0, bytes(10, 1));
    const flush = cache.flush();
    expect(await isPending(flush)).toBe(true);
    expect(cache.pendingFlushes).toBe(1);
    slow.open();
    await flush;
    expect(store.get(0)?.[9]).toBe(1);
    expect(cache.counters()).toMatchObject({ pendingFlushes: 0, dirtyBytes: 0, commits: 1 });
  });

  it("flush waits for a commit that was under way already", async () => {
    const { cache, store, faults } = await setUp({ writeBackBytes: CHUNK });
    const slow = gate();
    faults.commit = () => slow.opened;
    await write(cache, 0, bytes(CHUNK, 1)); // starts a commit in the background
    const flush = cache.flush();
    expect(await isPending(flush)).toBe(true);
    slow.open();
    await flush;
    expect(store.has(0)).toBe(true);
  });

  it("a chunk that changes during its commit is committed again for a later flush", async () => {
    const { cache, store, faults, commits } = await setUp();
    const slow = gate();
    faults.commit = () => slow.opened;
    await write(cache, 0, bytes(CHUNK, 1));
    const first = cache.flush();
    await write(cache, 0, bytes(CHUNK, 2));
    const second = cache.flush();
    slow.open();
    await first;
    await second;
    expect(store.get(0)).toEqual(bytes(CHUNK, 2));
    expect(commits).toEqual([[0], [0]]);
  });

  it("keeps a chunk in memory while its commit is under way", async () => {
    const all = Array.from({ length: CHUNKS }, (_, chunk) => chunk);
    const { cache, faults, scheduler } = await setUp({ cacheBytes: 8 * CHUNK, dirtyBytes: 4 * CHUNK }, all);
    faults.commit = hang;
    await write(cache, 0, bytes(CHUNK, 99));
    const flush = cache.flush();
    flush.catch(() => {});
    for (let chunk = CHUNKS - 1; chunk > 20; chunk -= 2) {
      await read(cache, chunk * CHUNK, CHUNK);
      await scheduler.advance(0);
    }
    const guest = bytes(1, 0);
    expect(cache.tryRead(0, vectorOf(guest))).toBe(true);
    expect(guest[0]).toBe(99);
  });

  it("concurrent flushes share their commits", async () => {
    const { cache, commits } = await setUp();
    await write(cache, 0, bytes(CHUNK, 1));
    await Promise.all([cache.flush(), cache.flush(), cache.flush()]);
    expect(commits).toEqual([[0]]);
    expect(cache.counters().flushesCoalesced).toBe(2);
  });

  it("flushRange commits its own range and leaves the rest", async () => {
    const { cache, commits } = await setUp();
    await write(cache, 0, bytes(6 * CHUNK, 1).subarray(0, 4 * CHUNK));
    await cache.flushRange(2 * CHUNK, 1);
    expect(commits).toEqual([[2]]);
    expect(cache.counters().dirtyBytes).toBe(3 * CHUNK);
  });

  it("commits in batches of 4 MiB", async () => {
    const big = 1024 * 1024;
    const batches: number[] = [];
    const backend = new FaultBackend(new MemoryBackend(big, 16), {
      commit: changes => void batches.push(changes.length),
    });
    const cache = await BlockCache.open(backend, { cacheBytes: 64 * big, writeBackBytes: 16 * big });
    for (let chunk = 0; chunk < 10; chunk++) await write(cache, chunk * big, bytes(big, 1));
    await cache.flush();
    expect(batches).toEqual([4, 4, 2]);
    await cache.close();
  });

  it("commits by itself when a threshold is passed", async () => {
    const { cache, commits } = await setUp({ dirtyBytes: 8 * CHUNK, writeBackBytes: 3 * CHUNK });
    await write(cache, 0, bytes(2 * CHUNK, 1));
    await settle();
    expect(commits).toEqual([]);
    await write(cache, 2 * CHUNK, bytes(CHUNK, 1));
    await settle();
    expect(commits).toEqual([[0, 1, 2]]);
  });

  it("commits by itself after about a second without writes, and not while they go on", async () => {
    const { cache, commits, scheduler } = await setUp();
    await write(cache, 0, bytes(8, 1));
    await scheduler.advance(900);
    await write(cache, 8, bytes(8, 1));
    await scheduler.advance(900);
    expect(commits).toEqual([]);
    await scheduler.advance(200);
    expect(commits).toEqual([[0]]);
  });

  it("commits what is rewritten all the time before it is 30 s old", async () => {
    const { cache, commits, scheduler } = await setUp();
    for (let tenths = 0; tenths < 300; tenths++) {
      await write(cache, 0, bytes(8, tenths));
      await scheduler.advance(100);
    }
    expect(commits).toEqual([[0]]);
  });

  it("a failed flush says why, keeps the data, and the next flush saves it", async () => {
    const { cache, store, faults } = await setUp();
    faults.commit = full;
    await write(cache, 0, bytes(CHUNK, 1));
    await expect(cache.flush()).rejects.toMatchObject({ name: "StorageError", kind: "no-space" });
    expect(cache.counters()).toMatchObject({ dirtyBytes: CHUNK, commitFailures: 1 });
    expect((await read(cache, 0, 1))[0]).toBe(1);
    faults.commit = undefined;
    await cache.flush();
    expect(store.get(0)).toEqual(bytes(CHUNK, 1));
  });

  it("a removal that could not be committed is not forgotten", async () => {
    const { cache, store, faults } = await setUp({}, [3]);
    faults.commit = full;
    await zero(cache, 3 * CHUNK, CHUNK);
    await expect(cache.flush()).rejects.toThrow("full");
    expect((await read(cache, 3 * CHUNK, 1))[0]).toBe(0);
    faults.commit = undefined;
    await cache.flush();
    expect(store.size).toBe(0);
  });

  it("when storage is full, removals go first and alone, and so make the room that the rest needs", async () => {
    const { cache, store, faults, commits } = await setUp({}, [10, 11]);
    const failures: (string | undefined)[] = [];
    // Room for two chunks, as a browser counts it: a transaction without data is let through.
    faults.commit = changes => {
      failures.push(cache.failure?.kind);
      const added = changes.filter(({ chunk, data }) => data && !store.has(chunk)).length;
      return added > 0 && store.size + added > 2 ? full() : undefined;
    };
    await write(cache, 0, bytes(CHUNK, 1));
    await expect(cache.flush()).rejects.toMatchObject({ kind: "no-space" });
    await zero(cache, 10 * CHUNK, CHUNK);
    await write(cache, CHUNK, bytes(10, 2));
    await expect(cache.flush()).rejects.toMatchObject({ kind: "no-space" }); // two chunks, and room for one
    expect(commits).toEqual([[0], [10], [0, 1]]);
    expect(failures).toEqual([undefined, "no-space", "no-space"]); // the removal alone proves nothing
    expect([...store.keys()]).toEqual([11]);
    await zero(cache, 11 * CHUNK, CHUNK);
    await cache.flush();
    expect([...store.keys()].sort()).toEqual([0, 1]);
    expect(cache.failure).toBeUndefined();
    expect(cache.counters().dirtyBytes).toBe(0);
  });

  it("refuses everything once it is abandoned, and saves nothing more", async () => {
    const { cache, store, scheduler, faults } = await setUp();
    const { opened, open } = gate();
    faults.commit = () => opened;
    await write(cache, 0, bytes(CHUNK, 1));
    const flush = cache.flush();
    await write(cache, CHUNK, bytes(CHUNK, 2));
    cache.abandon(new StorageError("unavailable", "taken"));
    await expect(flush).rejects.toThrow("taken");
    await expect(cache.flush()).rejects.toThrow("taken");
    await expect(cache.prepare("write", 0, 1)).rejects.toThrow("taken");
    expect(cache.tryWrite(0, vectorOf(bytes(CHUNK, 3)))).toBe(false);
    open();
    await scheduler.advance(60_000);
    expect(store.has(1)).toBe(false);
    await cache.close();
  });

  it("a failed background commit is retried by itself, and a flush meanwhile reports it", async () => {
    const { cache, store, faults, scheduler, commits } = await setUp();
    faults.commit = full;
    await write(cache, 0, bytes(CHUNK, 1));
    await scheduler.advance(1000);
    expect(commits.length).toBe(1);
    await expect(cache.flush()).rejects.toThrow("full");
    faults.commit = undefined;
    await scheduler.advance(1000);
    expect(store.get(0)).toEqual(bytes(CHUNK, 1));
    await cache.flush();
  });

  it("flush gives up on a backend that never answers; the data is not lost when it does after all", async () => {
    const { cache, store, faults, scheduler } = await setUp({ timeoutMs: 500 });
    const slow = gate();
    faults.commit = () => slow.opened;
    await write(cache, 0, bytes(CHUNK, 1));
    const lost = cache.flush();
    lost.catch(() => {});
    await scheduler.advance(500);
    await expect(lost).rejects.toMatchObject({ kind: "io" });
    await write(cache, 0, bytes(CHUNK, 2));
    await expect(cache.flush()).rejects.toMatchObject({ kind: "io" });
    slow.open();
    await settle();
    await cache.flush();
    expect(store.get(0)).toEqual(bytes(CHUNK, 2));
  });

  it("close flushes, and nothing works afterwards", async () => {
    const { cache, store } = await setUp();
    await write(cache, 0, bytes(CHUNK, 1));
    await cache.close();
    expect(store.has(0)).toBe(true);
    expect(cache.tryRead(0, vectorOf(bytes(1, 0)))).toBe(false);
    expect(cache.tryWrite(0, vectorOf(bytes(1, 0)))).toBe(false);
    expect(cache.tryZero(0, CHUNK)).toBe(false);
    for (const call of [cache.prepare("read", 0, 1), cache.flush(), cache.flushRange(0, 1)]) {
      await expect(call).rejects.toMatchObject({ kind: "unavailable" });
    }
  });

  it("a commit that answers only after close starts nothing new", async () => {
    const { cache, faults, scheduler, commits } = await setUp({ timeoutMs: 500 });
    let fail = () => {};
    faults.commit = () =>
      new Promise((_, reject) => {
        fail = () => reject(new Error("too late"));
      });
    await write(cache, 0, bytes(CHUNK, 1));
    const closed = cache.close();
    closed.catch(() => {});
    await scheduler.advance(500);
    await expect(closed).rejects.toMatchObject({ kind: "io" });
    fail();
    await scheduler.advance(10_000);
    expect(commits).toEqual([[0]]);
  });

  it("close reports data that could not be saved", async () => {
    const { cache, faults } = await setUp();
    faults.commit = full;
    await write(cache, 0, bytes(CHUNK, 1));
    await expect(cache.close()).rejects.toMatchObject({ kind: "no-space" });
  });
});

describe("on storage that is read directly", () => {
  const direct = async (fails = () => false) => {
    const store: MemoryStore = new Map([5, 6, 7].map(chunk => [chunk, bytes(CHUNK, chunk)]));
    const passed: [number, number, number][] = [];
    const readInto = (chunk: number, within: number, target: Uint8Array) => {
      passed.push([chunk, within, target.length]);
      if (fails()) throw new StorageError("io", "injected");
      target.set((store.get(chunk) as Uint8Array).subarray(within, within + target.length));
    };
    const backend = Object.assign(new MemoryBackend(CHUNK, CHUNKS, store), {
      direct: { leastBytes: 1024, readInto },
    });
    const scheduler = new ManualScheduler();
    return { cache: await BlockCache.open(backend, { cacheBytes: 16 * CHUNK, scheduler }), passed };
  };

  it("a first read of a chunk goes past the cache, the next one brings it in", async () => {
    const { cache, passed } = await direct();
    const guest = new Uint8Array(2 * CHUNK);
    expect(cache.tryRead(5 * CHUNK + 512, vectorOf(guest))).toBe(true);
    expect(guest).toEqual(
      Uint8Array.from({ length: 2 * CHUNK }, (_, i) => 5 + Math.floor((i + 512) / CHUNK)),
    );
    expect(passed).toEqual([
      [5, 512, CHUNK - 512],
      [6, 0, CHUNK],
      [7, 0, 512],
    ]);
    expect(cache.counters()).toMatchObject({ residentBytes: 0, hits: 1, misses: 0 });
    // The end of chunk 7 is still to come: a reader in order has not been there twice.
    expect(cache.tryRead(7 * CHUNK + 512, vectorOf(new Uint8Array(CHUNK - 512)))).toBe(true);
    expect(cache.tryRead(7 * CHUNK, vectorOf(new Uint8Array(CHUNK)))).toBe(false);
    expect(await read(cache, 7 * CHUNK, CHUNK)).toEqual(bytes(CHUNK, 7));
    expect(cache.counters().residentBytes).toBe(CHUNK);
    expect(passed).toHaveLength(4);
  });

  it("short reads, and those into many pieces, bring chunks in", async () => {
    const { cache, passed } = await direct();
    expect(cache.tryRead(5 * CHUNK, vectorOf(new Uint8Array(512)))).toBe(false);
    expect(cache.tryRead(5 * CHUNK, vectorOf(new Uint8Array(2048), [512, 512, 512]))).toBe(false);
    expect(await read(cache, 5 * CHUNK, 512)).toEqual(bytes(512, 5));
    expect(passed).toEqual([]);
  });

  it("what is dropped is read all the same: not past the cache, where nobody would ask storage", async () => {
    const { cache, passed } = await direct();
    const dropped = vectorOf(new Uint8Array(0), []);
    dropped.addDiscard(CHUNK);
    expect(cache.tryRead(5 * CHUNK, dropped)).toBe(false);
    await cache.prepare("read", 5 * CHUNK, CHUNK);
    expect(cache.tryRead(5 * CHUNK, dropped)).toBe(true);
    expect(passed).toEqual([]);
    expect(cache.counters().residentBytes).toBe(CHUNK);
  });

  it("a failed read is tried again through memory", async () => {
    const { cache, passed } = await direct(() => true);
    expect(await read(cache, 5 * CHUNK, CHUNK)).toEqual(bytes(CHUNK, 5));
    expect(passed).toEqual([[5, 0, CHUNK]]);
    expect(cache.counters()).toMatchObject({ residentBytes: CHUNK, misses: 1 });
  });

  it("what was written whole and is durable gives its memory back; what was read since stays", async () => {
    const { cache, passed } = await direct();
    await write(cache, 10 * CHUNK, bytes(2 * CHUNK, 9));
    await write(cache, 12 * CHUNK + 1, bytes(CHUNK - 1, 9));
    await read(cache, 11 * CHUNK, 1);
    await cache.flush();
    expect(cache.counters()).toMatchObject({ residentBytes: 2 * CHUNK, dirtyBytes: 0 });
    expect(await read(cache, 10 * CHUNK, CHUNK)).toEqual(bytes(CHUNK, 9));
    expect(passed).toEqual([[10, 0, CHUNK]]);
  });

  it("what is written while it is committed stays in memory", async () => {
    const { cache } = await direct();
    await write(cache, 10 * CHUNK, bytes(CHUNK, 1));
    const flush = cache.flush();
    await write(cache, 10 * CHUNK, bytes(CHUNK, 2));
    await flush;
    expect(await read(cache, 10 * CHUNK, CHUNK)).toEqual(bytes(CHUNK, 2));
    expect(cache.counters()).toMatchObject({ residentBytes: CHUNK, dirtyBytes: CHUNK });
  });
});
