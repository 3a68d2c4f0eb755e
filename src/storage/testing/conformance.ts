import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { type BlockBackend, type ChunkChange, type DirectReads, StorageError } from "../block_backend.ts";
import type { DiskStore } from "../disk_store.ts";

/** The geometry that a backend under test is opened with. */
export const CHUNK_BYTES = 4096;
export const CHUNK_COUNT = 64;

/** One disk under test. */
export interface DiskUnderTest {
  readonly backend: BlockBackend;
  /** Opens the same disk once more after `backend` was closed; absent where nothing survives that. */
  readonly reopen?: () => Promise<BlockBackend>;
}

/** A chunk filled with one byte value. */
export function filled(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(CHUNK_BYTES).fill(value);
}

/** What every BlockBackend must do. `open` gives an empty disk each time. */
export function describeBlockBackend(name: string, open: () => Promise<DiskUnderTest>): void {
  describe(`${name} as a BlockBackend`, () => {
    const opened: BlockBackend[] = [];

    async function openDisk(): Promise<BlockBackend> {
      const { backend } = await open();
      opened.push(backend);
      return backend;
    }

    afterEach(async () => {
      for (const backend of opened.splice(0)) await backend.close();
    });

    it("has the geometry it was opened with and starts empty", async () => {
      const backend = await openDisk();
      expect([backend.chunkBytes, backend.chunkCount]).toEqual([CHUNK_BYTES, CHUNK_COUNT]);
      expect(await backend.list()).toEqual([]);
      expect(await backend.read([0, CHUNK_COUNT - 1])).toEqual([undefined, undefined]);
    });

    it("gives back what was committed, in the order asked for", async () => {
      const backend = await openDisk();
      await backend.commit([
        { chunk: 10, data: filled(10) },
        { chunk: 2, data: filled(2) },
        { chunk: CHUNK_COUNT - 1, data: filled(3) },
      ]);
      expect(await backend.list()).toEqual([2, 10, CHUNK_COUNT - 1]);
      const read = await backend.read([10, 5, 2, 10]);
      expect(read.map(data => data?.[CHUNK_BYTES - 1])).toEqual([10, undefined, 2, 10]);
      expect(read[0]).toEqual(filled(10));
    });

    it("hands out arrays that belong to the caller", async () => {
      const backend = await openDisk();
      await backend.commit([{ chunk: 1, data: filled(1) }]);
      const [mine] = await backend.read([1]);
      expect(mine?.byteLength).toBe(mine?.buffer.byteLength);
      mine?.fill(99);
      expect(await backend.read([1])).toEqual([filled(1)]);
    });

    it("copies the data before commit() returns", async () => {
      const backend = await openDisk();
      const data = filled(1);
      const commit = backend.commit([{ chunk: 1, data }]);
      data.fill(2);
      await commit;
      expect(await backend.read([1])).toEqual([filled(1)]);
    });

    it("stores a view without the rest of its buffer", async () => {
      const backend = await openDisk();
      const data = new Uint8Array(3 * CHUNK_BYTES).fill(7).subarray(CHUNK_BYTES, 2 * CHUNK_BYTES);
      await backend.commit([{ chunk: 1, data }]);
      const [read] = await backend.read([1]);
      expect(read).toEqual(filled(7));
      expect(read?.buffer.byteLength).toBe(CHUNK_BYTES);
    });

    it("replaces and removes in one commit", async () => {
      const backend = await openDisk();
      await backend.commit([
        { chunk: 1, data: filled(1) },
        { chunk: 2, data: filled(2) },
      ]);
      await backend.commit([
        { chunk: 1, data: undefined },
        { chunk: 2, data: filled(22) },
        { chunk: 3, data: undefined },
      ]);
      expect(await backend.list()).toEqual([2]);
      expect(await backend.read([1, 2, 3])).toEqual([undefined, filled(22), undefined]);
    });

    it("does nothing at all when one change of a commit is refused", async () => {
      const backend = await openDisk();
      await backend.commit([{ chunk: 1, data: filled(1) }]);
      const bad: ChunkChange[][] = [
        [
          { chunk: 1, data: filled(9) },
          { chunk: CHUNK_COUNT, data: filled(9) },
        ],
        [
          { chunk: 1, data: undefined },
          { chunk: -1, data: filled(9) },
        ],
        [
          { chunk: 1, data: filled(9) },
          { chunk: 2, data: new Uint8Array(CHUNK_BYTES - 1) },
        ],
      ];
      for (const changes of bad) await expect(backend.commit(changes)).rejects.toThrow(RangeError);
      expect(await backend.list()).toEqual([1]);
      expect(await backend.read([1])).toEqual([filled(1)]);
    });

    it("refuses chunks outside the disk", async () => {
      const backend = await openDisk();
      for (const chunk of [-1, CHUNK_COUNT, 0.5, Number.NaN]) {
        await expect(backend.read([chunk])).rejects.toThrow(RangeError);
      }
    });

    it("takes a batch that covers the whole disk, and empty ones", async () => {
      const backend = await openDisk();
      const all = Array.from({ length: CHUNK_COUNT }, (_, chunk) => chunk);
      await backend.commit(all.map(chunk => ({ chunk, data: filled(chunk + 1) })));
      await backend.commit([]);
      expect(await backend.read([])).toEqual([]);
      expect((await backend.read(all)).map(data => data?.[0])).toEqual(all.map(chunk => chunk + 1));
    });

    it("orders commits and reads as they were called", async () => {
      const backend = await openDisk();
      const commits = [1, 2, 3].map(value => backend.commit([{ chunk: 0, data: filled(value) }]));
      const read = backend.read([0]);
      await Promise.all(commits);
      expect(await read).toEqual([filled(3)]);
    });

    it("is unavailable once it is closed, and can be closed twice", async () => {
      const backend = await openDisk();
      await backend.close();
      await backend.close();
      const calls = [backend.list(), backend.read([0]), backend.commit([{ chunk: 0, data: filled(1) }])];
      for (const result of await Promise.allSettled(calls)) {
        expect(result).toMatchObject({ status: "rejected", reason: { kind: "unavailable" } });
        expect((result as PromiseRejectedResult).reason).toBeInstanceOf(StorageError);
      }
    });

    it("keeps what was committed when it is opened again", async ({ skip }) => {
      const { backend, reopen } = await open();
      if (!reopen) {
        await backend.close();
        return skip("nothing survives closing this backend");
      }
      await backend.commit([
        { chunk: 1, data: filled(1) },
        { chunk: 2, data: filled(2) },
      ]);
      await backend.commit([{ chunk: 1, data: undefined }]);
      await backend.close();
      const again = await reopen();
      opened.push(again);
      expect(await again.list()).toEqual([2]);
      expect(await again.read([1, 2])).toEqual([undefined, filled(2)]);
    });

    it("behaves like a map of chunks", async () => {
      const change = fc.record({ chunk: fc.nat(CHUNK_COUNT - 1), value: fc.option(fc.nat(255)) });
      const commits = fc.array(fc.uniqueArray(change, { selector: c => c.chunk, maxLength: 12 }), {
        maxLength: 8,
      });
      const backend = await openDisk();
      await fc.assert(
        fc.asyncProperty(commits, async commits => {
          await backend.commit((await backend.list()).map(chunk => ({ chunk, data: undefined })));
          const model = new Map<number, number>();
          for (const changes of commits) {
            await backend.commit(
              changes.map(({ chunk, value }) => ({
                chunk,
                data: value === null ? undefined : filled(value),
              })),
            );
            for (const { chunk, value } of changes) {
              if (value === null) model.delete(chunk);
              else model.set(chunk, value);
            }
          }
          const chunks = [...model.keys()].sort((a, b) => a - b);
          expect(await backend.list()).toEqual(chunks);
          const contents = await backend.read(chunks);
          const wrong = chunks.filter((chunk, i) => !contents[i]?.every(byte => byte === model.get(chunk)));
          expect(wrong).toEqual([]);
        }),
        { numRuns: 30 },
      );
    });
  });
}

/** One disk under test that is a DiskStore: it must be one that can be opened again. */
export interface StoreUnderTest extends DiskUnderTest {
  readonly backend: DiskStore;
  readonly reopen: () => Promise<DiskStore>;
}

/** What every DiskStore must do besides; `open` gives an empty disk of 512-byte blocks, or of `lbaBytes`, each time. */
export function describeDiskStore(
  name: string,
  open: (lbaBytes?: 512 | 4096) => Promise<StoreUnderTest>,
): void {
  describeBlockBackend(name, open);

  describe(`${name} as a DiskStore`, () => {
    /** Closes and opens again; then looks, and closes for good. */
    async function reopened(store: StoreUnderTest, look: (disk: DiskStore) => void | Promise<void>) {
      await store.backend.close();
      const disk = await store.reopen();
      try {
        await look(disk);
      } finally {
        await disk.close();
      }
    }

    it("describes itself, the same when it is opened again", async () => {
      const store = await open();
      const { metadata } = store.backend;
      expect(metadata).toMatchObject({ chunkBytes: CHUNK_BYTES, chunkCount: CHUNK_COUNT, lbaBytes: 512 });
      expect(metadata.formatVersion).toBeGreaterThan(0);
      expect([metadata.seededSha256, metadata.seedingSha256]).toEqual([undefined, undefined]);
      await reopened(store, disk => {
        expect(disk.metadata).toEqual(metadata);
        expect([disk.chunkBytes, disk.chunkCount]).toEqual([CHUNK_BYTES, CHUNK_COUNT]);
      });
    });

    it("keeps the logical block size", async () => {
      const store = await open(4096);
      expect(store.backend.metadata.lbaBytes).toBe(4096);
      await reopened(store, disk => expect(disk.metadata.lbaBytes).toBe(4096));
    });

    it("changes the logical block size durably, and nothing else", async () => {
      const store = await open();
      await store.backend.commit([{ chunk: 1, data: filled(1) }]);
      await store.backend.recordSeed({ seededSha256: "abc" });
      await store.backend.setLbaBytes(4096);
      expect(store.backend.metadata).toMatchObject({ lbaBytes: 4096, seededSha256: "abc" });
      await reopened(store, async disk => {
        expect(disk.metadata).toMatchObject({ lbaBytes: 4096, chunkCount: CHUNK_COUNT, seededSha256: "abc" });
        expect(await disk.read([1])).toEqual([filled(1)]);
      });
    });

    it("is open until it is closed", async () => {
      const { backend } = await open();
      expect(backend.isOpen).toBe(true);
      await backend.close();
      expect(backend.isOpen).toBe(false);
      await expect(backend.recordSeed({ seededSha256: "a" })).rejects.toMatchObject({ kind: "unavailable" });
      await expect(backend.grow(2 * CHUNK_BYTES * CHUNK_COUNT)).rejects.toMatchObject({
        kind: "unavailable",
      });
    });

    it("records seeding durably, each record in the place of the one before", async () => {
      const store = await open();
      await store.backend.recordSeed({ seedingSha256: "abc" });
      expect(store.backend.metadata).toMatchObject({ seedingSha256: "abc" });
      await store.backend.recordSeed({ seededSha256: "abc" });
      expect(store.backend.metadata.seedingSha256).toBeUndefined();
      await reopened(store, ({ metadata }) => {
        expect(metadata).toMatchObject({ seededSha256: "abc", chunkCount: CHUNK_COUNT, lbaBytes: 512 });
        expect(metadata.seedingSha256).toBeUndefined();
      });
    });

    it("grows, and what it held stays", async () => {
      const store = await open();
      const last = CHUNK_COUNT + 2;
      await store.backend.commit([{ chunk: 1, data: filled(1) }]);
      await store.backend.recordSeed({ seededSha256: "abc" });
      await store.backend.grow(CHUNK_BYTES * (last + 1) - 1); // rounded up
      expect([store.backend.chunkCount, store.backend.metadata.chunkCount]).toEqual([last + 1, last + 1]);
      expect(await store.backend.read([last])).toEqual([undefined]);
      await store.backend.commit([{ chunk: last, data: filled(9) }]);
      await reopened(store, async disk => {
        expect(disk.metadata).toMatchObject({ chunkCount: last + 1, seededSha256: "abc" });
        expect(await disk.list()).toEqual([1, last]);
        expect(await disk.read([1, last])).toEqual([filled(1), filled(9)]);
      });
    });

    it("refuses to become smaller, or nothing", async () => {
      const { backend } = await open();
      for (const capacity of [0, -1, Number.NaN, CHUNK_BYTES, CHUNK_BYTES * CHUNK_COUNT]) {
        await expect(backend.grow(capacity)).rejects.toThrow(RangeError);
      }
      expect(backend.chunkCount).toBe(CHUNK_COUNT);
      await backend.close();
    });
  });
}

/** What every backend must do that reads straight into its caller's memory. `open` gives an empty disk each time. */
export function describeDirectReads(
  name: string,
  open: () => Promise<{ readonly backend: DiskStore & { readonly direct: DirectReads } }>,
): void {
  describe(`${name} as storage that is read directly`, () => {
    const content = Uint8Array.from({ length: CHUNK_BYTES }, (_, i) => i * 7);

    it("fills shared memory with any part of a chunk, and nothing around it", async () => {
      const { backend } = await open();
      await backend.commit([{ chunk: 3, data: content }]);
      const guest = new Uint8Array(new SharedArrayBuffer(CHUNK_BYTES + 2)).fill(0xee);
      for (const [within, length] of [
        [0, CHUNK_BYTES],
        [1, 1],
        [100, CHUNK_BYTES - 100],
      ]) {
        backend.direct.readInto(3, within, guest.subarray(1, 1 + length));
        expect(guest.slice(1, 1 + length)).toEqual(content.slice(within, within + length));
        expect([guest[0], guest[CHUNK_BYTES + 1]]).toEqual([0xee, 0xee]);
      }
      await backend.close();
    });

    it("sees each commit at once", async () => {
      const { backend } = await open();
      const now = new Uint8Array(4);
      await backend.commit([{ chunk: 0, data: filled(1) }]);
      await backend.commit([
        { chunk: 0, data: filled(2) },
        { chunk: 1, data: filled(3) },
      ]);
      backend.direct.readInto(0, 0, now);
      expect(now).toEqual(new Uint8Array(4).fill(2));
      await backend.close();
    });

    it("refuses chunks beyond the disk, and everything once it is closed", async () => {
      const { backend } = await open();
      expect(() => backend.direct.readInto(CHUNK_COUNT, 0, new Uint8Array(1))).toThrow(RangeError);
      await backend.close();
      expect(() => backend.direct.readInto(0, 0, new Uint8Array(1))).toThrow(StorageError);
    });
  });
}
