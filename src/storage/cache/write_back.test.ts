/** When the cache commits by itself. What it promises about durability is tested in block_cache.test.ts. */
import { describe, expect, it } from "vitest";
import { FaultBackend } from "../fault_backend.ts";
import { MemoryBackend, type MemoryStore } from "../memory_backend.ts";
import { ManualScheduler, read, settle, write } from "../testing/test_support.ts";
import { BlockCache, type BlockCacheOptions } from "./block_cache.ts";

const MiB = 1024 * 1024;
const SECOND = 1000;

interface Setup {
  readonly cache: BlockCache;
  readonly store: MemoryStore;
  readonly scheduler: ManualScheduler;
  /** MiB of each commit, in order. */
  readonly commits: number[];
}

/** A cache of 1 MiB chunks over a backend that takes `commitMs()` for each commit. */
async function setUp(commitMs: () => number, options: BlockCacheOptions): Promise<Setup> {
  const store: MemoryStore = new Map();
  const scheduler = new ManualScheduler();
  const commits: number[] = [];
  const backend = new FaultBackend(new MemoryBackend(MiB, 512, store), {
    commit: changes => {
      commits.push(changes.length);
      return new Promise(resolve => scheduler.after(commitMs(), resolve));
    },
  });
  return { cache: await BlockCache.open(backend, { ...options, scheduler }), store, scheduler, commits };
}

const filled = (value: number, mib = 1) => new Uint8Array(mib * MiB).fill(value);

describe("rewriting one region for long", () => {
  it("costs few commits, small ones, and none of them later than the age limit", async () => {
    const { cache, store, scheduler, commits } = await setUp(() => 10, { cacheBytes: 64 * MiB });
    const data = filled(0, 8);
    for (let second = 0; second < 121; second++) {
      data.fill(second);
      await write(cache, 0, data);
      for (let ms = 0; ms < SECOND; ms += 8) {
        await scheduler.advance(8);
        await write(cache, 0, data.subarray(0, 512));
      }
      for (let chunk = 0; chunk < 8 && second > 30; chunk++) {
        expect(second - (store.get(chunk)?.[1000] ?? -1)).toBeLessThanOrEqual(30);
      }
    }
    expect(new Set(commits)).toEqual(new Set([1])); // 1 MiB each: the guest was active
    expect(commits.length).toBeLessThanOrEqual(6 * 8); // every 20 s at most
  });

  it("waits for the threshold, and beyond it commits whatever the guest does", async () => {
    const { cache, scheduler, commits } = await setUp(() => 10, {
      cacheBytes: 64 * MiB,
      writeBackBytes: 16 * MiB,
    });
    await write(cache, 0, filled(1, 15));
    await scheduler.advance(500);
    expect(commits).toEqual([]);
    await write(cache, 15 * MiB, filled(1));
    await settle();
    expect(commits).toEqual([4]);
  });

  it("commits faster when the pace would not meet the age limit", async () => {
    const { cache, store, scheduler, commits } = await setUp(() => 1500, { cacheBytes: 64 * MiB });
    const data = filled(1, 24);
    await write(cache, 0, data);
    for (let tenth = 0; tenth < 450; tenth++) {
      await write(cache, 0, data.subarray(0, 512));
      await scheduler.advance(SECOND / 10);
    }
    expect(commits[0]).toBe(1);
    expect(commits).toContain(4);
    expect(store.size).toBe(24);
  });
});

describe("an idle guest", () => {
  it("has everything committed after a second or two, in full commits", async () => {
    const { cache, scheduler, commits } = await setUp(() => 10, { cacheBytes: 64 * MiB });
    await write(cache, 0, filled(1, 10));
    await scheduler.advance(2 * SECOND + 30);
    expect(commits).toEqual([4, 4, 2]);
  });

  it("that begins to read has it committed in small steps with pauses", async () => {
    const { cache, scheduler, commits } = await setUp(() => 10, { cacheBytes: 64 * MiB });
    await write(cache, 0, filled(1, 20));
    for (let ms = 0; ms < 2300; ms++) {
      await read(cache, 0, 512);
      await scheduler.advance(1);
    }
    expect(new Set(commits)).toEqual(new Set([1]));
    expect(commits.length).toBeGreaterThan(300 / 30);
    expect(commits.length).toBeLessThan(300 / 20);
    await scheduler.advance(SECOND);
    expect(cache.counters().dirtyBytes).toBe(0);
  });

  it("that begins to write again is left alone", async () => {
    const { cache, scheduler, commits } = await setUp(() => 10, { cacheBytes: 64 * MiB });
    await write(cache, 0, filled(1, 20));
    await scheduler.advance(2 * SECOND);
    expect(commits).toEqual([4]);
    for (let tenth = 0; tenth < 100; tenth++) {
      await write(cache, 0, filled(tenth));
      await scheduler.advance(SECOND / 10);
    }
    expect(commits).toEqual([4]);
  });
});

describe("sustained writing beyond the limit", () => {
  it("is slowed to the speed of storage, request by request, with bounded memory", async () => {
    const { cache, scheduler } = await setUp(() => 40, { cacheBytes: 64 * MiB, dirtyBytes: 32 * MiB });
    const waits: number[] = [];
    const data = filled(1);
    const flushed: Promise<void>[] = [];
    let done = false;
    const writer = (async () => {
      for (let mib = 0; mib < 300; mib++) {
        const start = scheduler.now();
        await write(cache, mib * MiB, data);
        waits.push(scheduler.now() - start);
        if (mib % 100 === 50) flushed.push(cache.flush());
        expect(cache.counters().dirtyBytes).toBeLessThanOrEqual(32 * MiB);
        expect(cache.counters().residentBytes).toBeLessThanOrEqual(64 * MiB);
      }
      done = true;
    })();
    while (!done) await scheduler.advance(1);
    await writer;
    expect(Math.max(...waits)).toBeLessThanOrEqual(3 * 40);
    expect(waits.reduce((sum, wait) => sum + wait, 0)).toBeGreaterThan(((300 - 32) / 4) * 40 * 0.9);
    await scheduler.advance(SECOND);
    await Promise.all(flushed);
  });

  it("flushes in the midst of it: what was written before is durable", async () => {
    const { cache, store, scheduler } = await setUp(() => 40, {
      cacheBytes: 64 * MiB,
      dirtyBytes: 32 * MiB,
    });
    let flushes = 0;
    let round = 0;
    const data = filled(0);
    const writer = (async () => {
      for (round = 1; round <= 4; round++) {
        for (let mib = 0; mib < 48; mib++) {
          data.fill(round);
          await write(cache, mib * MiB, data);
          if (mib !== 20) continue;
          const written = round;
          cache.flush().then(() => {
            for (let chunk = 0; chunk <= 20; chunk++)
              expect(store.get(chunk)?.[0]).toBeGreaterThanOrEqual(written);
            flushes += 1;
          });
        }
      }
    })();
    while (round <= 4) await scheduler.advance(1);
    await writer;
    await scheduler.advance(5 * SECOND);
    expect(flushes).toBe(4);
  });

  it("on slow storage may not pile up more than 64 MiB, and never stalls for long", async () => {
    const options = { cacheBytes: 256 * MiB, dirtyBytes: 192 * MiB };
    let commitMs = 20;
    const { cache, scheduler } = await setUp(() => commitMs, options);
    const data = filled(1);
    let longest = 0;
    let most = 0;
    const writeAll = async (from: number, to: number) => {
      let done = false;
      const writer = (async () => {
        for (let mib = from; mib < to; mib++) {
          const start = scheduler.now();
          await write(cache, mib * MiB, data);
          longest = Math.max(longest, scheduler.now() - start);
          most = Math.max(most, cache.counters().dirtyBytes / MiB);
        }
        done = true;
      })();
      while (!done) await scheduler.advance(commitMs / 2);
      await writer;
    };
    await writeAll(0, 400);
    expect(most).toBeGreaterThan(150); // 200 MB/s: the limit has grown
    expect(longest).toBeLessThanOrEqual(3 * commitMs);
    commitMs = 1000;
    longest = 0;
    await writeAll(0, 400);
    expect(longest).toBeLessThanOrEqual(3 * commitMs);
    most = 0;
    await writeAll(400, 450);
    expect(most).toBeLessThanOrEqual(64);
  });
});
