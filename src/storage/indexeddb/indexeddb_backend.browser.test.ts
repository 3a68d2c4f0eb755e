import { describe, expect, it, vi } from "vitest";
import type { NewDisk } from "../disk_store.ts";
import { CHUNK_BYTES, CHUNK_COUNT, describeDiskStore, filled } from "../testing/conformance.ts";
import { describeJournal, JOURNAL_CHUNK_BYTES, JOURNAL_CHUNK_COUNT } from "../testing/journal_conformance.ts";
import { IndexedDbBackend } from "./indexeddb_backend.ts";
import { databaseName, deleteDatabase } from "./indexeddb_database.ts";
import { readSnapshot } from "./indexeddb_snapshot.ts";

const geometry: NewDisk = { capacityBytes: CHUNK_BYTES * CHUNK_COUNT, chunkBytes: CHUNK_BYTES };
let disks = 0;
const freshName = () => `test-${Date.now()}-${disks++}`;

describeDiskStore("IndexedDbBackend", async lbaBytes => {
  const name = freshName();
  return {
    backend: await IndexedDbBackend.open(name, lbaBytes ? { ...geometry, lbaBytes } : geometry),
    reopen: () => IndexedDbBackend.open(name),
  };
});

describeJournal("IndexedDbBackend", async () => {
  const name = freshName();
  const journaled = {
    capacityBytes: JOURNAL_CHUNK_BYTES * JOURNAL_CHUNK_COUNT,
    chunkBytes: JOURNAL_CHUNK_BYTES,
  };
  return {
    backend: await IndexedDbBackend.open(name, journaled),
    reopen: () => IndexedDbBackend.open(name),
  };
});

function openRaw(name: string, version?: number): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(databaseName(name), version);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

describe("IndexedDbBackend", () => {
  it("does not create a disk unless told to", async () => {
    const name = freshName();
    await expect(IndexedDbBackend.open(name)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("no disk"),
    });
    expect((await indexedDB.databases()).map(database => database.name)).not.toContain(databaseName(name));
  });

  it("keeps the geometry of an existing disk, whatever the caller asks for", async () => {
    const name = freshName();
    await (await IndexedDbBackend.open(name, geometry)).close();
    const again = await IndexedDbBackend.open(name, { capacityBytes: 1, chunkBytes: 65536 });
    expect([again.chunkBytes, again.chunkCount]).toEqual([CHUNK_BYTES, CHUNK_COUNT]);
    await again.close();
  });

  it("refuses a disk whose record names another format", async () => {
    const name = freshName();
    await (await IndexedDbBackend.open(name, geometry)).close();
    const raw = await openRaw(name);
    const transaction = raw.transaction("metadata", "readwrite");
    transaction.objectStore("metadata").put({ formatVersion: 99 }, "disk");
    await new Promise(resolve => {
      transaction.oncomplete = resolve;
    });
    raw.close();
    await expect(IndexedDbBackend.open(name)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("format version 99"),
    });
  });

  it("refuses a database of a newer version", async () => {
    const name = freshName();
    (await openRaw(name, 7)).close();
    await expect(IndexedDbBackend.open(name, geometry)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("format version newer"),
    });
  });

  it("commits in strict transactions only", async () => {
    const backend = await IndexedDbBackend.open(freshName(), geometry);
    const transaction = vi.spyOn(IDBDatabase.prototype, "transaction");
    await backend.commit([{ chunk: 0, data: filled(1) }]);
    await backend.recordSeed({ seededSha256: "abc" });
    expect(transaction.mock.calls.map(call => [call[1], call[2]?.durability])).toEqual([
      ["readwrite", "strict"],
      ["readwrite", "strict"],
    ]);
    transaction.mockRestore();
    await backend.close();
  });

  it("reports a full disk as no-space, and none of the commit happened", async () => {
    const backend = await IndexedDbBackend.open(freshName(), geometry);
    await backend.commit([{ chunk: 0, data: filled(1) }]);
    // What the browser does when the quota is reached: the transaction aborts, no request reports an error.
    const put = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementationOnce(function (
      this: IDBObjectStore,
    ) {
      const { transaction } = this;
      Object.defineProperty(transaction, "error", {
        value: new DOMException("full", "QuotaExceededError"),
      });
      transaction.abort();
      return undefined as unknown as IDBRequest<IDBValidKey>;
    });
    await expect(backend.commit([{ chunk: 0, data: filled(2) }])).rejects.toMatchObject({
      kind: "no-space",
      message: expect.stringContaining("no more room"),
    });
    put.mockRestore();
    expect(await backend.read([0])).toEqual([filled(1)]);
    await backend.close();
  });

  it("takes nothing of a commit of which one value cannot be stored", async () => {
    const page = 65536;
    const backend = await IndexedDbBackend.open(freshName(), { capacityBytes: 4 * page, chunkBytes: page });
    // Shared memory cannot be stored; a page that is not cross-origin isolated gets it from WebAssembly only.
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const shared = new Uint8Array(memory.buffer) as Uint8Array<ArrayBuffer>;
    const commit = backend.commit([
      { chunk: 0, data: new Uint8Array(page) },
      { chunk: 1, data: shared },
    ]);
    await expect(commit).rejects.toMatchObject({ kind: "io" });
    expect(await backend.list()).toEqual([]);
    await backend.close();
  });

  it("reports a damaged chunk instead of handing it out", async () => {
    const name = freshName();
    const backend = await IndexedDbBackend.open(name, geometry);
    const raw = await openRaw(name);
    const transaction = raw.transaction("chunks", "readwrite");
    transaction.objectStore("chunks").put(new Uint8Array(7), 3);
    await new Promise(resolve => {
      transaction.oncomplete = resolve;
    });
    raw.close();
    await expect(backend.read([3])).rejects.toMatchObject({
      kind: "io",
      message: expect.stringContaining("Chunk 3"),
    });
    await backend.close();
  });

  it("lets go when another tab deletes the disk", async () => {
    const name = freshName();
    const backend = await IndexedDbBackend.open(name, geometry);
    await deleteDatabase(name);
    await expect(backend.read([0])).rejects.toMatchObject({ kind: "unavailable" });
    await expect(IndexedDbBackend.open(name)).rejects.toThrow("no disk");
  });

  it("says so when a disk cannot be deleted because a connection stays open", async () => {
    const name = freshName();
    await (await IndexedDbBackend.open(name, geometry)).close();
    const raw = await openRaw(name); // ignores versionchange
    await expect(deleteDatabase(name, 50)).rejects.toMatchObject({ kind: "unavailable" });
    raw.close();
  });

  it("records the seed durably", async () => {
    const name = freshName();
    const backend = await IndexedDbBackend.open(name, geometry);
    await backend.recordSeed({ seedingSha256: "abc" });
    await backend.close();
    const again = await IndexedDbBackend.open(name);
    expect(again.metadata).toMatchObject({ seedingSha256: "abc", chunkBytes: CHUNK_BYTES });
    expect(again.metadata.seededSha256).toBeUndefined();
    await again.close();
  });

  it("names the missing feature when there is no IndexedDB", async () => {
    vi.stubGlobal("indexedDB", undefined);
    await expect(IndexedDbBackend.open("x", geometry)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("IndexedDB"),
    });
    vi.unstubAllGlobals();
  });
});

describe("format version 1", () => {
  /** A database as the first version of this backend made it. */
  async function makeVersion1(name: string, record: unknown): Promise<void> {
    const db = await new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(databaseName(name), 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("chunks").put(filled(5), 3);
        request.result.createObjectStore("metadata").put(record, "disk");
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    db.close();
  }

  const version1 = {
    formatVersion: 1,
    chunkBytes: CHUNK_BYTES,
    chunkCount: CHUNK_COUNT,
    seededSha256: "abc",
  };
  const version2 = { ...version1, formatVersion: 2, lbaBytes: 512 };

  it("is converted when it is opened, and keeps everything", async () => {
    const name = freshName();
    await makeVersion1(name, version1);
    const backend = await IndexedDbBackend.open(name);
    expect(backend.metadata).toEqual(version2);
    expect(await backend.list()).toEqual([3]);
    expect(await backend.read([3])).toEqual([filled(5)]);
    await backend.commit([{ chunk: 4, data: filled(6) }]);
    await backend.close();
    const raw = await openRaw(name);
    expect([raw.version, ...raw.objectStoreNames]).toEqual([2, "chunks", "journal", "metadata"]);
    raw.close();
    const again = await IndexedDbBackend.open(name);
    expect(again.metadata).toEqual(version2);
    expect(await again.list()).toEqual([3, 4]);
    await again.close();
  });

  it("can be copied without being converted", async () => {
    const name = freshName();
    await makeVersion1(name, version1);
    const { metadata, chunks } = await readSnapshot(name);
    expect(metadata).toEqual(version2);
    expect([...chunks]).toEqual([[3, filled(5)]]);
    const raw = await openRaw(name);
    expect(raw.version).toBe(1);
    raw.close();
  });

  it("is refused and left alone when its record says something else", async () => {
    const name = freshName();
    await makeVersion1(name, { formatVersion: 12 });
    await expect(IndexedDbBackend.open(name, geometry)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("format version 12"),
    });
    const raw = await openRaw(name);
    expect([raw.version, ...raw.objectStoreNames]).toEqual([1, "chunks", "metadata"]);
    raw.close();
  });
});

describe("the geometry", () => {
  it("has logical blocks of 512 or 4096 bytes", async () => {
    const names = [freshName(), freshName()];
    await (await IndexedDbBackend.open(names[0], geometry)).close();
    await (await IndexedDbBackend.open(names[1], { ...geometry, lbaBytes: 4096 })).close();
    const found: number[] = [];
    for (const name of names) {
      const backend = await IndexedDbBackend.open(name);
      found.push(backend.metadata.lbaBytes);
      await backend.close();
    }
    expect(found).toEqual([512, 4096]);
    const odd = { ...geometry, lbaBytes: 520 as 512 };
    await expect(IndexedDbBackend.open(freshName(), odd)).rejects.toThrow(RangeError);
  });

  it("grows, durably, and never shrinks", async () => {
    const name = freshName();
    const backend = await IndexedDbBackend.open(name, geometry);
    await backend.recordSeed({ seededSha256: "abc" });
    await backend.commit([{ chunk: 1, data: filled(1) }]);
    for (const bytes of [0, CHUNK_BYTES, geometry.capacityBytes, Number.NaN]) {
      await expect(backend.grow(bytes)).rejects.toThrow(RangeError);
    }
    await expect(backend.read([CHUNK_COUNT])).rejects.toThrow(RangeError);
    await backend.grow(geometry.capacityBytes + 1);
    expect(backend.chunkCount).toBe(CHUNK_COUNT + 1);
    expect(await backend.read([CHUNK_COUNT])).toEqual([undefined]);
    await backend.commit([{ chunk: CHUNK_COUNT, data: filled(2) }]);
    await backend.close();
    const again = await IndexedDbBackend.open(name);
    expect(again.metadata).toMatchObject({ chunkCount: CHUNK_COUNT + 1, seededSha256: "abc" });
    expect(await again.read([1, CHUNK_COUNT])).toEqual([filled(1), filled(2)]);
    await again.close();
  });
});

describe("the journal", () => {
  const chunkBytes = 65536;
  const journaled = { capacityBytes: 64 * chunkBytes, chunkBytes };
  const patch = (chunk: number, value: number) => ({
    chunk,
    data: new Uint8Array(chunkBytes).fill(value),
    blocks: [1],
  });

  const isEqual = (a: Uint8Array | undefined, b: Uint8Array | undefined) =>
    a !== undefined && a.length === b?.length && a.every((byte, i) => byte === b[i]);

  async function records(name: string): Promise<number> {
    const raw = await openRaw(name);
    const request = raw.transaction("journal").objectStore("journal").count();
    const count = await new Promise<number>(resolve => {
      request.onsuccess = () => resolve(request.result);
    });
    raw.close();
    return count;
  }

  it("takes the blocks of small changes and is empty again after the next opening", async () => {
    const name = freshName();
    const backend = await IndexedDbBackend.open(name, journaled);
    const chunks = Array.from({ length: 40 }, (_, chunk) => chunk);
    await backend.commit(chunks.map(chunk => patch(chunk, chunk + 1)));
    expect(await records(name)).toBe(40);
    const contents = await backend.read(chunks);
    const again = await IndexedDbBackend.open(name);
    expect(await records(name)).toBe(0);
    const back = await again.read(chunks);
    expect(chunks.filter(chunk => !isEqual(back[chunk], contents[chunk]))).toEqual([]);
    expect(back[5]?.subarray(4095, 4097)).toEqual(new Uint8Array([0, 6]));
    await again.close();
  });

  it("is read, and not lost, when there is no room to fold it", async () => {
    const name = freshName();
    const backend = await IndexedDbBackend.open(name, journaled);
    await backend.commit([patch(3, 7)]);
    const contents = await backend.read([3]);
    const put = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (this: IDBObjectStore) {
      const { transaction } = this;
      // One transaction puts several records: it is aborted once.
      if (!transaction.error) {
        Object.defineProperty(transaction, "error", {
          value: new DOMException("full", "QuotaExceededError"),
        });
        transaction.abort();
      }
      return undefined as unknown as IDBRequest<IDBValidKey>;
    });
    const again = await IndexedDbBackend.open(name);
    put.mockRestore();
    expect(await records(name)).toBe(1);
    expect(await again.list()).toEqual([3]);
    expect(await again.read([3])).toEqual(contents);
    await again.close();
  });

  it("reports a damaged record instead of handing it out", async () => {
    const name = freshName();
    const backend = await IndexedDbBackend.open(name, journaled);
    await backend.commit([patch(3, 7)]);
    const raw = await openRaw(name);
    const transaction = raw.transaction("journal", "readwrite");
    transaction.objectStore("journal").put(new Uint8Array(7), (3 * chunkBytes) / 4096 + 1);
    await new Promise(resolve => {
      transaction.oncomplete = resolve;
    });
    raw.close();
    await expect(backend.read([3])).rejects.toMatchObject({
      kind: "io",
      message: expect.stringContaining("Chunk 3"),
    });
    await backend.close();
  });
});
