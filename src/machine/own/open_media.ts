import { BlobImage } from "../../storage/overlay/blob_image.ts";
import { HttpImage } from "../../storage/overlay/http_image.ts";
import type { ReadOnlyImage } from "../../storage/overlay/read_only_image.ts";
import type { Attached } from "../open_disks.ts";
import type { OwnHardware } from "../protocol.ts";
import { DiskBuffer } from "../v86/disk_buffer.ts";
import { ImageBuffer } from "../v86/image_buffer.ts";
import type { Media } from "../v86/media.ts";
import type { ImageSource } from "./own_machine.ts";
import { refusePacked } from "./packed.ts";

const SECTOR_BYTES = 512;

/** Puts the media into the drives: in the vCPU's worker, which has the IDE disks open. */
export async function openMedia(own: OwnHardware, ideDisks: readonly Attached[]): Promise<Media> {
  const [cdrom, disks] = await Promise.all([
    own.cdrom && openImage(own.cdrom).then(image => new ImageBuffer(image)),
    Promise.all(ideDisks.map(openDrive)),
  ]);
  return { cdrom, floppy: own.floppy, ideDisks: disks, bootOrder: own.bootOrder };
}

async function openImage(source: ImageSource): Promise<ReadOnlyImage> {
  const image =
    source.kind === "url" ? await HttpImage.open(source.url) : new BlobImage(source.name, source.blob);
  await refusePacked(image, "CD");
  return image;
}

async function openDrive({ disk, capacityBytes }: Attached): Promise<DiskBuffer> {
  // v86 looks for the geometry there when it makes the drive.
  await disk.cache.prepare("read", 0, SECTOR_BYTES);
  return new DiskBuffer(disk.cache, capacityBytes);
}
