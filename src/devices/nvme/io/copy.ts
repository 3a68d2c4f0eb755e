import type { Namespace } from "../namespace.ts";
import { ErrorLocation } from "../spec/error_location.ts";
import { MAX_TRANSFER_BYTES } from "../spec/registers.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { byteOffset, checkReadable } from "./block_range.ts";
import { readParameters } from "./data_pointer.ts";
import { durable } from "./durability.ts";
import type { IoRequest } from "./request.ts";
import type { IoResult, IoServices } from "./services.ts";
import { type BlockRange, parseRanges, RANGE_BYTES } from "./source_ranges.ts";
import { StagingBuffer } from "./staging_buffer.ts";
import { storageStatus } from "./storage_status.ts";
import { andThen } from "./when_ready.ts";

/**
 * Blocks that one Copy may move, in one range (MSSRL) or in all (MCL): what fits the staging buffer, so that all is
 * read before anything is written, and written in one step. So ranges may overlap, and the write is atomic as that of
 * a Write is.
 */
export const maxCopyBlocks = (lbaShift: number): number => MAX_TRANSFER_BYTES / 2 ** lbaShift;
/** Source ranges of one Copy, 0's based (MSRC): all that the command's field can say. */
export const MAX_SOURCE_RANGES = 255;

/** One Copy at a time: the memory that copies take does not grow with what the guest asks for. */
export class CopyEngine {
  readonly staging = new StagingBuffer();
  #last: Promise<unknown> = Promise.resolve();

  run(job: () => Promise<StatusCode>): Promise<StatusCode> {
    const result = this.#last.then(job);
    this.#last = result.catch(() => {});
    return result;
  }
}

/**
 * Copy with source ranges of format 0. NVMe 1.4 does not have it: it came with TP 4065 and is in the NVM Command Set
 * Specification 1.0, section 3.2.2. CDW12: number of ranges 7:0 (0's based), format 11:8, Force Unit Access 30.
 */
export function copy(services: IoServices, request: IoRequest): IoResult {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  if (((request.cdw12 >>> 8) & 0xf) !== 0) {
    request.errorLocation = ErrorLocation.descriptorFormat;
    return Status.invalidField;
  }
  const list = readParameters(services, request, ((request.cdw12 & 0xff) + 1) * RANGE_BYTES.copy);
  if (typeof list === "number") return list;
  const ranges = parseRanges(list, "copy");
  const total = ranges.reduce((sum, { blocks }) => sum + blocks, 0);
  // A range of more than MSSRL has more than MCL: they are the same.
  if (total > maxCopyBlocks(namespace.lbaShift)) {
    request.errorLocation = ErrorLocation.blockCount;
    return Status.commandSizeLimitExceeded;
  }
  const status = checkRanges(request, namespace, ranges, total);
  if (status !== Status.success) return status;
  const bytes = total * 2 ** namespace.lbaShift;
  return andThen(
    services.copies.run(() => move(services, request, namespace, ranges, bytes)),
    () => durable(services, request, namespace, bytes),
  );
}

function checkRanges(
  request: IoRequest,
  namespace: Namespace,
  ranges: readonly BlockRange[],
  total: number,
): StatusCode {
  request.errorLba = request.slba;
  if (request.slba + total > namespace.blocks) return Status.lbaOutOfRange;
  const outside = ranges.findIndex(({ slba, blocks }) => slba + blocks > namespace.blocks);
  if (outside < 0) return Status.success;
  // Completion dword 0, the lowest source range that was not copied, stays 0: all are copied or none.
  request.errorLba = ranges[outside].slba;
  request.errorLocation = ErrorLocation.dataPointer;
  return Status.lbaOutOfRange;
}

async function move(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  ranges: readonly BlockRange[],
  total: number,
): Promise<StatusCode> {
  const { disk, lbaShift } = namespace;
  const { staging } = services.copies;
  let at = 0;
  for (const { slba, blocks } of ranges) {
    const [offset, bytes] = [slba * 2 ** lbaShift, blocks * 2 ** lbaShift];
    for (;;) {
      if (!services.isCurrent(request)) return Status.abortedByRequest;
      const status = checkReadable(services, request, namespace, offset, bytes);
      if (status !== Status.success) return status;
      if (disk.tryRead(offset, staging.part(at, bytes))) break;
      try {
        await disk.prepare("read", offset, bytes);
      } catch (error) {
        request.errorLba = slba;
        return storageStatus(error, "read");
      }
    }
    at += bytes;
  }
  const target = byteOffset(request, namespace);
  for (;;) {
    if (!services.isCurrent(request)) return Status.abortedByRequest;
    if (disk.tryWrite(target, staging.part(0, total))) break;
    try {
      await disk.prepare("write", target, total);
    } catch (error) {
      return storageStatus(error, "write");
    }
  }
  services.uncorrectable.heal(namespace, target, total);
  services.countCopied(total);
  return Status.success;
}
