import type { Namespace } from "../namespace.ts";
import { mapPrp } from "../prp.ts";
import { mapSgl, type TransferDirection } from "../sgl.ts";
import { ErrorLocation } from "../spec/error_location.ts";
import { MAX_TRANSFER_BYTES } from "../spec/registers.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { byteLength, checkRange } from "./block_range.ts";
import type { IoRequest } from "./request.ts";
import type { IoServices } from "./services.ts";

/** PSDT (section 4.2): PRPs, or SGLs with a metadata pointer that is an address. There is no metadata. */
const PSDT_SGL = 1;

/** Follows the command's data pointer; leaves the data's place in guest memory in `services.vector`. */
export function mapDataPointer(
  { memory, vector }: IoServices,
  request: IoRequest,
  bytes: number,
  direction: TransferDirection,
): StatusCode {
  if (request.psdt !== PSDT_SGL) return mapPrp(memory, request.prp1, request.prp2, bytes, vector);
  return mapSgl(memory, request, bytes, direction, vector);
}

/** The same for the blocks that a command names, which must be in the namespace. */
export function mapBlocks(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  direction: TransferDirection,
): StatusCode {
  const range = checkRange(request, namespace);
  if (range !== Status.success) return range;
  const bytes = byteLength(request, namespace);
  // MDTS: section 5.15.2.1, "the command is aborted with Invalid Field in Command".
  if (bytes > MAX_TRANSFER_BYTES) {
    request.errorLocation = ErrorLocation.blockCount;
    return Status.invalidField;
  }
  return mapDataPointer(services, request, bytes, direction);
}

/** A parameter list of a command, copied out of guest memory once; or why it could not be. */
export function readParameters(
  services: IoServices,
  request: IoRequest,
  bytes: number,
): DataView<ArrayBuffer> | StatusCode {
  const status = mapDataPointer(services, request, bytes, "fromHost");
  if (status !== Status.success) return status;
  const { memory, vector } = services;
  const list = new Uint8Array(bytes);
  let at = 0;
  for (let i = 0; i < vector.count; i++) {
    const start = vector.offsets[i];
    list.set(memory.bytes.subarray(start, start + vector.lengths[i]), at);
    at += vector.lengths[i];
  }
  return new DataView(list.buffer);
}
