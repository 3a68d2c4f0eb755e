/** Block device, virtio 1.1, section 5.2. */

/** Feature bits (5.2.3). */
export const BlkFeature = {
  SIZE_MAX: 1 << 1,
  SEG_MAX: 1 << 2,
  BLK_SIZE: 1 << 6,
  FLUSH: 1 << 9,
  TOPOLOGY: 1 << 10,
  MQ: 1 << 12,
  DISCARD: 1 << 13,
  WRITE_ZEROES: 1 << 14,
} as const;

/** Byte offsets in struct virtio_blk_config (5.2.4). */
export const BlkConfig = {
  capacity: 0,
  size_max: 8,
  seg_max: 12,
  blk_size: 20,
  physical_block_exp: 24,
  alignment_offset: 25,
  min_io_size: 26,
  opt_io_size: 28,
  writeback: 32,
  num_queues: 34,
  max_discard_sectors: 36,
  max_discard_seg: 40,
  discard_sector_alignment: 44,
  max_write_zeroes_sectors: 48,
  max_write_zeroes_seg: 52,
  write_zeroes_may_unmap: 56,
  byteLength: 60,
} as const;

/** struct virtio_blk_req (5.2.6): le32 type, le32 reserved, le64 sector, data, u8 status. */
export const BLK_HEADER_BYTES = 16;
export const BlkHeader = { TYPE: 0, SECTOR: 8 } as const;

export const BlkType = {
  IN: 0,
  OUT: 1,
  FLUSH: 4,
  GET_ID: 8,
  DISCARD: 11,
  WRITE_ZEROES: 13,
} as const;

export const BlkStatus = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;
export type BlkStatusCode = number;

/** GET_ID answers with this many bytes, padded with NUL. */
export const BLK_ID_BYTES = 20;

/** The unit of `sector` and `capacity`, whatever the block size. */
export const SECTOR_SHIFT = 9;

/** struct virtio_blk_discard_write_zeroes: le64 sector, le32 num_sectors, le32 flags. */
export const BLK_RANGE_BYTES = 16;
export const BLK_RANGE_UNMAP = 1 << 0;
export const MAX_RANGE_SECTORS = 1 << 22;
export const MAX_DISCARD_RANGES = 256;
export const MAX_WRITE_ZEROES_RANGES = 1;
