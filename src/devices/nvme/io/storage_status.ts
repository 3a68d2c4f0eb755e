import { StorageError } from "../../../storage/block_backend.ts";
import { Status, type StatusCode } from "../spec/status.ts";

/** What a storage failure is called in NVMe (section 4.6.1.2.1 and 4.6.1.2.3). */
export function storageStatus(error: unknown, intent: "read" | "write"): StatusCode {
  if (error instanceof StorageError && error.kind === "no-space") return Status.capacityExceeded;
  return intent === "read" ? Status.unrecoveredReadError : Status.writeFault;
}
