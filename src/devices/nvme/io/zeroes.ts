import type { Namespace } from "../namespace.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { blocksOf, checkRange } from "./block_range.ts";
import { readParameters } from "./data_pointer.ts";
import { durable } from "./durability.ts";
import type { IoRequest } from "./request.ts";
import type { IoResult, IoServices } from "./services.ts";
import { type BlockRange, parseRanges, RANGE_BYTES } from "./source_ranges.ts";
import { storageStatus } from "./storage_status.ts";
import { andThen } from "./when_ready.ts";

/** Write Zeroes, section 6.17. No data moves; the range need not fit MDTS. */
export function writeZeroes(services: IoServices, request: IoRequest): IoResult {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  const status = checkRange(request, namespace);
  if (status !== Status.success) return status;
  return andThen(zero(services, request, namespace, { slba: request.slba, blocks: blocksOf(request) }), () =>
    durable(services, request, namespace),
  );
}

const ATTRIBUTE_DEALLOCATE = 1 << 2;

/** Dataset Management, section 6.7. Deallocate; the two other attributes are hints that need no action. */
export function datasetManagement(services: IoServices, request: IoRequest): IoResult {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  const count = (request.cdw10 & 0xff) + 1;
  const list = readParameters(services, request, count * RANGE_BYTES.datasetManagement);
  if (typeof list === "number") return list;
  // The ranges are read once, here, and checked as a whole before anything is discarded.
  const ranges = parseRanges(list, "datasetManagement");
  const outside = ranges.find(range => range.slba + range.blocks > namespace.blocks);
  if (outside) {
    request.errorLba = outside.slba;
    return Status.lbaOutOfRange;
  }
  if ((request.cdw11 & ATTRIBUTE_DEALLOCATE) === 0) return Status.success;
  return deallocate(services, request, namespace, ranges);
}

async function deallocate(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  ranges: readonly BlockRange[],
): Promise<StatusCode> {
  for (const range of ranges) {
    if (range.blocks === 0) continue;
    const result = zero(services, request, namespace, range);
    const status = typeof result === "number" ? result : await result;
    if (status !== Status.success) return status;
  }
  return Status.success;
}

function zero(services: IoServices, request: IoRequest, namespace: Namespace, range: BlockRange): IoResult {
  return attemptZero(services, namespace, range)
    ? Status.success
    : zeroWhenReady(services, request, namespace, range);
}

function attemptZero(services: IoServices, namespace: Namespace, { slba, blocks }: BlockRange) {
  const { disk, lbaShift } = namespace;
  const offset = slba * 2 ** lbaShift;
  const bytes = blocks * 2 ** lbaShift;
  if (!disk.tryZero(offset, bytes)) return false;
  services.uncorrectable.heal(namespace, offset, bytes);
  return true;
}

async function zeroWhenReady(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  range: BlockRange,
): Promise<StatusCode> {
  const { disk, lbaShift } = namespace;
  do {
    try {
      await disk.prepare("write", range.slba * 2 ** lbaShift, range.blocks * 2 ** lbaShift);
    } catch (error) {
      return storageStatus(error, "write");
    }
    if (!services.isCurrent(request)) return Status.abortedByRequest;
  } while (!attemptZero(services, namespace, range));
  return Status.success;
}
