import { expect, it } from "vitest";
import { IndexedDbBackend } from "../indexeddb/indexeddb_backend.ts";
import { CHUNK_BYTES, CHUNK_COUNT, describeDiskStore } from "../testing/conformance.ts";
import { describeJournal, JOURNAL_CHUNK_BYTES, JOURNAL_CHUNK_COUNT } from "../testing/journal_conformance.ts";
import { OverlayBackend } from "./overlay_backend.ts";
import type { ReadOnlyImage } from "./read_only_image.ts";

/** All holes, or filled with one value; half as large as the disk: chunks above it and on it alike begin empty. */
function imageOf(chunkBytes: number, chunkCount: number, value = 0): ReadOnlyImage {
  const byteLength = (chunkCount / 2) * chunkBytes;
  return {
    identity: { url: "test:image", byteLength, chunkBytes, etag: '"1"' },
    byteLength,
    chunkBytes,
    isHole: () => value === 0,
    read: async () => new Uint8Array(chunkBytes).fill(value),
    close: async () => {},
  };
}
let disks = 0;
const freshName = () => `overlay-test-${Date.now()}-${disks++}`;

describeDiskStore("OverlayBackend on IndexedDB", async lbaBytes => {
  const name = freshName();
  const image = imageOf(CHUNK_BYTES, CHUNK_COUNT);
  const create = { capacityBytes: CHUNK_COUNT * CHUNK_BYTES, ...(lbaBytes && { lbaBytes }) };
  const store = await IndexedDbBackend.open(name, OverlayBackend.storeFor(image, create));
  return {
    backend: await OverlayBackend.create(store, image),
    reopen: async () => OverlayBackend.open(await IndexedDbBackend.open(name), async () => image),
  };
});

describeJournal("OverlayBackend on IndexedDB", async () => {
  const name = freshName();
  const image = imageOf(JOURNAL_CHUNK_BYTES, JOURNAL_CHUNK_COUNT);
  const create = { capacityBytes: JOURNAL_CHUNK_COUNT * JOURNAL_CHUNK_BYTES };
  const store = await IndexedDbBackend.open(name, OverlayBackend.storeFor(image, create));
  return {
    backend: await OverlayBackend.create(store, image),
    reopen: async () => OverlayBackend.open(await IndexedDbBackend.open(name), async () => image),
  };
});

it("stores a chunk of the image as a whole the first time, and small changes of it from then on", async () => {
  const image = imageOf(JOURNAL_CHUNK_BYTES, JOURNAL_CHUNK_COUNT, 7);
  const store = await IndexedDbBackend.open(freshName(), OverlayBackend.storeFor(image));
  const disk = await OverlayBackend.create(store, image);
  const data = new Uint8Array(JOURNAL_CHUNK_BYTES).fill(7);
  for (const block of [1, 2]) {
    data.fill(9, block * 4096, (block + 1) * 4096);
    await disk.commit([{ chunk: 0, data, blocks: [block] }]);
    expect((await disk.read([0]))[0]).toEqual(data);
  }
  await disk.close();
});
