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

/** Puts the media into the drives: in the vCPU's worker, which has the IDE disks open. */
export async function openMedia(own: OwnHardware, ideDisks: readonly Attached[]): Promise<Media> {
  const cdrom = own.cdrom && new ImageBuffer(await openImage(own.cdrom));
  const drives = ideDisks.map(({ disk, capacityBytes }) => new DiskBuffer(disk.cache, capacityBytes));
  return { cdrom, floppy: own.floppy, ideDisks: drives, bootOrder: own.bootOrder };
}

async function openImage(source: ImageSource): Promise<ReadOnlyImage> {
  const image =
    source.kind === "url" ? await HttpImage.open(source.url) : new BlobImage(source.name, source.blob);
  await refusePacked(image, "CD");
  return image;
}
