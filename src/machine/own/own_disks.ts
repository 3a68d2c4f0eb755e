import type { DiskConfig, DiskRole } from "../protocol.ts";
import type { DiskBus, OwnMachine } from "./own_machine.ts";

/** What the workers are told to open for a machine of one's own. */
export function ownDiskConfigs({ disks, bus }: OwnMachine): readonly DiskConfig[] {
  return disks.map((own, index) => ({
    // An image has no name in the catalogue, and none that another machine's disk could have.
    name: own.kind === "kept" ? own.id : `image ${index + 1}`,
    role: roleOf(bus, index),
    byteLength: 0,
    own,
  }));
}

function roleOf(bus: DiskBus, index: number): DiskRole {
  switch (bus) {
    case "nvme":
      return { on: "nvme", nsid: index + 1 };
    case "virtio":
      return { on: "virtio-blk" };
    case "ide":
      return { on: "ide", drive: index === 0 ? 0 : 1 };
  }
}
