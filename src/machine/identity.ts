import type { ControllerIdentity } from "../devices/nvme/admin/identify.ts";

/**
 * 1234h is the vendor id that QEMU and Bochs use for devices that no vendor made. (QEMU's own NVMe ids are avoided:
 * Linux has work-arounds for them.)
 */
export const pciIds = { vendorId: 0x1234, deviceId: 0xdb11 } as const;

export const controllerIdentity: ControllerIdentity = {
  vendorId: pciIds.vendorId,
  serialNumber: "DOORBELL0001",
  modelNumber: "Doorbell NVMe SSD",
  firmwareRevision: "0.1",
  subsystemNqn: "nqn.2014-08.org.nvmexpress:uuid:d00bbe11-0000-4000-8000-000000000001",
};

/** Namespace Globally Unique Identifier of the disk behind a namespace id. */
export const nguid = (nsid: number): string => `d00bbe11000040008000${nsid.toString(16).padStart(12, "0")}`;
