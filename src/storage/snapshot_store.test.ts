import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChunkChange } from "./block_backend.ts";
import { type DiskStore, newMetadata, type SeedRecord } from "./disk_store.ts";
import { MemoryBackend, type MemoryStore } from "./memory_backend.ts";
import { SnapshotStore } from "./snapshot_store.ts";
import { CHUNK_BYTES, CHUNK_COUNT, describeBlockBackend, filled } from "./testing/conformance.ts";
import { type ChunkSink, diskSink, type StoredChunk } from "./transfer/chunk_sink.ts";
import { TransferCancelled } from "./transfer/transfer_control.ts";

/** A disk in memory that does its work in the order of the calls, but each a while later. */
class SlowStore extends MemoryBackend implements DiskStore {
  readonly isOpen = true;
  readonly metadata = newMetadata(1, { capacityBytes: CHUNK_BYTES * CHUNK_COUNT, chunkBytes: CHUNK_BYTES });
  turns = 1;
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: MemoryStore = new Map()) {
    super(CHUNK_BYTES, CHUNK_COUNT, store);
  }

  override list() {
    return this.#later(() => super.list());
  }

  override read(chunks: readonly number[]) {
    return this.#later(() => super.read(chunks));
  }

  override commit(changes: readonly ChunkChange[]) {
    const copied = changes.map(change => ({ ...change, data: change.data?.slice() }));
    return this.#later(() => super.commit(copied));
  }

  async recordSeed(_seed: SeedRecord) {}

  async setLbaBytes() {}

  async grow() {}

  #later<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      for (let turn = 0; turn < this.turns; turn++) await Promise.resolve();
      return await work();
    });
    this.#last = result.catch(() => {});
    return result;
  }
}

const control = { signal: new AbortController().signal, progress: () => {} };

/** Collects chunks, and checks that none comes twice. */
function collect(
  pause: () => Promise<void> = async () => {},
): ChunkSink & { readonly chunks: Map<number, number> } {
  const chunks = new Map<number, number>();
  return {
    chunks,
    async write(written: readonly StoredChunk[]) {
      await pause();
      for (const { chunk, data } of written) {
        expect(chunks.has(chunk)).toBe(false);
        expect(data.every(byte => byte === data[0])).toBe(true);
        chunks.set(chunk, data[0]);
      }
    },
  };
}

describeBlockBackend("SnapshotStore", async () => ({ backend: new SnapshotStore(new SlowStore()) }));

describeBlockBackend("SnapshotStore that is being copied", async () => {
  const store = new SnapshotStore(new SlowStore());
  // A sink that never takes anything: the copy goes on for as long as the test does.
  void store.copyTo({ write: () => new Promise(() => {}) }, control).catch(() => {});
  return { backend: store };
});

describe("SnapshotStore", () => {
  it("copies the disk of the moment of the call, whatever is written meanwhile", async () => {
    const change = fc.record({
      chunk: fc.nat(CHUNK_COUNT - 1),
      value: fc.option(fc.integer({ min: 1, max: 255 })),
    });
    const commit = fc.uniqueArray(change, { selector: c => c.chunk, minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(commit, { maxLength: 6 }),
        fc.array(fc.tuple(commit, fc.nat(30)), { maxLength: 12 }),
        fc.nat(5),
        fc.nat(20),
        async (before, during, turns, sinkTurns) => {
          const inner = new SlowStore();
          inner.turns = turns;
          const store = new SnapshotStore(inner);
          const model = new Map<number, number>();
          const apply = (changes: readonly { chunk: number; value: number | null }[]) =>
            store.commit(
              changes.map(({ chunk, value }) => ({
                chunk,
                data: value === null ? undefined : filled(value),
              })),
            );
          // The last commits are still under way when the copy begins.
          const commits = before.map(changes => {
            for (const { chunk, value } of changes)
              value === null ? model.delete(chunk) : model.set(chunk, value);
            return apply(changes);
          });
          const sink = collect(async () => {
            for (let turn = 0; turn < sinkTurns; turn++) await Promise.resolve();
          });
          const copying = store.copyTo(sink, control);
          for (const [changes, wait] of during) {
            for (let turn = 0; turn < wait; turn++) await Promise.resolve();
            commits.push(apply(changes));
          }
          await copying;
          expect(new Map([...sink.chunks].sort(([a], [b]) => a - b))).toEqual(
            new Map([...model].sort(([a], [b]) => a - b)),
          );
          await Promise.all(commits);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("copies into another disk and leaves zeroes out", async () => {
    const store = new SnapshotStore(new SlowStore());
    await store.commit([
      { chunk: 1, data: filled(1) },
      { chunk: 2, data: filled(0) },
    ]);
    const target = new SlowStore();
    const steps: number[] = [];
    await store.copyTo(diskSink(target), { ...control, progress: (done, total) => steps.push(done, total) });
    expect(await target.list()).toEqual([1]);
    expect(steps).toEqual([2 * CHUNK_BYTES, 2 * CHUNK_BYTES]);
  });

  it("stops when it is cancelled, and can be copied again", async () => {
    const store = new SnapshotStore(new SlowStore());
    await store.commit([{ chunk: 1, data: filled(1) }]);
    const abort = new AbortController();
    const copying = store.copyTo({ write: async () => abort.abort() }, { ...control, signal: abort.signal });
    await expect(store.copyTo(collect(), control)).rejects.toThrow(/being copied already/);
    await expect(copying).rejects.toThrow(TransferCancelled);
    const sink = collect();
    await store.copyTo(sink, control);
    expect(sink.chunks).toEqual(new Map([[1, 1]]));
  });

  it("does not let a commit fail because the copy does", async () => {
    const store = new SnapshotStore(new SlowStore());
    await store.commit([{ chunk: 63, data: filled(1) }]);
    const copying = store.copyTo({ write: () => Promise.reject(new Error("the target is full")) }, control);
    const committed = store.commit([{ chunk: 63, data: filled(2) }]);
    await expect(copying).rejects.toThrow("the target is full");
    await committed;
    expect(await store.read([63])).toEqual([filled(2)]);
  });

  it("ends the copy when the disk is closed", async () => {
    const store = new SnapshotStore(new SlowStore());
    await store.commit([{ chunk: 1, data: filled(1) }]);
    const copying = store.copyTo({ write: () => store.close() }, control);
    await expect(copying).rejects.toThrow(/closed while it was copied/);
  });
});
