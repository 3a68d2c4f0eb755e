import type { Namespace } from "../namespace.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import type { IoRequest } from "./request.ts";
import type { IoServices } from "./services.ts";

/** CDW12 of the commands that name blocks: Number of Logical Blocks is 0's based; bit 30 is Force Unit Access. */
export const blocksOf = (request: IoRequest): number => (request.cdw12 & 0xffff) + 1;
export const hasFua = (request: IoRequest): boolean => (request.cdw12 & (1 << 30)) !== 0;

/** The blocks that a command names, in bytes of the disk. */
export const byteOffset = (request: IoRequest, { lbaShift }: Namespace): number =>
  request.slba * 2 ** lbaShift;
export const byteLength = (request: IoRequest, { lbaShift }: Namespace): number =>
  blocksOf(request) * 2 ** lbaShift;

/** LBA Out of Range if not all blocks are in the namespace. Notes what the error log is to say. */
export function checkRange(request: IoRequest, namespace: Namespace): StatusCode {
  request.errorLba = request.slba;
  return request.slba + blocksOf(request) > namespace.blocks ? Status.lbaOutOfRange : Status.success;
}

/** Unrecovered Read Error if Write Uncorrectable has marked a block of the range. */
export function checkReadable(
  { uncorrectable }: IoServices,
  request: IoRequest,
  namespace: Namespace,
  offset: number,
  bytes: number,
): StatusCode {
  const marked = uncorrectable.firstWithin(namespace, offset, bytes);
  if (marked === undefined) return Status.success;
  request.errorLba = marked / 2 ** namespace.lbaShift;
  return Status.unrecoveredReadError;
}
