import { afterEach, describe, expect, it } from "vitest";
import { CHUNK_BYTES, filled } from "../testing/conformance.ts";
import { IndexedDbBackend } from "./indexeddb_backend.ts";
import { databaseName, GENERATION_KEY, OWNER_KEY } from "./indexeddb_database.ts";

const CHUNK = 4 * CHUNK_BYTES;
const geometry = { capacityBytes: CHUNK * 16, chunkBytes: CHUNK };
let disks = 0;
const freshName = () => `generation-test-${Date.now()}-${disks++}`;
const opened: IndexedDbBackend[] = [];
const chunk = (value: number) => new Uint8Array(CHUNK).fill(value);

async function open(name: string): Promise<IndexedDbBackend> {
  const backend = await IndexedDbBackend.open(name, geometry);
  opened.push(backend);
  return backend;
}

afterEach(async () => {
  for (const backend of opened.splice(0)) await backend.close();
});

describe("the generation of a disk", () => {
  it("stays the same while nothing is written, also when the disk is closed and opened", async () => {
    const name = freshName();
    const disk = await open(name);
    await disk.commit([{ chunk: 0, data: chunk(1) }]);
    const generation = await disk.seal();
    expect(await disk.seal()).toBe(generation);
    await disk.read([0]);
    await disk.close();
    const again = await open(name);
    expect(await again.seal()).toBe(generation);
    await again.close();
    expect(await (await open(name)).seal()).toBe(generation);
  });

  it.each([
    ["a write", (disk: IndexedDbBackend) => disk.commit([{ chunk: 0, data: chunk(2) }])],
    [
      "a write of one block",
      (disk: IndexedDbBackend) => disk.commit([{ chunk: 0, data: chunk(2), blocks: [1] }]),
    ],
    ["a removal", (disk: IndexedDbBackend) => disk.commit([{ chunk: 0, data: undefined }])],
    ["another block size", (disk: IndexedDbBackend) => disk.setLbaBytes(4096)],
    ["another size", (disk: IndexedDbBackend) => disk.grow(CHUNK * 32)],
    ["an image", (disk: IndexedDbBackend) => disk.recordSeed({ seedingSha256: "ab" })],
  ])("is another one after %s, for good", async (_, change) => {
    const name = freshName();
    const disk = await open(name);
    await disk.commit([{ chunk: 0, data: chunk(1) }]);
    const before = await disk.seal();
    await change(disk);
    const after = await disk.seal();
    expect(after).not.toBe(before);
    await change(await open(name)).catch(() => {});
    await disk.close();
    expect(await (await open(name)).seal()).not.toBe(before);
  });

  it("is another one after a write of the next visit, and after one whose end nobody saw", async () => {
    const name = freshName();
    const disk = await open(name);
    const before = await disk.seal();
    await disk.close();
    const next = await open(name);
    const write = next.commit([{ chunk: 3, data: chunk(3) }]);
    const sealed = next.seal();
    await Promise.all([write, sealed]);
    expect(await sealed).not.toBe(before);
    expect(await next.seal()).toBe(await sealed);
  });

  it("is not changed by folding the journal, here or at the next opening", async () => {
    const name = freshName();
    const disk = await open(name);
    await disk.commit([{ chunk: 0, data: chunk(1) }]);
    await disk.commit([{ chunk: 0, data: chunk(2), blocks: [0] }]);
    await disk.commit([{ chunk: 1, data: chunk(2), blocks: [0] }]);
    const generation = await disk.seal();
    const [content] = await disk.read([0]);
    await disk.commit([{ chunk: 0, data: content, isFold: true }]);
    expect(await disk.seal()).toBe(generation);
    await disk.close();
    const again = await open(name);
    expect(await again.seal()).toBe(generation);
  });

  it("means nothing once someone had the disk who knows of no generations", async () => {
    const name = freshName();
    const disk = await open(name);
    const generation = await disk.seal();
    await disk.close();
    // What an earlier version does: its token, its data, and nothing else.
    await new Promise<void>((resolve, reject) => {
      const request = indexedDB.open(databaseName(name));
      request.onsuccess = () => {
        const transaction = request.result.transaction(["metadata", "chunks"], "readwrite");
        transaction.objectStore("metadata").put("another", OWNER_KEY);
        transaction.objectStore("chunks").put(chunk(9), 5);
        transaction.oncomplete = () => {
          request.result.close();
          resolve();
        };
        transaction.onabort = () => reject(transaction.error);
      };
    });
    expect(await (await open(name)).seal()).not.toBe(generation);
    expect(GENERATION_KEY).not.toBe(OWNER_KEY);
  });

  it("is the one that the record of the image names, until the first change after it", async () => {
    const name = freshName();
    const disk = await open(name);
    await disk.recordSeed({ seedingSha256: "ab" });
    await disk.commit([{ chunk: 0, data: chunk(1) }]);
    await disk.recordSeed({ seededSha256: "ab" }, "named");
    expect(await disk.seal()).toBe("named");
    await disk.close();
    const again = await open(name);
    expect(await again.seal()).toBe("named");
    expect(again.metadata.seededSha256).toBe("ab");
    await again.commit([{ chunk: 0, data: chunk(2), blocks: [1] }]);
    expect(await again.seal()).not.toBe("named");
  });

  it("is not the named one when a change came while that was recorded", async () => {
    const disk = await open(freshName());
    await disk.commit([{ chunk: 0, data: chunk(1) }]);
    await Promise.all([
      disk.recordSeed({ seededSha256: "ab" }, "named"),
      disk.commit([{ chunk: 0, data: chunk(2) }]),
    ]);
    expect(await disk.seal()).not.toBe("named");
  });

  it("is a disk's own", async () => {
    const [one, other] = [await open(freshName()), await open(freshName())];
    expect(await one.seal()).not.toBe(await other.seal());
    expect(filled(1)).toHaveLength(CHUNK_BYTES);
  });
});
