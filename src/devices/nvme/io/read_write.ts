import type { Namespace } from "../namespace.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { byteLength, byteOffset, checkReadable } from "./block_range.ts";
import { mapBlocks } from "./data_pointer.ts";
import { committedFirst, durable } from "./durability.ts";
import type { IoRequest } from "./request.ts";
import type { IoResult, IoServices } from "./services.ts";
import { andThen, whenReady } from "./when_ready.ts";

/** Read, section 6.9. */
export function read(services: IoServices, request: IoRequest): IoResult {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  return committedFirst(services, request, namespace, readBlocks);
}

const readBlocks = (services: IoServices, request: IoRequest, namespace: Namespace): IoResult =>
  whenReady(services, request, namespace, "read", attemptRead);

function attemptRead(services: IoServices, request: IoRequest, namespace: Namespace): StatusCode | undefined {
  const offset = byteOffset(request, namespace);
  let status = mapBlocks(services, request, namespace, "toHost");
  if (status !== Status.success) return status;
  const { vector } = services;
  status = checkReadable(services, request, namespace, offset, vector.byteLength);
  if (status !== Status.success) return status;
  if (!namespace.disk.tryRead(offset, vector)) return undefined;
  services.dmaWrote(vector);
  services.countRead(vector.byteLength);
  return Status.success;
}

/** Write, section 6.15. */
export function write(services: IoServices, request: IoRequest): IoResult {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  const result = whenReady(services, request, namespace, "write", attemptWrite);
  if (result === Status.success) return durable(services, request, namespace);
  return typeof result === "number" ? result : andThen(result, () => durable(services, request, namespace));
}

/** The step of Write, and of the second half of Compare and Write. */
export function attemptWrite(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
): StatusCode | undefined {
  const offset = byteOffset(request, namespace);
  const status = mapBlocks(services, request, namespace, "fromHost");
  if (status !== Status.success) return status;
  const bytes = byteLength(request, namespace);
  if (!namespace.disk.tryWrite(offset, services.vector)) return undefined;
  services.uncorrectable.heal(namespace, offset, bytes);
  services.countWrite(bytes);
  return Status.success;
}
