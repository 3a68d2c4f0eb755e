/** The virtio PCI transport, virtio 1.1: device status (2.1), feature bits (2.2, 6), PCI structures (4.1.4). */

export const DeviceStatus = {
  ACKNOWLEDGE: 1 << 0,
  DRIVER: 1 << 1,
  DRIVER_OK: 1 << 2,
  FEATURES_OK: 1 << 3,
  DEVICE_NEEDS_RESET: 1 << 6,
  FAILED: 1 << 7,
} as const;

/** Bits of feature word 0 that belong to the transport (section 6). */
export const RingFeature = {
  INDIRECT_DESC: 1 << 28,
  EVENT_IDX: 1 << 29,
} as const;
/** VIRTIO_F_VERSION_1 is feature bit 32: bit 0 of feature word 1. */
export const VERSION_1_HIGH = 1 << 0;

/** Byte offsets in struct virtio_pci_common_cfg (4.1.4.3). 64-bit fields are two 32-bit ones. */
export const CommonCfg = {
  device_feature_select: 0,
  device_feature: 4,
  driver_feature_select: 8,
  driver_feature: 12,
  config_msix_vector: 16,
  num_queues: 18,
  device_status: 20,
  config_generation: 21,
  queue_select: 22,
  queue_size: 24,
  queue_msix_vector: 26,
  queue_enable: 28,
  queue_notify_off: 30,
  queue_desc: 32,
  queue_driver: 40,
  queue_device: 48,
  byteLength: 56,
} as const;

/** "No vector": section 4.1.5.1.2. */
export const NO_VECTOR = 0xffff;

/** ISR status bits (4.1.4.5). */
export const Isr = { QUEUE: 1 << 0, CONFIG: 1 << 1 } as const;

/** Where this device keeps its structures in its one memory BAR. */
export const Window = {
  COMMON: 0x0000,
  ISR: 0x1000,
  DEVICE: 0x2000,
  NOTIFY: 0x3000,
  END: 0x4000,
} as const;
/** Bytes of the BAR that are used. */
export const VIRTIO_BAR_BYTES: number = Window.END;

/** Queue n is notified at NOTIFY + n * 4: queue_notify_off is n. */
export const NOTIFY_OFF_MULTIPLIER = 4;

const CAP_VENDOR = 0x09;
/** cfg_type of struct virtio_pci_cap (4.1.4). */
const CapType = { COMMON: 1, NOTIFY: 2, ISR: 3, DEVICE: 4 } as const;

/**
 * The vendor-specific capabilities that say where the structures lie in BAR `bar`. The second byte, the pointer to
 * the next capability, is 0 in all of them: whoever puts them into configuration space chains them.
 */
export function pciCapabilities(bar: number, deviceConfigBytes: number, queues: number): Uint8Array[] {
  return [
    capability(CapType.COMMON, bar, Window.COMMON, CommonCfg.byteLength),
    capability(CapType.NOTIFY, bar, Window.NOTIFY, queues * NOTIFY_OFF_MULTIPLIER, NOTIFY_OFF_MULTIPLIER),
    capability(CapType.ISR, bar, Window.ISR, 1),
    capability(CapType.DEVICE, bar, Window.DEVICE, deviceConfigBytes),
  ];
}

function capability(type: number, bar: number, offset: number, length: number, extra?: number): Uint8Array {
  const bytes = new Uint8Array(extra === undefined ? 16 : 20);
  const view = new DataView(bytes.buffer);
  bytes[0] = CAP_VENDOR;
  bytes[2] = bytes.length;
  bytes[3] = type;
  bytes[4] = bar;
  view.setUint32(8, offset, true);
  view.setUint32(12, length, true);
  if (extra !== undefined) view.setUint32(16, extra, true);
  return bytes;
}
