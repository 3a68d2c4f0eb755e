import { afterEach, describe, expect, it, vi } from "vitest";
import { CHUNK_BYTES, CHUNK_COUNT, filled } from "../testing/conformance.ts";
import { IndexedDbBackend } from "./indexeddb_backend.ts";
import { databaseName } from "./indexeddb_database.ts";
import { readSnapshot } from "./indexeddb_snapshot.ts";

const geometry = { capacityBytes: CHUNK_BYTES * CHUNK_COUNT, chunkBytes: CHUNK_BYTES };
let disks = 0;
const freshName = () => `owner-test-${Date.now()}-${disks++}`;
const opened: IndexedDbBackend[] = [];

/** Takes the disk from whoever has it: what a tab does that has stolen the lock. */
async function open(name: string): Promise<IndexedDbBackend> {
  const backend = await IndexedDbBackend.open(name, geometry);
  opened.push(backend);
  return backend;
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const backend of opened.splice(0)) await backend.close();
});

const takenOver = {
  kind: "unavailable",
  message: expect.stringContaining("another tab has taken this disk over"),
};

/** In place of put(): the transaction aborts, as it does when there is no room. */
function noRoom(this: IDBObjectStore): IDBRequest<IDBValidKey> {
  const { transaction } = this;
  if (!transaction.error) {
    Object.defineProperty(transaction, "error", { value: new DOMException("full", "QuotaExceededError") });
    transaction.abort();
  }
  return undefined as unknown as IDBRequest<IDBValidKey>;
}

describe("a disk that was taken over", () => {
  it("is written by its new owner only", async () => {
    const name = freshName();
    const old = await open(name);
    await old.commit([{ chunk: 0, data: filled(1) }]);
    const owner = await open(name);
    await expect(old.commit([{ chunk: 0, data: filled(2) }])).rejects.toMatchObject(takenOver);
    await expect(old.commit([{ chunk: 0, data: undefined }])).rejects.toMatchObject(takenOver);
    expect(old.isOpen).toBe(false);
    await owner.commit([{ chunk: 1, data: filled(3) }]);
    expect(await owner.list()).toEqual([0, 1]);
    expect(await owner.read([0])).toEqual([filled(1)]);
  });

  it("does not change its description for the old owner", async () => {
    const name = freshName();
    const [old, other] = [await open(name), await open(freshName())];
    const owner = await open(name);
    await expect(old.grow(2 * geometry.capacityBytes)).rejects.toMatchObject(takenOver);
    await expect(old.recordSeed({ seededSha256: "abc" })).rejects.toMatchObject(takenOver);
    await owner.close();
    expect((await open(name)).metadata).toMatchObject({ chunkCount: CHUNK_COUNT });
    await other.grow(2 * geometry.capacityBytes); // another disk is not touched by it
  });

  it("sees all or nothing of a commit that the old owner began before", async () => {
    const name = freshName();
    const old = await open(name);
    const results: string[] = [];
    const commits = Array.from({ length: 20 }, (_, i) =>
      old.commit([{ chunk: i, data: filled(i + 1) }]).then(
        () => results.push(`${i} done`),
        () => results.push(`${i} refused`),
      ),
    );
    const opening = open(name);
    const late = Array.from({ length: 20 }, (_, i) =>
      old.commit([{ chunk: 20 + i, data: filled(1) }]).then(
        () => results.push(`${20 + i} done`),
        () => results.push(`${20 + i} refused`),
      ),
    );
    const owner = await opening;
    const seen = await owner.list();
    await Promise.all([...commits, ...late]);
    // What the new owner saw when it opened is what there is: nothing comes after.
    expect(await owner.list()).toEqual(seen);
    expect(seen).toEqual(
      results
        .filter(result => result.endsWith("done"))
        .map(result => Number.parseInt(result, 10))
        .sort((a, b) => a - b),
    );
  });

  it("goes to the last of several", async () => {
    const name = freshName();
    const backends = [await open(name), await open(name), await open(name)];
    const results = await Promise.allSettled(
      backends.map((backend, i) => backend.commit([{ chunk: i, data: filled(1) }])),
    );
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
    expect(await backends[2].list()).toEqual([2]);
  });

  it("is ours with the first write, when there was no room to take it at once", async () => {
    const name = freshName();
    const old = await open(name);
    await old.commit([{ chunk: 0, data: filled(1) }]);
    const put = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(noRoom);
    const owner = await open(name);
    expect(await owner.read([0])).toEqual([filled(1)]);
    put.mockRestore();
    await owner.commit([{ chunk: 1, data: filled(2) }]);
    await expect(old.commit([{ chunk: 1, data: filled(3) }])).rejects.toMatchObject(takenOver);
    expect(await owner.read([1])).toEqual([filled(2)]);
  });

  it("lets no owner write that never got to its first write before the disk was taken from it", async () => {
    const name = freshName();
    const put = vi.spyOn(IDBObjectStore.prototype, "put");
    await (await open(name)).close();
    put.mockImplementation(noRoom);
    const old = await open(name);
    put.mockRestore();
    const owner = await open(name);
    await expect(old.commit([{ chunk: 0, data: filled(1) }])).rejects.toMatchObject(takenOver);
    expect(await owner.list()).toEqual([]);
  });
});

describe("readSnapshot", () => {
  it("copies the disk with its journal and leaves it to its owner", async () => {
    const name = freshName();
    const chunkBytes = 65536;
    const owner = await IndexedDbBackend.open(name, {
      capacityBytes: 8 * chunkBytes,
      chunkBytes,
      lbaBytes: 4096,
    });
    opened.push(owner);
    const chunk = (value: number) => new Uint8Array(chunkBytes).fill(value);
    await owner.commit([
      { chunk: 1, data: chunk(1) },
      { chunk: 2, data: chunk(2) },
    ]);
    await owner.commit([
      { chunk: 2, data: chunk(3), blocks: [0, 5] },
      { chunk: 7, data: chunk(4), blocks: [15] },
    ]);
    const { metadata, chunks } = await readSnapshot(name);
    expect(metadata).toEqual(owner.metadata);
    const numbers = [...chunks.keys()].sort();
    expect(numbers).toEqual([1, 2, 7]);
    const contents = await owner.read(numbers);
    const differs = numbers.filter((number, i) =>
      chunks.get(number)!.some((byte, at) => byte !== contents[i]?.[at]),
    );
    expect(differs).toEqual([]);
    await owner.commit([{ chunk: 1, data: chunk(9) }]);
    expect(chunks.get(1)?.every(byte => byte === 1)).toBe(true);
  });

  it("is of one moment, though its owner goes on writing", async () => {
    const name = freshName();
    const owner = await open(name);
    const all = Array.from({ length: CHUNK_COUNT }, (_, chunk) => chunk);
    let copied = false;
    const writing = (async () => {
      for (let value = 1; !copied; value++) {
        await owner.commit(all.map(chunk => ({ chunk, data: filled((value % 200) + 1) })));
      }
    })();
    for (let round = 0; round < 5; round++) {
      const { chunks } = await readSnapshot(name);
      expect(new Set(Array.from(chunks.values(), data => data[0])).size).toBeLessThanOrEqual(1);
    }
    copied = true;
    await writing;
  });

  it("refuses to copy more than it may, a disk that is not there, and a newer format", async () => {
    const name = freshName();
    const owner = await open(name);
    await owner.commit([
      { chunk: 0, data: filled(1) },
      { chunk: 1, data: filled(1) },
    ]);
    await expect(readSnapshot(name, CHUNK_BYTES)).rejects.toMatchObject({ kind: "no-space" });
    expect((await readSnapshot(name, 2 * CHUNK_BYTES)).chunks.size).toBe(2);
    const missing = freshName();
    await expect(readSnapshot(missing)).rejects.toThrow("no disk");
    const names = (await indexedDB.databases()).map(database => database.name);
    expect(names).not.toContain(databaseName(missing));
    const newer = freshName();
    await new Promise<void>(resolve => {
      const request = indexedDB.open(databaseName(newer), 99);
      request.onsuccess = () => {
        request.result.close();
        resolve();
      };
    });
    await expect(readSnapshot(newer)).rejects.toThrow("format version newer");
  });
});
