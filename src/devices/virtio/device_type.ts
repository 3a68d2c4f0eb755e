import { MAX_TRANSFER_BYTES, type VirtioDiskInfo } from "./disk_info.ts";
import {
  BlkConfig,
  BlkFeature,
  MAX_DISCARD_RANGES,
  MAX_RANGE_SECTORS,
  MAX_WRITE_ZEROES_RANGES,
  SECTOR_SHIFT,
} from "./spec/block.ts";
import {
  DEFAULT_CDB_SIZE,
  DEFAULT_SENSE_SIZE,
  EVENT_INFO_BYTES,
  MAX_CDB_SIZE,
  MAX_SENSE_SIZE,
  ScsiConfig,
  ScsiQueue,
} from "./spec/scsi.ts";

/** What the vCPU side has to know of a device type. */
export interface DeviceType {
  readonly pciDeviceId: number;
  /** Class, subclass, programming interface. */
  readonly classCode: readonly [number, number, number];
  /** Feature word 0, without the transport's bits. */
  readonly features: number;
  readonly queues: number;
  /** Are buffers of this queue taken when they are made available? The event queue's are only held. */
  isServed(queue: number): boolean;
  /** Device-specific configuration at reset. */
  configuration(): Uint8Array;
  /** A driver's write of a 32-bit field; false where it is read-only, or has no room for the value. */
  isWritable(offset: number, value: number): boolean;
}

export function deviceType(info: VirtioDiskInfo, queueSize: number, requestQueues: number): DeviceType {
  return info.type === "block"
    ? blockDevice(info, queueSize, requestQueues)
    : scsiHost(queueSize, requestQueues);
}

/** Data segments of a request: two descriptors are for header and status (virtio 1.1, section 5.2.4). */
const segMax = (queueSize: number) => queueSize - 2;

function blockDevice(info: VirtioDiskInfo, queueSize: number, requestQueues: number): DeviceType {
  const blockBytes = 1 << info.lbaShift;
  return {
    pciDeviceId: 0x1042,
    // Mass storage, SCSI controller: what QEMU's virtio-blk-pci says.
    classCode: [0x01, 0x00, 0x00],
    features:
      BlkFeature.SEG_MAX |
      BlkFeature.BLK_SIZE |
      BlkFeature.FLUSH |
      BlkFeature.TOPOLOGY |
      BlkFeature.DISCARD |
      BlkFeature.WRITE_ZEROES |
      (requestQueues > 1 ? BlkFeature.MQ : 0),
    queues: requestQueues,
    isServed: () => true,
    isWritable: () => false,
    configuration: () => {
      const bytes = new Uint8Array(BlkConfig.byteLength);
      const view = new DataView(bytes.buffer);
      const sectors = info.blocks * 2 ** (info.lbaShift - SECTOR_SHIFT);
      view.setUint32(BlkConfig.capacity, sectors >>> 0, true);
      view.setUint32(BlkConfig.capacity + 4, Math.floor(sectors / 2 ** 32), true);
      view.setUint32(BlkConfig.seg_max, segMax(queueSize), true);
      view.setUint32(BlkConfig.blk_size, blockBytes, true);
      view.setUint16(BlkConfig.min_io_size, 1, true);
      bytes[BlkConfig.writeback] = 1;
      view.setUint16(BlkConfig.num_queues, requestQueues, true);
      view.setUint32(BlkConfig.max_discard_sectors, MAX_RANGE_SECTORS, true);
      view.setUint32(BlkConfig.max_discard_seg, MAX_DISCARD_RANGES, true);
      view.setUint32(BlkConfig.discard_sector_alignment, blockBytes >> SECTOR_SHIFT, true);
      view.setUint32(BlkConfig.max_write_zeroes_sectors, MAX_RANGE_SECTORS, true);
      view.setUint32(BlkConfig.max_write_zeroes_seg, MAX_WRITE_ZEROES_RANGES, true);
      bytes[BlkConfig.write_zeroes_may_unmap] = 1;
      return bytes;
    },
  };
}

function scsiHost(queueSize: number, requestQueues: number): DeviceType {
  return {
    pciDeviceId: 0x1048,
    classCode: [0x01, 0x00, 0x00],
    features: 0,
    queues: ScsiQueue.REQUEST + requestQueues,
    isServed: queue => queue !== ScsiQueue.EVENT,
    isWritable: (offset, value) =>
      (offset === ScsiConfig.sense_size && value <= MAX_SENSE_SIZE) ||
      (offset === ScsiConfig.cdb_size && value > 0 && value <= MAX_CDB_SIZE),
    configuration: () => {
      const bytes = new Uint8Array(ScsiConfig.byteLength);
      const view = new DataView(bytes.buffer);
      view.setUint32(ScsiConfig.num_queues, requestQueues, true);
      view.setUint32(ScsiConfig.seg_max, segMax(queueSize), true);
      view.setUint32(ScsiConfig.max_sectors, MAX_TRANSFER_BYTES >> SECTOR_SHIFT, true);
      view.setUint32(ScsiConfig.cmd_per_lun, queueSize, true);
      view.setUint32(ScsiConfig.event_info_size, EVENT_INFO_BYTES, true);
      view.setUint32(ScsiConfig.sense_size, DEFAULT_SENSE_SIZE, true);
      view.setUint32(ScsiConfig.cdb_size, DEFAULT_CDB_SIZE, true);
      // One target with one logical unit: max_channel, max_target and max_lun are 0.
      return bytes;
    },
  };
}
