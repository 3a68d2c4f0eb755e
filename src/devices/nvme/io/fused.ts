import type { Namespace } from "../namespace.ts";
import { ErrorLocation } from "../spec/error_location.ts";
import { NvmOpcode } from "../spec/opcodes.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { byteLength, byteOffset, hasFua } from "./block_range.ts";
import { attemptCompare } from "./compare.ts";
import { commit, durable } from "./durability.ts";
import { attemptWrite } from "./read_write.ts";
import type { IoRequest } from "./request.ts";
import type { IoServices } from "./services.ts";
import { storageStatus } from "./storage_status.ts";

/** FUSE (section 4.2). */
export const Fuse = { none: 0, first: 1, second: 2 } as const;

/** What the two commands of a fused operation end with. */
export type FusedStatus = readonly [first: StatusCode, second: StatusCode];

/** Are these adjacent entries the two commands of a fused operation that there is? Compare and Write is the only one. */
export const areFused = (first: IoRequest, second: IoRequest): boolean =>
  first.fuse === Fuse.first &&
  second.fuse === Fuse.second &&
  first.opcode === NvmOpcode.compare &&
  second.opcode === NvmOpcode.write;

/**
 * Compare and Write, section 6.2.1. Comparing and writing are one synchronous step, so no other command comes between
 * them, however many blocks there are.
 */
export function compareAndWrite(
  services: IoServices,
  compare: IoRequest,
  write: IoRequest,
): FusedStatus | Promise<FusedStatus> {
  // Section 4.12: both name the same range.
  if (
    compare.nsid !== write.nsid ||
    compare.slba !== write.slba ||
    (compare.cdw12 & 0xffff) !== (write.cdw12 & 0xffff)
  ) {
    write.errorLocation = compare.nsid !== write.nsid ? ErrorLocation.nsid : ErrorLocation.cdw10;
    compare.errorLocation = write.errorLocation;
    return [Status.invalidField, Status.invalidField];
  }
  const namespace = services.namespaces.get(compare.nsid);
  if (!namespace) return [Status.invalidNamespace, Status.failedFusedCommand];
  const result = hasFua(compare) ? undefined : attempt(services, compare, write, namespace);
  if (result && result[1] !== Status.success) return result;
  return finish(services, compare, write, namespace, result);
}

/** Both commands or, when storage is not ready, nothing. */
function attempt(
  services: IoServices,
  compare: IoRequest,
  write: IoRequest,
  namespace: Namespace,
): FusedStatus | undefined {
  const compared = attemptCompare(services, compare, namespace);
  if (compared === undefined) return undefined;
  // The operation ends where the first error is met.
  if (compared !== Status.success) return [compared, Status.failedFusedCommand];
  const written = attemptWrite(services, write, namespace);
  return written === undefined ? undefined : [compared, written];
}

async function finish(
  services: IoServices,
  compare: IoRequest,
  write: IoRequest,
  namespace: Namespace,
  done: FusedStatus | undefined,
): Promise<FusedStatus> {
  const { disk } = namespace;
  const [offset, bytes] = [byteOffset(compare, namespace), byteLength(compare, namespace)];
  if (hasFua(compare) && offset + bytes <= namespace.blocks * 2 ** namespace.lbaShift) {
    const status = await commit(namespace, offset, bytes);
    if (status !== Status.success) return [status, Status.failedFusedCommand];
  }
  let result = done;
  while (!result) {
    if (!services.isCurrent(compare)) return [Status.abortedByRequest, Status.abortedByRequest];
    result = attempt(services, compare, write, namespace);
    if (result) break;
    try {
      await disk.prepare("read", offset, bytes);
      await disk.prepare("write", offset, bytes);
    } catch (error) {
      return [storageStatus(error, "read"), Status.failedFusedCommand];
    }
  }
  if (result[1] !== Status.success) return result;
  return [result[0], await durable(services, write, namespace)];
}
