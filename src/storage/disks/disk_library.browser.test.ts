import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { IndexedDbBackend } from "../indexeddb/indexeddb_backend.ts";
import { databaseName } from "../indexeddb/indexeddb_database.ts";
import { TransferCancelled, type TransferControl } from "../transfer/transfer_control.ts";
import { Catalogue } from "./catalogue.ts";
import { CatalogueError, type DiskEntry, MAX_CAPACITY_BYTES } from "./disk_entry.ts";
import { openStore } from "./disk_kinds.ts";
import { DiskLibrary, openCatalogued } from "./disk_library.ts";
import { lockDisk } from "./disk_lock.ts";

const MIB = 2 ** 20;
const CHUNK = 256 * 1024;
let catalogues = 0;
let library: DiskLibrary;
let catalogueName: string;
const control: TransferControl = { signal: new AbortController().signal, progress: () => {} };

beforeEach(() => {
  catalogueName = `catalogue-test-${Date.now()}-${catalogues++}`;
  library = new DiskLibrary(new Catalogue(catalogueName));
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const { name } of await library.disks()) await library.remove(name);
  indexedDB.deleteDatabase(catalogueName);
});

const databases = async () => (await indexedDB.databases()).map(({ name }) => name);
const exists = async ({ id }: DiskEntry) => (await databases()).includes(databaseName(id));

async function withStore<T>(name: string, use: (store: IndexedDbBackend) => Promise<T>): Promise<T> {
  const { id } = await library.catalogue.find(name);
  const store = (await openCatalogued(library.catalogue, id)) as IndexedDbBackend;
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

const write = (name: string, chunk: number, value: number) =>
  withStore(name, store => store.commit([{ chunk, data: new Uint8Array(CHUNK).fill(value) }]));

/** First byte of each chunk that exists. */
const contentOf = (name: string) =>
  withStore(name, async store => {
    const chunks = await store.list();
    return Object.fromEntries((await store.read(chunks)).map((data, i) => [chunks[i], data?.[0]]));
  });

/** An image with something in chunks 0 and 9, of `bytes` bytes. */
function image(bytes = 10 * CHUNK): Blob {
  const data = new Uint8Array(bytes);
  data[0] = 1;
  data[data.length - 1] = 2;
  data[9 * CHUNK] = 9;
  return new Blob([data]);
}

/** A control that cancels at its n-th progress. */
function cancelledAt(count: number): TransferControl {
  const abort = new AbortController();
  return { signal: abort.signal, progress: () => --count === 0 && abort.abort() };
}

describe("DiskLibrary", () => {
  it("creates disks with their block size, and lists them", async () => {
    await library.create({ name: "data" }, 3 * MIB);
    await library.create({ name: "Größe 4K", lbaBytes: 4096 }, 5 * MIB + 4096);
    expect(await library.disks()).toMatchObject([
      {
        name: "data",
        kind: "indexeddb",
        lbaBytes: 512,
        capacityBytes: 3 * MIB,
        attached: false,
        state: "ready",
      },
      { name: "Größe 4K", lbaBytes: 4096, capacityBytes: 5 * MIB + 4096 },
    ]);
    await withStore("Größe 4K", async store => {
      expect(store.metadata.lbaBytes).toBe(4096);
      expect(store.chunkCount).toBe(21);
    });
  });

  const badNames = [
    "",
    " x",
    "x ",
    "a/b",
    "a\\b",
    "a\nb",
    ".hidden",
    "x".repeat(49),
    "system",
    "scratch",
    "<b>",
  ];
  for (const name of badNames) {
    it(`refuses the name ${JSON.stringify(name)}`, async () => {
      await expect(library.create({ name }, MIB)).rejects.toThrow(CatalogueError);
      await expect(library.create({ name }, MIB)).rejects.toThrow(/cannot be called/);
      expect(await library.catalogue.entries()).toEqual([]);
    });
  }

  it("refuses sizes that no disk can have", async () => {
    for (const size of [0, -1, MIB - 512, MIB + 1, Number.NaN, MAX_CAPACITY_BYTES + 512]) {
      await expect(library.create({ name: "x" }, size)).rejects.toThrow(CatalogueError);
    }
    await expect(library.create({ name: "x", lbaBytes: 4096 }, MIB + 512)).rejects.toThrow(/multiple/);
    await expect(library.create({ name: "x", lbaBytes: 520 as 512 }, MIB)).rejects.toThrow(/512 or 4096/);
  });

  it("gives a name once, also when two ask at the same time", async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 4 }, () => library.create({ name: "data" }, MIB)),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await library.catalogue.entries()).toHaveLength(1);
    await library.create({ name: "other" }, MIB);
    await expect(library.rename("other", "data")).rejects.toThrow(/already/);
  });

  it("renames a disk, which keeps its data, and frees its name", async () => {
    await library.create({ name: "a" }, MIB);
    await write("a", 1, 7);
    await library.rename("a", "b");
    await library.create({ name: "a" }, MIB);
    expect(await contentOf("b")).toEqual({ 1: 7 });
    expect(await contentOf("a")).toEqual({});
    await expect(library.rename("c", "d")).rejects.toThrow(/no disk called “c”/);
  });

  it("makes a disk larger when it is opened next; never smaller", async () => {
    await library.create({ name: "a" }, MIB);
    await write("a", 3, 3);
    await library.resize("a", 2 * MIB + 512);
    await withStore("a", async store => expect(store.chunkCount).toBe(9));
    expect(await contentOf("a")).toEqual({ 3: 3 });
    expect((await library.catalogue.find("a")).capacityBytes).toBe(2 * MIB + 512);
    await expect(library.resize("a", MIB)).rejects.toThrow(/cannot be made smaller/);
  });

  it("wipes a disk, also when it is interrupted", async () => {
    const entry = await library.create({ name: "a", lbaBytes: 4096 }, MIB);
    await write("a", 3, 3);
    await library.wipe("a");
    expect(await exists(entry)).toBe(false);
    expect(await contentOf("a")).toEqual({});
    await withStore("a", async store => expect(store.metadata.lbaBytes).toBe(4096));
    await write("a", 3, 3);
    expect(await contentOf("a")).toEqual({ 3: 3 });
    // As the crash between the two steps leaves it.
    await library.catalogue.update(entry.id, () => ({ state: "empty" }));
    expect(await contentOf("a")).toEqual({});
  });

  it("deletes a disk and its data", async () => {
    const entry = await library.create({ name: "a" }, MIB);
    expect(await exists(entry)).toBe(true);
    await library.remove("a");
    expect([await exists(entry), await library.catalogue.entries()]).toEqual([false, []]);
  });

  it("leaves a disk alone that is open", async () => {
    const { id } = await library.create({ name: "a" }, MIB);
    const unlock = await lockDisk(id);
    await expect(library.remove("a")).rejects.toThrow(/in use/);
    await expect(library.wipe("a")).rejects.toThrow(/in use/);
    expect(await library.disks()).toMatchObject([{ name: "a", state: "ready" }]);
    unlock();
  });

  it("clones a disk", async () => {
    await library.create({ name: "a", lbaBytes: 4096 }, 4 * MIB);
    await write("a", 0, 1);
    await write("a", 15, 2);
    const steps: number[] = [];
    await library.clone("a", "b", { ...control, progress: done => steps.push(done) });
    await write("a", 0, 9);
    expect(await contentOf("b")).toEqual({ 0: 1, 15: 2 });
    expect(await library.catalogue.find("b")).toMatchObject({
      lbaBytes: 4096,
      capacityBytes: 4 * MIB,
      attached: false,
    });
    expect(steps.at(-1)).toBe(2 * CHUNK);
    await expect(library.clone("a", "b", control)).rejects.toThrow(/already/);
  });

  it("imports an image, exports it again, and both are the same", async () => {
    const file = image(10 * CHUNK + 512);
    const { entry, paddedBytes } = await library.importImage(file, { name: "a" }, control);
    expect([entry.capacityBytes, paddedBytes]).toEqual([10 * CHUNK + 512, 0]);
    const back = await library.exportImage("a", undefined, control);
    expect(back?.size).toBe(file.size);
    expect(new Uint8Array((await back?.arrayBuffer()) ?? [])).toEqual(
      new Uint8Array(await file.arrayBuffer()),
    );
    expect(Object.keys(await contentOf("a"))).toEqual(["0", "9", "10"]);
  });

  it("pads an image to whole blocks", async () => {
    const { entry, paddedBytes } = await library.importImage(
      image(10 * CHUNK + 513),
      { name: "a", lbaBytes: 4096 },
      control,
    );
    expect([entry.capacityBytes, paddedBytes]).toEqual([10 * CHUNK + 4096, 4096 - 513]);
  });

  it("exports a disk that is mostly hole without reading it", async () => {
    await library.create({ name: "a" }, 1024 * MIB);
    await write("a", 2000, 5);
    const read = vi.spyOn(IndexedDbBackend.prototype, "read");
    const back = await library.exportImage("a", undefined, control);
    expect(read.mock.calls).toEqual([[[2000]]]);
    expect(back?.size).toBe(1024 * MIB);
    const at = 2000 * CHUNK;
    const around = new Uint8Array((await back?.slice(at - 1, at + CHUNK + 1).arrayBuffer()) ?? []);
    expect([around[0], around[1], around.at(-2), around.at(-1)]).toEqual([0, 5, 5, 0]);
  });

  it("leaves nothing of what was cancelled", async () => {
    const big = new Blob([new Uint8Array(12 * MIB).fill(1)]);
    const before = (await databases()).length;
    await expect(library.importImage(big, { name: "a" }, cancelledAt(2))).rejects.toThrow(TransferCancelled);
    const { entry } = await library.importImage(big, { name: "b" }, control);
    await expect(library.clone("b", "c", cancelledAt(1))).rejects.toThrow(TransferCancelled);
    await expect(library.exportImage("b", undefined, cancelledAt(1))).rejects.toThrow(TransferCancelled);
    expect(await library.catalogue.entries()).toMatchObject([{ id: entry.id, state: "ready" }]);
    expect((await databases()).length).toBe(before + 1);
  });

  it("leaves nothing of what failed", async () => {
    vi.spyOn(IndexedDbBackend.prototype, "commit").mockRejectedValue(new Error("power cut"));
    await expect(library.importImage(image(), { name: "a" }, control)).rejects.toThrow("power cut");
    expect(await library.catalogue.entries()).toEqual([]);
    await expect(library.importImage(new Blob([]), { name: "a" }, control)).rejects.toThrow(/empty/);
  });

  it("cleans up after a crash, but not after those who are still at work", async () => {
    const whole = await library.create({ name: "whole" }, MIB);
    // What a browser leaves that was killed in the middle of an import and of a deletion: locks are gone.
    const half = {
      ...whole,
      id: `${whole.id}-half`,
      name: "half",
      state: "incomplete",
      work: "gone-1",
    } as const;
    await library.catalogue.add(() => half);
    await (await openStore(half, { capacityBytes: MIB })).close();
    const doomed = await library.create({ name: "doomed" }, MIB);
    await library.catalogue.update(doomed.id, () => ({ state: "deleting", work: "gone-2" }));
    expect(await library.disks()).toMatchObject([{ name: "whole" }]);
    await expect(library.catalogue.find("half")).rejects.toThrow(/no disk/);
    await expect(library.create({ name: "half" }, MIB)).rejects.toThrow(/just being made or deleted/);

    const importing = library.importImage(
      image(),
      { name: "busy" },
      {
        ...control,
        progress: () => void cleaning.push(new DiskLibrary(new Catalogue(catalogueName)).cleanUp()),
      },
    );
    const cleaning: Promise<void>[] = [];
    await importing;
    await Promise.all(cleaning);
    expect(cleaning.length).toBeGreaterThan(0);
    expect(await library.catalogue.entries()).toMatchObject([
      { name: "whole" },
      { name: "busy", state: "ready" },
    ]);
    expect([await exists(half), await exists(doomed), await exists(whole)]).toEqual([false, false, true]);
    expect(Object.keys(await contentOf("busy"))).toEqual(["0", "9"]);
  });

  it("adopts the disks of earlier versions, once", async () => {
    const id = `legacy-${Date.now()}`;
    const store = await IndexedDbBackend.open(id, { capacityBytes: 3 * MIB, lbaBytes: 4096 });
    await store.commit([{ chunk: 2, data: new Uint8Array(CHUNK).fill(8) }]);
    await store.close();
    await library.create({ name: id }, MIB);
    await library.adopt();
    await library.adopt();
    const adopted = (await library.disks()).filter(entry => entry.id === id);
    expect(adopted).toMatchObject([
      { name: `${id} 2`, kind: "indexeddb", lbaBytes: 4096, capacityBytes: 3 * MIB, attached: false },
    ]);
    expect(await contentOf(`${id} 2`)).toEqual({ 2: 8 });
  });

  it("says that a disk's data are gone, and lets it be deleted", async () => {
    const { id } = await library.create({ name: "a" }, MIB);
    await new Promise(resolve => {
      indexedDB.deleteDatabase(databaseName(id)).onsuccess = resolve;
    });
    await expect(library.exportImage("a", undefined, control)).rejects.toThrow(/no disk/);
    expect(await library.usedBytes(await library.catalogue.find("a"))).toBeUndefined();
    await library.remove("a");
  });

  it("attaches as many disks as the controller has namespaces", async () => {
    for (let i = 0; i < 15; i++) await library.create({ name: `d${i}` }, MIB);
    for (let i = 0; i < 14; i++) await library.setAttached(`d${i}`, true);
    await expect(library.setAttached("d14", true)).rejects.toThrow(/takes 14 disks/);
    await library.setAttached("d3", false);
    expect((await library.setAttached("d14", true)).attached).toBe(true);
  });

  it("keeps the machine's own disks", async () => {
    const entry: DiskEntry = {
      id: "system",
      name: "system",
      kind: "indexeddb",
      lbaBytes: 512,
      capacityBytes: MIB,
      createdAt: 0,
      attached: true,
      nguid: "0",
      state: "ready",
    };
    await library.catalogue.adopt([entry]);
    await library.catalogue.adopt([{ ...entry, capacityBytes: 2 * MIB }]);
    await expect(library.remove("system")).rejects.toThrow(/reset it/);
    await expect(library.wipe("system")).rejects.toThrow(/Reset/);
    await expect(library.rename("system", "x")).rejects.toThrow(/keeps its name/);
    await expect(library.setAttached("system", false)).rejects.toThrow(/every machine/);
    expect(await library.disks()).toEqual([entry]);
    await library.catalogue.remove("system");
  });
});
