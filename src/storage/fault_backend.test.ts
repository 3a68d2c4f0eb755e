import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StorageError } from "./block_backend.ts";
import { BlockCache } from "./cache/block_cache.ts";
import { FaultBackend, type Faults } from "./fault_backend.ts";
import { MemoryBackend, type MemoryStore } from "./memory_backend.ts";
import { CHUNK_BYTES, CHUNK_COUNT, describeBlockBackend, filled } from "./testing/conformance.ts";
import { read, write, zero } from "./testing/test_support.ts";

const turn = () => new Promise<void>(resolve => setTimeout(resolve, 1));

function describeFaults(name: string, faults: Faults): void {
  describeBlockBackend(name, async () => {
    const store: MemoryStore = new Map();
    const memory = () => new MemoryBackend(CHUNK_BYTES, CHUNK_COUNT, store);
    return { backend: new FaultBackend(memory(), faults), reopen: async () => memory() };
  });
}
describeFaults("FaultBackend without faults", {});
describeFaults("FaultBackend that only delays", { commit: () => Promise.resolve(), read: turn });
describeFaults("FaultBackend that holds back", { dropUntilFlush: true });

function open(faults: Faults, seed?: number) {
  const store: MemoryStore = new Map();
  const backend = new FaultBackend(new MemoryBackend(CHUNK_BYTES, CHUNK_COUNT, store), faults, seed);
  const commit = (...chunks: number[]) =>
    backend.commit(chunks.map(chunk => ({ chunk, data: filled(chunk) })));
  return { store, backend, commit };
}

/** How 100 requests of one kind ended: "ok" or the error. */
async function outcomes(request: () => Promise<unknown>): Promise<string[]> {
  const results: string[] = [];
  for (let i = 0; i < 100; i++) results.push(await request().then(() => "ok", String));
  return results;
}

describe("FaultBackend", () => {
  it("a failed commit has no effect, and the next one goes through", async () => {
    const { backend, commit } = open({
      commit: () => {
        throw new StorageError("no-space", "full");
      },
    });
    await expect(commit(1)).rejects.toThrow("full");
    expect(await backend.list()).toEqual([]);
    backend.faults.commit = undefined;
    await commit(1);
    expect(await backend.list()).toEqual([1]);
  });

  it("fails about as many requests as it is told to, the same ones each time", async () => {
    const run = (seed: number) => {
      const { commit } = open({ failRate: 0.3 }, seed);
      return outcomes(() => commit(1));
    };
    const first = await run(7);
    const failed = first.filter(result => result !== "ok").length;
    expect(failed).toBeGreaterThan(15);
    expect(failed).toBeLessThan(45);
    expect(await run(7)).toEqual(first);
    expect(await run(8)).not.toEqual(first);
  });

  it("tears commits: some of the chunks are new, one perhaps by half, and the commit fails", async () => {
    const { store, backend, commit } = open({ tornRate: 1 });
    const seen = new Set<string>();
    for (let i = 0; i < 100; i++) {
      store.clear();
      await expect(commit(1, 2, 3)).rejects.toMatchObject({ kind: "io" });
      const found = await backend.read([1, 2, 3]);
      seen.add(found.map(chunk => (chunk ? `${chunk[0]}${chunk[CHUNK_BYTES - 1]}` : "-")).join(" "));
    }
    expect([...seen].sort()).toEqual(["- - -", "10 - -", "11 - -", "11 20 -", "11 22 -", "11 22 30"].sort());
  });

  it("lets requests that are under way together overtake each other", async () => {
    const { commit } = open({ reorderTurns: 8 });
    const order: number[] = [];
    const numbers = Array.from({ length: 20 }, (_, i) => i);
    await Promise.all(numbers.map(i => commit(i).then(() => order.push(i))));
    expect(order).not.toEqual(numbers);
    expect([...order].sort((a, b) => a - b)).toEqual(numbers);
  });

  it("has no room beyond the quota, for new chunks only", async () => {
    const { backend, commit } = open({ quotaBytes: 2 * CHUNK_BYTES });
    await commit(1, 2);
    await expect(commit(3)).rejects.toMatchObject({ kind: "no-space" });
    await commit(1, 2);
    await backend.commit([{ chunk: 1, data: undefined }]);
    await commit(3);
    expect(await backend.list()).toEqual([2, 3]);
  });

  it("holds commits back until flush, and loses some in a power cut", async () => {
    const { store, backend, commit } = open({ dropUntilFlush: true });
    await commit(1, 2);
    expect([store.size, await backend.list()]).toEqual([0, [1, 2]]);
    await backend.flush();
    expect([...store.keys()]).toEqual([1, 2]);
    await commit(...Array.from({ length: 40 }, (_, i) => i + 10));
    await backend.powerCut();
    expect(store.size).toBeGreaterThan(2);
    expect(store.size).toBeLessThan(42);
    expect([store.get(1), store.get(2)]).toEqual([filled(1), filled(2)]);
    await expect(backend.read([1])).rejects.toMatchObject({ kind: "unavailable" });
  });

  it("a cache above loses nothing, whatever fails, tears, overtakes or is full for a while", async () => {
    const step = fc.record({
      kind: fc.constantFrom("write", "zero", "flush", "read"),
      chunk: fc.nat(11),
      value: fc.integer({ min: 1, max: 255 }),
    });
    const faulty = fc.record({
      steps: fc.array(step, { maxLength: 40 }),
      seed: fc.nat(),
      failRate: fc.constantFrom(0, 0.3),
      tornRate: fc.constantFrom(0, 0.5),
      quotaBytes: fc.constantFrom(undefined, 4 * CHUNK_BYTES),
    });
    await fc.assert(
      fc.asyncProperty(faulty, async ({ steps, seed, ...faults }) => {
        const { backend, store } = open({ ...faults, reorderTurns: 5 }, seed);
        const cache = await BlockCache.open(backend, { cacheBytes: 8 * CHUNK_BYTES });
        const model = new Array<number>(12).fill(0);
        for (const { kind, chunk, value } of steps) {
          const at = chunk * CHUNK_BYTES;
          // One that fails has done nothing.
          const failed = await perform(kind, at, value, cache).then(
            () => false,
            error => error instanceof StorageError,
          );
          if (kind === "write" && !failed) model[chunk] = value;
          if (kind === "zero" && !failed) model[chunk] = 0;
        }
        Object.assign(backend.faults, { failRate: 0, tornRate: 0, quotaBytes: undefined });
        // The first may still meet a commit that was to fail.
        await cache.flush().catch(() => cache.flush());
        for (const [chunk, value] of model.entries()) {
          const [first, last] = [store.get(chunk)?.[0] ?? 0, store.get(chunk)?.[CHUNK_BYTES - 1] ?? 0];
          expect([first, last]).toEqual([value, value]);
          expect(await read(cache, chunk * CHUNK_BYTES, CHUNK_BYTES)).toEqual(filled(value));
        }
        await cache.close();
      }),
      { numRuns: 12 },
    );
  });
});

async function perform(kind: string, at: number, value: number, cache: BlockCache): Promise<void> {
  if (kind === "write") await write(cache, at, filled(value));
  if (kind === "zero") await zero(cache, at, CHUNK_BYTES);
  if (kind === "flush") await cache.flush();
  if (kind === "read") await read(cache, at, CHUNK_BYTES);
}
