import type { IoVector } from "../../../storage/io_vector.ts";
import { address64 } from "../../guest_memory.ts";
import type { VirtioDiskInfo } from "../disk_info.ts";
import {
  BLK_RANGE_BYTES,
  BLK_RANGE_UNMAP,
  BlkStatus,
  type BlkStatusCode,
  BlkType,
  MAX_DISCARD_RANGES,
  MAX_RANGE_SECTORS,
  MAX_WRITE_ZEROES_RANGES,
  SECTOR_SHIFT,
} from "../spec/block.ts";
import { copyFromVector } from "../vectors.ts";

/** struct virtio_blk_discard_write_zeroes (virtio 1.1, section 5.2.6). */
export interface BlockRange {
  readonly sector: number;
  readonly sectors: number;
  readonly flags: number;
}

/** Copies the ranges out of guest memory, once. Undefined if there are none, too many, or part of one. */
export function readRanges(from: IoVector, type: number): readonly BlockRange[] | undefined {
  const count = from.byteLength / BLK_RANGE_BYTES;
  const most = type === BlkType.DISCARD ? MAX_DISCARD_RANGES : MAX_WRITE_ZEROES_RANGES;
  if (!Number.isInteger(count) || count < 1 || count > most) return undefined;
  const bytes = new Uint8Array(from.byteLength);
  copyFromVector(from, bytes, bytes.length);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, i) => ({
    sector: address64(
      view.getUint32(i * BLK_RANGE_BYTES, true),
      view.getUint32(i * BLK_RANGE_BYTES + 4, true),
    ),
    sectors: view.getUint32(i * BLK_RANGE_BYTES + 8, true),
    flags: view.getUint32(i * BLK_RANGE_BYTES + 12, true),
  }));
}

/** Section 5.2.6.2. */
export function checkRanges(
  ranges: readonly BlockRange[],
  type: number,
  { blocks, lbaShift }: VirtioDiskInfo,
): BlkStatusCode {
  const blockSectors = 1 << (lbaShift - SECTOR_SHIFT);
  const allowed = type === BlkType.WRITE_ZEROES ? BLK_RANGE_UNMAP : 0;
  for (const { sector, sectors, flags } of ranges) {
    if ((flags & ~allowed) !== 0) return BlkStatus.UNSUPP;
    if (
      sectors > MAX_RANGE_SECTORS ||
      sector + sectors > blocks * blockSectors ||
      sector % blockSectors !== 0 ||
      sectors % blockSectors !== 0
    ) {
      return BlkStatus.IOERR;
    }
  }
  return BlkStatus.OK;
}
