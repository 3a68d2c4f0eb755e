import { defaultCacheBytes } from "../../storage/cache/cache_size.ts";
import { newMetadata } from "../../storage/disk_store.ts";
import type { Catalogue } from "../../storage/disks/catalogue.ts";
import { Disk, type DiskOptions } from "../../storage/disks/disk.ts";
import { type DiskEntry, freshNguid, isBuiltIn, isWhole } from "../../storage/disks/disk_entry.ts";
import { openCatalogued } from "../../storage/disks/disk_library.ts";
import { HttpImage } from "../../storage/overlay/http_image.ts";
import { OverlayBackend } from "../../storage/overlay/overlay_backend.ts";
import { SnapshotBackend } from "../../storage/snapshot_backend.ts";
import type { Attached } from "../open_disks.ts";
import type { DiskConfig, OpenMode } from "../protocol.ts";
import { refusePacked } from "./packed.ts";

const CACHE_BYTES = 64 * 2 ** 20;
const SECTOR_BYTES = 512;

/**
 * Opens a disk of a machine of one's own; `entry` is what the catalogue says of it, `before` what is open since the boot
 * before. Rejects with an error whose message says why it cannot be in the machine.
 */
export async function openOwnDisk(
  catalogue: Catalogue,
  config: DiskConfig,
  entry: DiskEntry | undefined,
  before: Attached | undefined,
  mode: OpenMode & Pick<DiskOptions, "onStolen">,
): Promise<Attached> {
  const { own, role, name } = config;
  if (mode.readOnly) {
    throw new Error(
      "A machine of your own has no read-only copy: clone its disks, and make a machine with the clones.",
    );
  }
  if (before?.disk.isOpen) return { ...before, role };
  await before?.disk.close().catch(() => {});
  if (own?.kind === "url") return await openImage(config, own.url);
  if (own === undefined || !entry || !isWhole(entry) || isBuiltIn(entry.id)) {
    throw new Error(
      `Disk “${own?.name ?? name}” does not exist any more: choose another one for this machine.`,
    );
  }
  const { id, capacityBytes, nguid } = entry;
  const disk = await Disk.open(id, {
    openStore: () => openCatalogued(catalogue, id),
    cache: { cacheBytes: CACHE_BYTES },
    steal: mode.steal,
    ...(mode.onStolen && { onStolen: mode.onStolen }),
  });
  return { name: entry.name, role, readOnly: false, disk, device: disk.cache, capacityBytes, nguid };
}

/** An image on a server, under what is written on top of it: that is in memory, and gone when the disk is closed. */
async function openImage({ name, role }: DiskConfig, url: string): Promise<Attached> {
  const image = await HttpImage.open(url);
  await refusePacked(image, "disk");
  const limitBytes = defaultCacheBytes();
  const metadata = newMetadata(0, OverlayBackend.storeFor(image));
  const store = new SnapshotBackend({ metadata, chunks: new Map() }, limitBytes);
  const disk = await Disk.openOn(name, await OverlayBackend.create(store, image), {
    cacheBytes: CACHE_BYTES,
  });
  const capacityBytes = Math.ceil(image.byteLength / SECTOR_BYTES) * SECTOR_BYTES;
  return {
    name: nameOf(url),
    role,
    readOnly: false,
    disk,
    device: disk.cache,
    capacityBytes,
    nguid: freshNguid(),
  };
}

const nameOf = (url: string): string =>
  decodeURIComponent(new URL(url).pathname.split("/").at(-1) ?? "") || url;
