import { describe, expect, it, vi } from "vitest";
import type { NewDisk } from "../disk_store.ts";
import { CHUNK_BYTES, CHUNK_COUNT, describeDiskStore, filled } from "../testing/conformance.ts";
import { RemoteStores } from "../testing/remote_store.ts";
import { OpfsBackend } from "./opfs_backend.ts";
import { deleteOpfsDisk } from "./opfs_files.ts";

const geometry: NewDisk = { capacityBytes: CHUNK_BYTES * CHUNK_COUNT, chunkBytes: CHUNK_BYTES };
let disks = 0;
const freshName = () => `test ${Date.now()}/${disks++}`;
const stores = new RemoteStores();

describeDiskStore("OpfsBackend in a worker", async lbaBytes => {
  const name = freshName();
  return {
    backend: await stores.open(name, lbaBytes ? { ...geometry, lbaBytes } : geometry),
    reopen: () => stores.open(name),
  };
});

describe("OpfsBackend in a worker", () => {
  it("does not create a disk unless told to", async () => {
    const noDisk = { kind: "unavailable", message: expect.stringContaining("no disk") };
    const name = freshName();
    await expect(stores.open(name)).rejects.toMatchObject(noDisk);
    await expect(stores.open(name)).rejects.toMatchObject(noDisk);
  });

  it("has one owner: a second opener is refused, and neither can anybody delete the disk", async () => {
    const name = freshName();
    const disk = await stores.open(name, geometry);
    const refused = { kind: "unavailable", message: expect.stringContaining("another tab") };
    await expect(stores.open(name)).rejects.toMatchObject(refused);
    await expect(new RemoteStores().open(name, geometry)).rejects.toMatchObject(refused);
    await expect(deleteOpfsDisk(name)).rejects.toMatchObject(refused);
    await disk.commit([{ chunk: 0, data: filled(1) }]);
    await disk.close();
    const again = await stores.open(name);
    expect(await again.read([0])).toEqual([filled(1)]);
    await again.close();
  });

  it("keeps what was committed, and lets go of the disk, when its worker is terminated", async () => {
    const name = freshName();
    const doomed = new RemoteStores();
    const disk = await doomed.open(name, geometry);
    await disk.commit([{ chunk: 3, data: filled(3) }]);
    doomed.worker.terminate();
    // The browser frees the files a moment later.
    const again = await vi.waitFor(() => stores.open(name), { timeout: 10_000, interval: 50 });
    expect(await again.read([3])).toEqual([filled(3)]);
    await again.close();
  });

  it("is gone once it is deleted; deleting it twice is fine", async () => {
    const name = freshName();
    const disk = await stores.open(name, geometry);
    await disk.commit([{ chunk: 3, data: filled(3) }]);
    await disk.close();
    await deleteOpfsDisk(name);
    await deleteOpfsDisk(name);
    await expect(stores.open(name)).rejects.toThrow("no disk");
    const fresh = await stores.open(name, geometry);
    expect(await fresh.list()).toEqual([]);
    await fresh.close();
  });

  it("takes what a half deletion left as no disk", async () => {
    const name = freshName();
    const disk = await stores.open(name, geometry);
    await disk.commit([{ chunk: 3, data: filled(3) }]);
    await disk.close();
    const root = await navigator.storage.getDirectory();
    const directory = await root.getDirectoryHandle(`doorbell-disk-${encodeURIComponent(name)}`);
    await directory.removeEntry("index.0");
    await expect(stores.open(name)).rejects.toThrow("no disk");
    const fresh = await stores.open(name, geometry);
    expect(await fresh.list()).toEqual([]);
    await fresh.close();
  });

  it("says where it works when it is opened in a page", async () => {
    await expect(OpfsBackend.open(freshName(), geometry)).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("dedicated worker"),
    });
  });
});
