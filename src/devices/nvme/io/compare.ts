import type { Namespace } from "../namespace.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { byteOffset, checkReadable } from "./block_range.ts";
import { mapBlocks } from "./data_pointer.ts";
import { committedFirst } from "./durability.ts";
import type { IoRequest } from "./request.ts";
import type { IoResult, IoServices } from "./services.ts";
import { whenReady } from "./when_ready.ts";

/** Compare, section 6.6. */
export function compare(services: IoServices, request: IoRequest): IoResult {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  return committedFirst(services, request, namespace, compareBlocks);
}

const compareBlocks = (services: IoServices, request: IoRequest, namespace: Namespace): IoResult =>
  whenReady(services, request, namespace, "read", attemptCompare);

/** The step of Compare, and of the first half of Compare and Write. */
export function attemptCompare(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
): StatusCode | undefined {
  const offset = byteOffset(request, namespace);
  let status = mapBlocks(services, request, namespace, "fromHost");
  if (status !== Status.success) return status;
  const bytes = services.vector.byteLength;
  status = checkReadable(services, request, namespace, offset, bytes);
  if (status !== Status.success) return status;
  if (!namespace.disk.tryRead(offset, services.staging.part(0, bytes))) return undefined;
  services.countRead(bytes);
  return equalsHostData(services) ? Status.success : Status.compareFailure;
}

/** Data pointers are in dwords (PRPs, and SGLs as SGLS says), so words can be compared. */
function equalsHostData({ memory, vector, staging }: IoServices): boolean {
  const ours = staging.words;
  const theirs = memory.words;
  let at = 0;
  for (let i = 0; i < vector.count; i++) {
    const start = vector.offsets[i] / 4;
    const end = start + vector.lengths[i] / 4;
    for (let w = start; w < end; w++, at++) if (theirs[w] !== ours[at]) return false;
  }
  return true;
}
