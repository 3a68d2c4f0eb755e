import { IoVector } from "../../../storage/io_vector.ts";
import type { VirtioRequest } from "../request.ts";
import { Response } from "../spec/scsi.ts";
import { Sense, type SenseCode } from "../spec/scsi_commands.ts";
import { copyFromVector } from "../vectors.ts";
import { MAX_UNMAP_BLOCKS, MAX_UNMAP_RANGES, MAX_WRITE_SAME_BLOCKS } from "./inform.ts";
import { cdb8, cdb16, cdb32, cdb64, GONE, type Outcome, type ScsiTarget } from "./target.ts";
import { storageSense } from "./transfer.ts";

/** SYNCHRONIZE CACHE, UNMAP and WRITE SAME. */

export function flush({ services }: ScsiTarget): Promise<SenseCode> {
  return services.disk.flush().then(
    () => Sense.none,
    error => storageSense(error, "write"),
  );
}

/** SBC-3, sections 5.26 and 5.27. All of the cache is made durable, whatever range is asked for. */
function synchronizeCache(target: ScsiTarget, request: VirtioRequest, lba: number, blocks: number): Outcome {
  if (lba + blocks > target.services.info.blocks) return Sense.lbaOutOfRange;
  request.flushing = true;
  return flush(target);
}

export const synchronizeCache10 = (target: ScsiTarget, request: VirtioRequest): Outcome =>
  synchronizeCache(target, request, cdb32(request, 2), cdb16(request, 7));
export const synchronizeCache16 = (target: ScsiTarget, request: VirtioRequest): Outcome =>
  synchronizeCache(target, request, cdb64(request, 2), cdb32(request, 10));

interface BlockRange {
  readonly lba: number;
  readonly blocks: number;
}

const UNMAP_HEADER_BYTES = 8;
const UNMAP_DESCRIPTOR_BYTES = 16;

/** UNMAP (SBC-3, section 5.28). The parameter list is read once, and checked as a whole before anything is unmapped. */
export function unmap(target: ScsiTarget, request: VirtioRequest): Outcome {
  const { services } = target;
  const anchor = (cdb8(request, 1) & 1) !== 0;
  if (anchor) return Sense.invalidFieldInCdb;
  const length = cdb16(request, 7);
  if (length === 0) return Sense.none;
  if (length < UNMAP_HEADER_BYTES) return Sense.parameterListLengthError;
  if (services.readable.byteLength < length) {
    request.response = Response.OVERRUN;
    return Sense.none;
  }
  const list = new Uint8Array(length);
  copyFromVector(services.readable, list, length);
  const view = new DataView(list.buffer);
  // Descriptors that the list is too short for are ignored (section 5.28.2).
  const described = Math.min(view.getUint16(2), length - UNMAP_HEADER_BYTES);
  const ranges: BlockRange[] = [];
  for (let at = UNMAP_HEADER_BYTES; at + UNMAP_DESCRIPTOR_BYTES <= UNMAP_HEADER_BYTES + described; at += 16) {
    ranges.push({
      lba: view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4),
      blocks: view.getUint32(at + 8),
    });
  }
  if (ranges.some(({ lba, blocks }) => lba + blocks > services.info.blocks)) return Sense.lbaOutOfRange;
  const total = ranges.reduce((sum, { blocks }) => sum + blocks, 0);
  if (ranges.length > MAX_UNMAP_RANGES || total > MAX_UNMAP_BLOCKS) return Sense.invalidFieldInParameterList;
  request.transferred = length;
  return zero(target, request, ranges);
}

/** What was unmapped reads as zero (LBPRZ), so unmapping and writing zeroes are one thing. */
async function zero(
  { services }: ScsiTarget,
  request: VirtioRequest,
  ranges: readonly BlockRange[],
): Promise<SenseCode> {
  const { disk, info } = services;
  try {
    for (const { lba, blocks } of ranges) {
      const offset = lba * 2 ** info.lbaShift;
      const bytes = blocks * 2 ** info.lbaShift;
      while (!disk.tryZero(offset, bytes)) {
        await disk.prepare("write", offset, bytes);
        if (!services.isCurrent(request)) return GONE;
      }
    }
    return Sense.none;
  } catch (error) {
    return storageSense(error, "write");
  }
}

const WRITE_SAME_PROTECT = 0xe0;
const ANCHOR = 0x10;
const NO_DATA_OUT = 0x01;

/** WRITE SAME (16) (SBC-3, section 5.41). UNMAP is a leave, not a duty: zeroes are dropped with it and without. */
export function writeSame16(target: ScsiTarget, request: VirtioRequest): Outcome {
  const { services } = target;
  const { lbaShift, blocks: capacity } = services.info;
  const flags = cdb8(request, 1);
  const lba = cdb64(request, 2);
  const blocks = cdb32(request, 10);
  if ((flags & (WRITE_SAME_PROTECT | ANCHOR)) !== 0) return Sense.invalidFieldInCdb;
  // WSNZ of the block limits page: "all the rest" is not offered.
  if (blocks === 0 || blocks > MAX_WRITE_SAME_BLOCKS) return Sense.invalidFieldInCdb;
  if (lba + blocks > capacity) return Sense.lbaOutOfRange;
  if ((flags & NO_DATA_OUT) !== 0) return zero(target, request, [{ lba, blocks }]);
  const block = new Uint8Array(2 ** lbaShift);
  if (services.readable.byteLength < block.length) {
    request.response = Response.OVERRUN;
    return Sense.none;
  }
  copyFromVector(services.readable, block, block.length);
  request.transferred = block.length;
  if (block.every(byte => byte === 0)) return zero(target, request, [{ lba, blocks }]);
  return repeat(target, request, lba, blocks, block);
}

async function repeat(
  { services }: ScsiTarget,
  request: VirtioRequest,
  lba: number,
  blocks: number,
  block: Uint8Array,
): Promise<SenseCode> {
  const { disk } = services;
  const vector = new IoVector(block, 1);
  vector.add(0, block.length);
  try {
    for (let i = 0; i < blocks; i++) {
      const offset = (lba + i) * block.length;
      while (!disk.tryWrite(offset, vector)) {
        await disk.prepare("write", offset, block.length);
        if (!services.isCurrent(request)) return GONE;
      }
      if (!services.isCurrent(request)) return GONE;
    }
    services.countWrite(blocks * block.length);
    return Sense.none;
  } catch (error) {
    return storageSense(error, "write");
  }
}
