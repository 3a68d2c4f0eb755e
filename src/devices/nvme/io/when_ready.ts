import type { Namespace } from "../namespace.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { byteLength, byteOffset } from "./block_range.ts";
import type { IoRequest } from "./request.ts";
import type { IoResult, IoServices } from "./services.ts";
import { storageStatus } from "./storage_status.ts";

/**
 * Does all of a command's work in one synchronous step, or nothing: undefined when blocks must be loaded, or room made,
 * before. What it finds in guest memory it must check anew each time.
 */
export type Attempt = (
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
) => StatusCode | undefined;

/** Makes attempts until one succeeds or fails; storage prepares the command's blocks in between. */
export function whenReady(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  intent: "read" | "write",
  attempt: Attempt,
): IoResult {
  const status = attempt(services, request, namespace);
  return status === undefined ? prepareAndRetry(services, request, namespace, intent, attempt) : status;
}

async function prepareAndRetry(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  intent: "read" | "write",
  attempt: Attempt,
): Promise<StatusCode> {
  const offset = byteOffset(request, namespace);
  const bytes = byteLength(request, namespace);
  for (;;) {
    try {
      await namespace.disk.prepare(intent, offset, bytes);
    } catch (error) {
      return storageStatus(error, intent);
    }
    if (!services.isCurrent(request)) return Status.abortedByRequest;
    services.traceReady(request);
    const status = attempt(services, request, namespace);
    if (status !== undefined) return status;
  }
}

/** `next` when `result` is success; else `result`. */
export function andThen(result: IoResult, next: () => IoResult): IoResult {
  if (typeof result === "number") return result === Status.success ? next() : result;
  return result.then(status => (status === Status.success ? next() : status));
}
