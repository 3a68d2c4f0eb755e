import { StorageError } from "../block_backend.ts";

/** Turns what IndexedDB threw into a StorageError that says what happened and what to do. */
export function storageErrorFrom(error: unknown, what: string): StorageError {
  if (error instanceof StorageError) return error;
  const name = error instanceof DOMException || error instanceof Error ? error.name : "";
  const cause = { cause: error };
  switch (name) {
    case "QuotaExceededError":
      return new StorageError(
        "no-space",
        `${what}: the browser gives this site no more room. Free space on the computer or delete another disk.`,
        cause,
      );
    case "InvalidStateError":
      return new StorageError("unavailable", `${what}: its database is closed. Reload the page.`, cause);
    case "SecurityError":
      return new StorageError(
        "unavailable",
        `${what}: the browser does not let this site store data. Allow site data and reload.`,
        cause,
      );
    default: {
      const detail = error instanceof Error || error instanceof DOMException ? error.message : String(error);
      return new StorageError("io", `${what}: ${detail || name || "no reason given"}.`, cause);
    }
  }
}
