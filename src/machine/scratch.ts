/** The scratch disk hangs on the NVMe controller or on one of the peers that the 2015 thread measured it against. */
import type { ScratchDevice } from "./api.ts";

/** Where the guest finds the scratch disk. */
export const scratchPaths: Readonly<Record<ScratchDevice, string>> = {
  nvme: "/dev/nvme0n2",
  "virtio-blk": "/dev/vda",
  "virtio-scsi": "/dev/sda",
  ide: "/dev/sda",
};
