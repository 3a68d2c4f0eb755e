import { CHUNK_BYTES, CHUNK_COUNT, describeDiskStore } from "./conformance.ts";
import { IndexedDbBackend } from "./indexeddb_backend.ts";
import { OverlayBackend } from "./overlay_backend.ts";
import type { ReadOnlyImage } from "./read_only_image.ts";

/** All holes, and half as large as the disk: chunks above it and on it alike begin empty. */
const byteLength = (CHUNK_COUNT / 2) * CHUNK_BYTES;
const image: ReadOnlyImage = {
  identity: { url: "test:image", byteLength, chunkBytes: CHUNK_BYTES, etag: '"1"' },
  byteLength,
  chunkBytes: CHUNK_BYTES,
  isHole: () => true,
  read: async () => undefined,
  close: async () => {},
};
let disks = 0;

describeDiskStore("OverlayBackend on IndexedDB", async lbaBytes => {
  const name = `overlay-test-${Date.now()}-${disks++}`;
  const create = { capacityBytes: CHUNK_COUNT * CHUNK_BYTES, ...(lbaBytes && { lbaBytes }) };
  const store = await IndexedDbBackend.open(name, OverlayBackend.storeFor(image, create));
  return {
    backend: await OverlayBackend.create(store, image),
    reopen: async () => OverlayBackend.open(await IndexedDbBackend.open(name), async () => image),
  };
});
