import { describe, expect, it, vi } from "vitest";
import { CHUNK_BYTES, CHUNK_COUNT, describeBlockBackend, filled } from "./conformance.ts";
import type { NewDisk } from "./disk_store.ts";
import { databaseName, deleteDatabase, IndexedDbBackend } from "./indexeddb_backend.ts";

const geometry: NewDisk = { capacityBytes: CHUNK_BYTES * CHUNK_COUNT, chunkBytes: CHUNK_BYTES };
let disks = 0;
const freshName = () => `test-${Date.now()}-${disks++}`;

describeBlockBackend("IndexedDbBackend", async () => {
  const name = freshName();
  return {
    backend: await IndexedDbBackend.open(name, geometry),
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
