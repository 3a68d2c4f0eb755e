/**
 * The worker behind measure.mjs: times the storage stack as the I/O worker uses it, on disks of its own that it
 * deletes afterwards. Takes the chunk size in bytes as its one message, answers with Figures.
 */

import type { BlockDevice } from "../block_device.ts";
import { BlockCache } from "../cache/block_cache.ts";
import { Disk, wipeDisk } from "../disks/disk.ts";
import { seedDisk } from "../disks/seed.ts";
import { IndexedDbBackend } from "../indexeddb/indexeddb_backend.ts";
import {
  fillGuest,
  guest,
  KiB,
  MiB,
  quantile,
  read,
  readAll,
  throughput,
  times,
  write,
} from "./measure_io.ts";

const NAME = "measure";

export interface Figures {
  /** Milliseconds to seed 32 MiB without holes, until durable; median of 5. */
  readonly seed32MiBMs: number;
  /** Milliseconds from flush() of one 4 KiB write to its answer; of 100. */
  readonly flushMedianMs: number;
  readonly flushP95Ms: number;
  /** The same above a backend that has no journal. */
  readonly flushWholeMedianMs: number;
  readonly flushWholeP95Ms: number;
  /** The same, with the writes one after the other, as a journal in a file system makes them; of 200. */
  readonly appendFlushMedianMs: number;
  readonly appendFlushP95Ms: number;
  /** Milliseconds for a commit of so many journal blocks of one chunk, and of the whole chunk; medians of 60. */
  readonly commit1BlockMs: number;
  readonly commit4BlocksMs: number;
  readonly commit16BlocksMs: number;
  readonly commit32BlocksMs: number;
  readonly commitChunkMs: number;
  /** Milliseconds to open a disk of which 128 chunks wait in the journal. */
  readonly openAfterCrashMs: number;
  /** MB/s (10⁶) of 256 MiB read in order, block cache empty. */
  readonly coldRead1MiB: number;
  readonly coldRead4KiB: number;
  /** Milliseconds for one 4 KiB read of a chunk that is not in memory; median of 100. */
  readonly coldRandom4KiBMs: number;
  /** MB/s of 512 MiB written in 1 MiB requests, the final flush included. */
  readonly write1MiB: number;
  /** Longest time that one of those requests waited, ms. */
  readonly writeLongestMs: number;
  /** Longest time that other tasks of the thread wait during a commit of 4 MiB, in ms; median of 20. */
  readonly commitBlocksMs: number;
  /** MB/s of 1 MiB reads, and µs for a 4 KiB read, of what is in memory. */
  readonly hitRead1MiB: number;
  readonly hitRead4KiBUs: number;
}

addEventListener("message", async ({ data }: MessageEvent<number>) => {
  try {
    postMessage(await measure(data));
  } catch (error) {
    reportError(error); // reaches the page's worker.onerror; a rejection would reach nobody
  }
});

async function measure(chunkBytes: number): Promise<Figures> {
  fillGuest();
  const seedTimes: number[] = [];
  for (let run = 0; run < 5; run++) seedTimes.push(await seeding(chunkBytes));

  let disk = await openDisk(chunkBytes);
  let longest = 0;
  const write1MiB = await throughput(512, async () => {
    for (let at = 0; at < 512 * MiB; at += MiB) {
      const start = performance.now();
      await write(disk.cache, at, MiB);
      longest = Math.max(longest, performance.now() - start);
    }
    await disk.cache.flush();
  });
  const flushes = await flushing(disk.cache, 100, 3 * MiB);
  disk = await reopen(disk, chunkBytes);
  const appends = await flushing(disk.cache, 200, 4 * KiB);
  await disk.close();
  const wholeFlushes = await flushingWholeChunks();
  disk = await openDisk(chunkBytes);
  const coldRead1MiB = await throughput(256, () => readAll(disk.cache, 256 * MiB, MiB));
  const hitRead1MiB = await throughput(160, () => readAll(disk.cache, 160 * MiB, MiB));
  const hits = 40_000;
  const start = performance.now();
  await readAll(disk.cache, hits * 4 * KiB, 4 * KiB);
  const hitRead4KiBUs = ((performance.now() - start) * 1000) / hits;
  disk = await reopen(disk, chunkBytes);
  const coldRead4KiB = await throughput(256, () => readAll(disk.cache, 256 * MiB, 4 * KiB));
  disk = await reopen(disk, chunkBytes);
  const random = await times(100, async i => {
    const before = performance.now();
    await read(disk.cache, ((i * 37) % 128) * 4 * MiB, 4 * KiB);
    return performance.now() - before;
  });
  await disk.close();
  const blocks = await commitBlocks();
  const small = await smallCommits();
  await wipeDisk(NAME);
  return {
    seed32MiBMs: quantile(seedTimes, 0.5),
    flushMedianMs: quantile(flushes, 0.5),
    flushP95Ms: quantile(flushes, 0.95),
    flushWholeMedianMs: quantile(wholeFlushes, 0.5),
    flushWholeP95Ms: quantile(wholeFlushes, 0.95),
    appendFlushMedianMs: quantile(appends, 0.5),
    appendFlushP95Ms: quantile(appends, 0.95),
    ...small,
    coldRead1MiB,
    coldRead4KiB,
    coldRandom4KiBMs: quantile(random, 0.5),
    write1MiB,
    writeLongestMs: longest,
    commitBlocksMs: quantile(blocks, 0.5),
    hitRead1MiB,
    hitRead4KiBUs,
  };
}

/** Writes 4 KiB every `stride` bytes, flushes each time, and says how long each flush took. */
function flushing(device: BlockDevice, count: number, stride: number): Promise<number[]> {
  return times(count, async i => {
    await write(device, i * stride, 4 * KiB);
    const start = performance.now();
    await device.flush();
    return performance.now() - start;
  });
}

async function flushingWholeChunks(): Promise<number[]> {
  const backend = await IndexedDbBackend.open(NAME);
  const { chunkBytes, chunkCount } = backend;
  const cache = await BlockCache.open({
    chunkBytes,
    chunkCount,
    list: () => backend.list(),
    read: chunks => backend.read(chunks),
    commit: changes => backend.commit(changes),
    close: () => backend.close(),
  });
  const results = await flushing(cache, 100, 3 * MiB);
  await cache.close();
  return results;
}

async function commitBlocks(): Promise<number[]> {
  const backend = await IndexedDbBackend.open(NAME);
  const count = (4 * MiB) / backend.chunkBytes;
  const changes = Array.from({ length: count }, (_, chunk) => ({
    chunk,
    data: new Uint8Array(guest.subarray(0, backend.chunkBytes)),
  }));
  const results = await times(20, async () => {
    const ticker = new MessageChannel();
    let last = performance.now();
    let longest = 0;
    ticker.port1.onmessage = () => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
      ticker.port2.postMessage(0);
    };
    ticker.port2.postMessage(0);
    await backend.commit(changes);
    ticker.port1.close();
    return longest;
  });
  await backend.close();
  return results;
}

async function smallCommits() {
  const backend = await IndexedDbBackend.open(NAME);
  const data = new Uint8Array(guest.subarray(0, backend.chunkBytes));
  const counts = [1, 4, 16, 32, 0];
  const results = counts.map((): number[] => []);
  for (let round = 0; round < 60; round++) {
    for (const [i, count] of counts.entries()) {
      const blocks = count > 0 ? Array.from({ length: count }, (_, block) => block) : undefined;
      const start = performance.now();
      await backend.commit([{ chunk: 100 + i + (round % 10) * 8, data, blocks }]);
      results[i].push(performance.now() - start);
    }
  }
  for (let chunk = 0; chunk < 128; chunk++) {
    await backend.commit([{ chunk, data, blocks: [chunk % (backend.chunkBytes / (4 * KiB))] }]);
  }
  await backend.close();
  const start = performance.now();
  await (await IndexedDbBackend.open(NAME)).close();
  const openAfterCrashMs = performance.now() - start;
  const [commit1BlockMs, commit4BlocksMs, commit16BlocksMs, commit32BlocksMs, commitChunkMs] = results.map(
    values => quantile(values, 0.5),
  );
  return {
    commit1BlockMs,
    commit4BlocksMs,
    commit16BlocksMs,
    commit32BlocksMs,
    commitChunkMs,
    openAfterCrashMs,
  };
}

async function seeding(chunkBytes: number): Promise<number> {
  const image = new Uint8Array(32 * MiB);
  for (let at = 0; at < image.length; at += MiB) image.set(guest, at);
  const disk = await openDisk(chunkBytes);
  const start = performance.now();
  await seedDisk(disk, image, "measure");
  const elapsed = performance.now() - start;
  await disk.close();
  await wipeDisk(NAME);
  return elapsed;
}

function openDisk(chunkBytes: number): Promise<Disk> {
  return Disk.open(NAME, { create: { capacityBytes: 1024 * MiB, chunkBytes } });
}

async function reopen(disk: Disk, chunkBytes: number): Promise<Disk> {
  await disk.close();
  return openDisk(chunkBytes);
}
