/** The Web Lock that makes one tab the only owner of a disk. */
import { StorageError } from "../block_backend.ts";
import { databaseName } from "../indexeddb/indexeddb_database.ts";

/** The page before a reload holds its locks for a moment longer; an other tab holds them for good. */
const LOCK_WAIT_MS = 2000;

export const DISK_IN_USE = "DiskInUseError";

/** Another tab has the disk. Known by its name on the far side of a worker's boundary, where classes get lost. */
export class DiskInUseError extends StorageError {
  override readonly name = DISK_IN_USE;

  constructor(disk: string) {
    super("unavailable", `Disk "${disk}" is in use by another tab. Close it there, then try again.`);
  }
}

export interface LockOptions {
  /** Take the lock away from a tab that does not answer. */
  readonly steal?: boolean;
  /** Called once when another tab has taken the lock away: nothing may be written any more. */
  readonly onStolen?: () => void;
}

/**
 * Takes the lock of disk `name`; the browser frees it when the tab or worker dies. Resolves to what frees it. Rejects
 * with DiskInUseError when another tab has it and `steal` is not set.
 */
export function lockDisk(name: string, { steal = false, onStolen }: LockOptions = {}): Promise<() => void> {
  if (typeof navigator === "undefined" || !navigator.locks) {
    throw new StorageError(
      "unavailable",
      "This browser has no Web Locks, which keep two tabs from damaging a disk. Open the page over HTTPS or use another browser.",
    );
  }
  return new Promise((resolve, reject) => {
    let state: "waiting" | "held" | "released" = "waiting";
    const hold = () =>
      new Promise<void>(unlock => {
        state = "held";
        resolve(() => {
          state = "released";
          unlock();
        });
      });
    navigator.locks
      .request(databaseName(name), steal ? { steal } : { signal: AbortSignal.timeout(LOCK_WAIT_MS) }, hold)
      .catch((error: unknown) => {
        // A lock that was granted is only ever rejected because another request has stolen it.
        if (state === "held") onStolen?.();
        else if (state === "waiting") reject(isTimeout(error) ? new DiskInUseError(name) : error);
      });
  });
}

const isTimeout = (error: unknown): boolean =>
  error instanceof DOMException && (error.name === "TimeoutError" || error.name === "AbortError");
