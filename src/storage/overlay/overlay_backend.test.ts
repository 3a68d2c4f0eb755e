import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StorageError } from "../block_backend.ts";
import { BlockCache } from "../cache/block_cache.ts";
import { OpfsBackend } from "../opfs/opfs_backend.ts";
import { CHUNK_BYTES, CHUNK_COUNT, describeDiskStore, filled } from "../testing/conformance.ts";
import { crashingFiles } from "../testing/crashing_files.ts";
import { ImageServer } from "../testing/image_server.ts";
import { read, write, zero } from "../testing/test_support.ts";
import { createHttpDisk, imageCacheName, type OpenStore, openHttpDisk } from "./http_disk.ts";
import { HttpImage } from "./http_image.ts";
import { makeManifest } from "./image_manifest.ts";
import { OverlayBackend } from "./overlay_backend.ts";
import type { ReadOnlyImage } from "./read_only_image.ts";

/** An image in memory; `values` has what each chunk is filled with, 0 for a hole. */
function imageOf(values: readonly number[], url = "test:image"): ReadOnlyImage {
  const byteLength = values.length * CHUNK_BYTES;
  return {
    identity: { url, byteLength, chunkBytes: CHUNK_BYTES, etag: '"1"' },
    byteLength,
    chunkBytes: CHUNK_BYTES,
    isHole: chunk => values[chunk] === 0,
    read: async chunk => (values[chunk] === 0 ? undefined : filled(values[chunk])),
    close: async () => {},
  };
}

/** Stores in memory, by name, that stay when they are closed. */
function memoryStores() {
  const files = new Map<string, ReturnType<typeof crashingFiles>>();
  const open: OpenStore = async (name, create) => {
    const found = files.get(name);
    if (!found && !create) throw new StorageError("unavailable", `There is no disk "${name}".`);
    const its = found ?? crashingFiles();
    files.set(name, its);
    return OpfsBackend.openFiles(name, its, create);
  };
  return { files, open };
}

/** The image is all holes, and half as large as the disk: chunks above it and on it alike begin empty. */
describeDiskStore("OverlayBackend", async lbaBytes => {
  const { open } = memoryStores();
  const image = () => imageOf(new Array(CHUNK_COUNT / 2).fill(0));
  const create = { capacityBytes: CHUNK_COUNT * CHUNK_BYTES, ...(lbaBytes && { lbaBytes }) };
  return {
    backend: await OverlayBackend.create(
      await open("disk", OverlayBackend.storeFor(image(), create)),
      image(),
    ),
    reopen: async () => OverlayBackend.open(await open("disk"), async () => image()),
  };
});

describe("OverlayBackend", () => {
  const values = [1, 0, 3, 4];
  const capacityBytes = 6 * CHUNK_BYTES;

  async function create(image = imageOf(values)) {
    const stores = memoryStores();
    const store = await stores.open("disk", OverlayBackend.storeFor(image, { capacityBytes }));
    const disk = await OverlayBackend.create(store, image);
    const reopen = async (other = image) => OverlayBackend.open(await stores.open("disk"), async () => other);
    return { disk, store, reopen };
  }

  const firstBytes = async (disk: OverlayBackend) =>
    (await disk.read([0, 1, 2, 3, 4, 5])).map(chunk => chunk?.[0]);

  it("shows the image, then what was written, and zeroes where it was removed; so too when it is opened again", async () => {
    const { disk, reopen } = await create();
    expect([disk.chunkCount, disk.ownBytes]).toEqual([6, 0]);
    expect(await disk.list()).toEqual([0, 2, 3]);
    expect(await firstBytes(disk)).toEqual([1, undefined, 3, 4, undefined, undefined]);
    await disk.commit([
      { chunk: 0, data: filled(10) },
      { chunk: 2, data: undefined },
      { chunk: 5, data: filled(50) },
    ]);
    await disk.commit([
      { chunk: 3, data: undefined },
      { chunk: 1, data: filled(11) },
    ]);
    await disk.commit([{ chunk: 3, data: filled(13) }]);
    await disk.commit([{ chunk: 3, data: undefined }]);
    expect(disk.ownBytes).toBe(3 * CHUNK_BYTES);
    const content = [10, 11, undefined, undefined, undefined, 50];
    expect(await firstBytes(disk)).toEqual(content);
    await disk.close();
    const again = await reopen();
    expect(await firstBytes(again)).toEqual(content);
    expect(await again.list()).toEqual([0, 1, 5]);
    expect(again.image).toEqual(imageOf(values).identity);
  });

  it("refuses another image, a store that is none, and one whose making was not finished", async () => {
    const { disk, reopen } = await create();
    await disk.close();
    for (const other of [imageOf(values, "test:other"), imageOf([1, 0, 3])]) {
      await expect(reopen(other)).rejects.toMatchObject({
        kind: "unavailable",
        message: expect.stringContaining("another one"),
      });
    }
    expect(await firstBytes(await reopen())).toEqual([1, undefined, 3, 4, undefined, undefined]);
    const stores = memoryStores();
    const plain = await stores.open("plain", { capacityBytes, chunkBytes: CHUNK_BYTES });
    const image = async () => imageOf(values);
    await expect(OverlayBackend.open(plain, image)).rejects.toThrow("never completed");
    await plain.commit([{ chunk: 3, data: filled(1) }]);
    await expect(OverlayBackend.open(plain, image)).rejects.toThrow("does not stand on a base image");
    await plain.commit([{ chunk: 0, data: filled(65) }]);
    await expect(OverlayBackend.open(plain, image)).rejects.toThrow("it is none");
    expect(() => OverlayBackend.storeFor(imageOf(values), { capacityBytes: 5 })).toThrow(RangeError);
  });

  it("is not changed by a commit that fails", async () => {
    const { disk, store } = await create();
    await store.close();
    await expect(disk.commit([{ chunk: 0, data: undefined }])).rejects.toMatchObject({ kind: "unavailable" });
    const { files, open } = memoryStores();
    const image = imageOf(values);
    let fails = false;
    files.set(
      "disk",
      crashingFiles(operation => {
        if (fails && operation === "write") throw new DOMException("full", "QuotaExceededError");
      }),
    );
    const failing = await OverlayBackend.create(await open("disk", OverlayBackend.storeFor(image)), image);
    fails = true;
    const first = failing.commit([{ chunk: 0, data: undefined }]);
    const second = failing.commit([{ chunk: 2, data: filled(9) }]);
    for (const commit of [first, second]) await expect(commit).rejects.toMatchObject({ kind: "no-space" });
    fails = false;
    expect((await failing.read([0, 2])).map(chunk => chunk?.[0])).toEqual([1, 3]);
    expect([await failing.list(), failing.ownBytes]).toEqual([[0, 2, 3], 0]);
  });

  it("behaves like a map of chunks that begins as the image, read through the block cache", async () => {
    const step = fc.record({
      chunk: fc.nat(5),
      kind: fc.constantFrom("write", "zero", "flush", "reopen"),
      value: fc.integer({ min: 1, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async steps => {
        const { disk, reopen } = await create();
        let cache = await BlockCache.open(disk, { cacheBytes: 4 * CHUNK_BYTES });
        const model = [...values, 0, 0];
        for (const { chunk, kind, value } of steps) {
          if (kind === "write") await write(cache, chunk * CHUNK_BYTES, filled(value));
          if (kind === "zero") await zero(cache, chunk * CHUNK_BYTES, CHUNK_BYTES);
          if (kind === "write") model[chunk] = value;
          if (kind === "zero") model[chunk] = 0;
          if (kind === "flush") await cache.flush();
          if (kind === "reopen") {
            await cache.close();
            cache = await BlockCache.open(await reopen(), { cacheBytes: 4 * CHUNK_BYTES });
          }
        }
        for (const [chunk, value] of model.entries()) {
          expect(await read(cache, chunk * CHUNK_BYTES, CHUNK_BYTES)).toEqual(filled(value));
        }
        await cache.close();
      }),
      { numRuns: 100 },
    );
  });
});

describe("a disk on an image over HTTP", () => {
  const image = new Uint8Array(8 * CHUNK_BYTES).map((_, i) => (i >> 12 === 3 ? 0 : (i >> 12) + 1));
  let server: ImageServer;
  let stores: ReturnType<typeof memoryStores>;
  const options = () => ({ chunkBytes: CHUNK_BYTES, manifestUrl: server.manifestUrl, tries: 1 });
  const open = () => openHttpDisk("disk", options(), stores.open);

  beforeEach(async () => {
    server = new ImageServer(image);
    server.manifest = JSON.stringify(await makeManifest([image], CHUNK_BYTES));
    await server.start();
    stores = memoryStores();
  });
  afterEach(() => server.stop());

  it("reads each chunk once, keeps it for the time without network, and keeps copies and own data apart", async () => {
    let disk = await createHttpDisk(
      "disk",
      server.url,
      { ...options(), capacityBytes: 10 * CHUNK_BYTES },
      stores.open,
    );
    expect((await disk.read([0, 1, 3, 9])).map(chunk => chunk?.[0])).toEqual([1, 2, undefined, undefined]);
    await disk.commit([
      { chunk: 1, data: undefined },
      { chunk: 5, data: filled(99) },
    ]);
    expect(disk.ownBytes).toBe(CHUNK_BYTES);
    await disk.close();
    disk = await open();
    server.ranges.length = 0;
    expect((await disk.read([0, 1, 2, 5])).map(chunk => chunk?.[0])).toEqual([1, undefined, 3, 99]);
    expect(server.ranges).toEqual(["bytes=8192-12287"]);
    await disk.close();

    await server.stop();
    disk = await open();
    expect((await disk.read([0, 1, 2, 3, 5])).map(chunk => chunk?.[0])).toEqual([
      1,
      undefined,
      3,
      undefined,
      99,
    ]);
    await expect(disk.read([7])).rejects.toMatchObject({
      kind: "io",
      message: expect.stringContaining("Check the network"),
    });
    await disk.commit([{ chunk: 7, data: filled(77) }]); // writing needs no network
    await server.start();
    expect((await disk.read([6, 7])).map(chunk => chunk?.[0])).toEqual([7, 77]);
    await disk.close();
  });

  it("loses nothing with its cache", async () => {
    const disk = await createHttpDisk("disk", server.url, options(), stores.open);
    await disk.read([0]);
    await disk.commit([{ chunk: 2, data: filled(9) }]);
    await disk.close();
    stores.files.delete(imageCacheName("disk"));
    const again = await open();
    expect((await again.read([0, 2])).map(chunk => chunk?.[0])).toEqual([1, 9]);
    await again.close();
  });

  it("goes on reading when there is no room for copies", async () => {
    stores.files.set(
      imageCacheName("disk"),
      crashingFiles(operation => {
        if (operation === "write") throw new DOMException("full", "QuotaExceededError");
      }),
    );
    const disk = await createHttpDisk("disk", server.url, options(), stores.open);
    expect((await disk.read([0]))[0]).toEqual(filled(1));
    await disk.close();
  });

  it("refuses the image once it has changed, and takes no harm", async () => {
    const disk = await createHttpDisk("disk", server.url, options(), stores.open);
    await disk.commit([{ chunk: 2, data: filled(9) }]);
    await disk.close();
    const { manifest } = server;
    server.manifest = JSON.stringify(await makeManifest([new Uint8Array(image.length)], CHUNK_BYTES));
    await expect(open()).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("has changed"),
    });
    server.manifest = manifest;
    const again = await open();
    expect((await again.read([2]))[0]).toEqual(filled(9));
    await again.close();
    await expect(createHttpDisk("disk", server.url, options(), stores.open)).rejects.toThrow("already");
    expect(await (await HttpImage.open(server.url, options())).read(0)).toEqual(filled(1));
  });
});
