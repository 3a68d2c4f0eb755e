import type { ControllerIdentity } from "../devices/nvme/admin/identify.ts";
import type { ShadowExtension } from "../devices/nvme/admin/shadow_extension.ts";

/** Google's PCI vendor id: its vendor extension was only looked for on devices of this vendor. */
const GOOGLE = 0x1ae0;
/**
 * The vendor id that QEMU and Bochs use for devices that no vendor made. (QEMU's own NVMe ids are avoided: Linux has
 * work-arounds for them.)
 */
const NOBODY = 0x1234;
export const PCI_DEVICE_ID = 0xdb11;

export function controllerIdentity(shadowDoorbells: ShadowExtension): ControllerIdentity {
  return {
    vendorId: shadowDoorbells === "google" ? GOOGLE : NOBODY,
    serialNumber: "DOORBELL0001",
    modelNumber: "Doorbell NVMe SSD",
    firmwareRevision: "0.1",
    subsystemNqn: "nqn.2014-08.org.nvmexpress:uuid:d00bbe11-0000-4000-8000-000000000001",
  };
}

/** Namespace Globally Unique Identifier of the disk behind a namespace id. */
export const nguid = (nsid: number): string => `d00bbe11000040008000${nsid.toString(16).padStart(12, "0")}`;

/** How a virtio device's disk calls itself. The world wide name is an NAA identifier that no vendor assigned (type 3). */
export const virtioIdentity = { serialNumber: "DOORBELL0002", wwn: "300d00bbe1100002" } as const;
