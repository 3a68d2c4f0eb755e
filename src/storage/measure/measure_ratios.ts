/**
 * The worker behind `npm run bench -- storage`: one run of the storage stack (BlockCache on a backend) against loops over
 * the same bare storage with the same chunks. Takes a RatioRequest as its one message, answers with a RatioRun.
 */
import type { BlockBackend } from "../block_backend.ts";
import { BlockCache } from "../cache/block_cache.ts";
import { DEFAULT_CHUNK_BYTES as CHUNK } from "../disk_store.ts";
import { IndexedDbBackend } from "../indexeddb/indexeddb_backend.ts";
import { deleteDatabase } from "../indexeddb/indexeddb_database.ts";
import { OpfsBackend } from "../opfs/opfs_backend.ts";
import { deleteOpfsDisk } from "../opfs/opfs_files.ts";
import { type BareStorage, bareFile, bareIndexedDb, copySpeed } from "./measure_bare.ts";
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

export interface RatioRequest {
  readonly storage: "IndexedDB" | "OPFS";
  /** MiB that are written and read. */
  readonly mebibytes: number;
  /** Which goes first; to be changed from run to run. */
  readonly bareFirst: boolean;
}

/** Of the stack and of the bare loop. */
export interface Pair {
  readonly stack: number;
  readonly bare: number;
}

export interface RatioRun {
  /** MB/s of 1 MiB requests until all is durable; bare: strict transactions, or flushed writes, of 4 MiB. */
  readonly write: Pair;
  /** MB/s of 1 MiB requests in order, block cache empty; bare: four chunks outstanding. */
  readonly coldRead: Pair;
  /** Milliseconds of a 4 KiB read at random, block cache empty; bare: one chunk. Medians of 100. */
  readonly randomRead: Pair;
  /** GB/s of 1 MiB requests of what is in memory; bare: copying as much out of as many chunks. */
  readonly warmRead: Pair;
}

const NAME = "bench-storage";
const PER_REQUEST = MiB / CHUNK;
const PER_COMMIT = (4 * MiB) / CHUNK;

addEventListener("message", async ({ data }: MessageEvent<RatioRequest>) => {
  postMessage(await measure(data));
});

async function measure({ storage, mebibytes, bareFirst }: RatioRequest): Promise<RatioRun> {
  fillGuest();
  const create = { capacityBytes: mebibytes * MiB };
  const isOpfs = storage === "OPFS";
  const open = (): Promise<BlockBackend> =>
    isOpfs ? OpfsBackend.open(NAME, create) : IndexedDbBackend.open(NAME, create);
  const bare = isOpfs ? await bareFile(`${NAME}-bare`, CHUNK) : await bareIndexedDb(`${NAME}-bare`);

  let cache = await BlockCache.open(await open());
  const reopen = async () => {
    await cache.close();
    cache = await BlockCache.open(await open());
  };
  const pair = async (stack: () => Promise<number>, loop: () => Promise<number>): Promise<Pair> => {
    if (!bareFirst) return { stack: await stack(), bare: await loop() };
    const first = await loop();
    return { stack: await stack(), bare: first };
  };

  const run = {
    write: await pair(
      () =>
        throughput(mebibytes, async () => {
          for (let at = 0; at < mebibytes * MiB; at += MiB) await write(cache, at, MiB);
          await cache.flush();
        }),
      () => throughput(mebibytes, () => bareWrite(bare, mebibytes)),
    ),
    coldRead: await pair(
      async () => {
        await reopen();
        return throughput(mebibytes, () => readAll(cache, mebibytes * MiB, MiB));
      },
      () => throughput(mebibytes, () => bareRead(bare, mebibytes)),
    ),
    randomRead: await pair(
      async () => {
        await reopen();
        return quantile(await randomReads(i => read(cache, place(i, mebibytes) * CHUNK, 4 * KiB)), 0.5);
      },
      async () => quantile(await randomReads(i => bare.read([place(i, mebibytes)])), 0.5),
    ),
    warmRead: await pair(
      async () => {
        await readAll(cache, 64 * MiB, MiB);
        return (await throughput(512, () => rereadWarm(cache))) / 1000;
      },
      async () => copySpeed(guest, CHUNK, 512),
    ),
  };
  await cache.close();
  await bare.close();
  await (isOpfs ? deleteOpfsDisk(NAME) : deleteDatabase(NAME));
  return run;
}

async function bareWrite(bare: BareStorage, mebibytes: number): Promise<void> {
  const chunks = Array.from({ length: PER_COMMIT }, (_, i) => {
    const at = (i % PER_REQUEST) * CHUNK;
    return new Uint8Array(guest.subarray(at, at + CHUNK));
  });
  for (let first = 0; first < (mebibytes * MiB) / CHUNK; first += PER_COMMIT) await bare.write(first, chunks);
}

async function bareRead(bare: BareStorage, mebibytes: number): Promise<void> {
  for (let first = 0; first < (mebibytes * MiB) / CHUNK; first += PER_REQUEST) {
    await bare.read(Array.from({ length: PER_REQUEST }, (_, i) => first + i));
  }
}

/** The chunk of the i-th random read: far from the one before, and never the same twice in 100. */
function place(i: number, mebibytes: number): number {
  return Math.floor((((i * 37) % 101) * mebibytes * PER_REQUEST) / 101);
}

function randomReads(once: (i: number) => Promise<void>): Promise<number[]> {
  return times(100, async i => {
    const start = performance.now();
    await once(i);
    return performance.now() - start;
  });
}

async function rereadWarm(cache: BlockCache): Promise<void> {
  for (let round = 0; round < 8; round++) await readAll(cache, 64 * MiB, MiB);
}
