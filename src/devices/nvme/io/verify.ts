import { IoVector } from "../../../storage/io_vector.ts";
import type { Namespace } from "../namespace.ts";
import { MAX_TRANSFER_BYTES } from "../spec/registers.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { byteLength, byteOffset, checkRange, checkReadable } from "./block_range.ts";
import { committedFirst } from "./durability.ts";
import type { IoRequest } from "./request.ts";
import type { IoResult, IoServices } from "./services.ts";
import { storageStatus } from "./storage_status.ts";

/** Write Uncorrectable, section 6.16: reads of the blocks fail until they are written. */
export function writeUncorrectable(services: IoServices, request: IoRequest): IoResult {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  const status = checkRange(request, namespace);
  if (status !== Status.success) return status;
  services.uncorrectable.mark(namespace, byteOffset(request, namespace), byteLength(request, namespace));
  return Status.success;
}

/** Verify, section 6.14: reads the blocks from storage and moves no data. MDTS is no bound; it goes piece by piece. */
export function verify(services: IoServices, request: IoRequest): IoResult {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  const status = checkRange(request, namespace);
  if (status !== Status.success) return status;
  return committedFirst(services, request, namespace, verifyPieces);
}

async function verifyPieces(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
): Promise<StatusCode> {
  const start = byteOffset(request, namespace);
  const end = start + byteLength(request, namespace);
  const nowhere = new IoVector(services.memory, 1);
  for (let at = start; at < end; at += nowhere.byteLength) {
    nowhere.clear();
    nowhere.addDiscard(Math.min(MAX_TRANSFER_BYTES, end - at));
    for (;;) {
      const status = checkReadable(services, request, namespace, at, nowhere.byteLength);
      if (status !== Status.success) return status;
      if (namespace.disk.tryRead(at, nowhere)) break;
      try {
        await namespace.disk.prepare("read", at, nowhere.byteLength);
      } catch (error) {
        request.errorLba = at / 2 ** namespace.lbaShift;
        return storageStatus(error, "read");
      }
      if (!services.isCurrent(request)) return Status.abortedByRequest;
    }
    services.countVerified(nowhere.byteLength);
  }
  return Status.success;
}
