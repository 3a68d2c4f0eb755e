import { CHUNK_BYTES, CHUNK_COUNT, describeDiskStore } from "./conformance.ts";
import { IndexedDbBackend } from "./indexeddb_backend.ts";
import { describeJournal, JOURNAL_CHUNK_BYTES, JOURNAL_CHUNK_COUNT } from "./journal_conformance.ts";
import { OverlayBackend } from "./overlay_backend.ts";
import type { ReadOnlyImage } from "./read_only_image.ts";

/** All holes, and half as large as the disk: chunks above it and on it alike begin empty. */
function imageOf(chunkBytes: number, chunkCount: number): ReadOnlyImage {
  const byteLength = (chunkCount / 2) * chunkBytes;
  return {
    identity: { url: "test:image", byteLength, chunkBytes, etag: '"1"' },
    byteLength,
    chunkBytes,
    isHole: () => true,
    read: async () => undefined,
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
