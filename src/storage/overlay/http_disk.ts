import { StorageError } from "../block_backend.ts";
import type { DiskStore, NewDisk } from "../disk_store.ts";
import { IndexedDbBackend } from "../indexeddb/indexeddb_backend.ts";
import { deleteDatabase } from "../indexeddb/indexeddb_database.ts";
import { CachedImage } from "./cached_image.ts";
import { HttpImage, type HttpImageOptions } from "./http_image.ts";
import { type NewOverlay, OverlayBackend } from "./overlay_backend.ts";
import type { ReadOnlyImage } from "./read_only_image.ts";

/** Opens a store by name, or creates it; what keeps the disk's own data and the copies of the image. */
export type OpenStore = (name: string, create?: NewDisk) => Promise<DiskStore>;

/** The store with what was read from the image of disk `name`. It can be deleted without losing anything. */
export function imageCacheName(name: string): string {
  return `${name}.base`;
}

/**
 * Makes disk `name` on the image at `url` (absolute): an overlay in one IndexedDB store, a cache of the image in
 * another. Rejects with StorageError, and with RangeError when the disk would be smaller than the image.
 */
export async function createHttpDisk(
  name: string,
  url: string,
  options: HttpImageOptions & NewOverlay = {},
  openStore: OpenStore = IndexedDbBackend.open,
): Promise<OverlayBackend> {
  const image = await HttpImage.open(url, options);
  return closingOnError(image, async () => {
    const store = await openStore(name, OverlayBackend.storeFor(image, options));
    return closingOnError(store, async () =>
      OverlayBackend.create(store, await cached(name, image, openStore)),
    );
  });
}

/** Opens a disk that createHttpDisk() made; without the network too, as far as the image was read before. */
export async function openHttpDisk(
  name: string,
  options: HttpImageOptions = {},
  openStore: OpenStore = IndexedDbBackend.open,
): Promise<OverlayBackend> {
  const store = await openStore(name);
  return closingOnError(store, () =>
    OverlayBackend.open(store, async known => {
      const image = await HttpImage.open(known.url, { ...options, known });
      return closingOnError(image, () => cached(name, image, openStore));
    }),
  );
}

/** Deletes the disk and its cache of the image. Rejects with StorageError "unavailable" while it is open. */
export async function deleteHttpDisk(name: string): Promise<void> {
  await deleteDatabase(name);
  await deleteDatabase(imageCacheName(name));
}

/** The image with its cache before it; without one when there is no room for it. */
async function cached(name: string, image: ReadOnlyImage, openStore: OpenStore): Promise<ReadOnlyImage> {
  let store: DiskStore | undefined;
  try {
    store = await openStore(imageCacheName(name), CachedImage.storeFor(image));
    return await CachedImage.open(image, store);
  } catch (error) {
    await store?.close();
    if (error instanceof StorageError && error.kind === "no-space") return image;
    throw error;
  }
}

async function closingOnError<T>(what: { close(): Promise<void> }, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await what.close();
    throw error;
  }
}
