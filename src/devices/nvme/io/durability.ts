import type { Namespace } from "../namespace.ts";
import { NSID_ALL } from "../spec/entries.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { byteLength, byteOffset, checkRange, hasFua } from "./block_range.ts";
import type { IoRequest } from "./request.ts";
import type { IoResult, IoServices } from "./services.ts";
import { storageStatus } from "./storage_status.ts";

/** Flush, section 6.8. Covers what was completed before it, on one namespace or on all. */
export function flush(services: IoServices, request: IoRequest): IoResult {
  if (request.nsid === NSID_ALL) return flushAll([...services.namespaces.values()]);
  const namespace = services.namespaces.get(request.nsid);
  return namespace ? flushAll([namespace]) : Status.invalidNamespace;
}

async function flushAll(namespaces: readonly Namespace[]): Promise<StatusCode> {
  try {
    await Promise.all(namespaces.map(namespace => namespace.disk.flush()));
    return Status.success;
  } catch (error) {
    return storageStatus(error, "write");
  }
}

/**
 * After a write: Force Unit Access, or a write cache that is switched off, means that the data is durable before the
 * command completes.
 */
export function durable(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  bytes = byteLength(request, namespace),
): IoResult {
  if (!hasFua(request) && services.writeCacheEnabled) return Status.success;
  return commit(namespace, byteOffset(request, namespace), bytes);
}

/** With Force Unit Access what the write cache has of the blocks is made durable before they are read (section 6.9). */
export function committedFirst(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  read: (services: IoServices, request: IoRequest, namespace: Namespace) => IoResult,
): IoResult {
  if (!hasFua(request)) return read(services, request, namespace);
  const range = checkRange(request, namespace);
  if (range !== Status.success) return range;
  return commit(namespace, byteOffset(request, namespace), byteLength(request, namespace)).then(status => {
    if (status !== Status.success) return status;
    return services.isCurrent(request) ? read(services, request, namespace) : Status.abortedByRequest;
  });
}

/** Makes a range of the disk durable. */
export function commit({ disk }: Namespace, offset: number, bytes: number): Promise<StatusCode> {
  return disk.flushRange(offset, bytes).then(
    () => Status.success,
    error => storageStatus(error, "write"),
  );
}
