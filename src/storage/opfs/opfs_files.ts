import { StorageError } from "../block_backend.ts";
import { storageErrorFrom } from "../indexeddb/indexeddb_errors.ts";
import type { DiskFiles, SyncFile } from "./sync_file.ts";

/** In the order in which they are made. The first is there exactly as long as the disk is. */
const FILES = ["index.0", "index.1", "data"] as const;

/** A name may have characters that a file's cannot; encoded, and with something before it, it is never "." or "..". */
function directoryName(disk: string): string {
  return `doorbell-disk-${encodeURIComponent(disk)}`;
}

/** Opens a disk's files for this worker alone. Rejects with StorageError; `create` makes those that are missing. */
export async function openFiles(name: string, create: boolean): Promise<DiskFiles> {
  const opened: SyncFile[] = [];
  try {
    const root = await rootDirectory();
    const directory = await root.getDirectoryHandle(directoryName(name), { create });
    if (create) await removeRemains(directory);
    for (const file of FILES) {
      opened.push(await openFile(await directory.getFileHandle(file, { create })));
    }
    const [first, second, data] = opened;
    return { index: [first, second], data };
  } catch (error) {
    for (const handle of opened) handle.close();
    if (isNamed(error, "NotFoundError")) {
      throw new StorageError("unavailable", `There is no disk "${name}".`, { cause: error });
    }
    throw openElsewhere(error, name) ?? storageErrorFrom(error, `Opening disk "${name}" failed`);
  }
}

/** Deletes a disk in files. One that does not exist is fine. Rejects with StorageError "unavailable" while it is open. */
export async function deleteOpfsDisk(name: string): Promise<void> {
  try {
    const root = await rootDirectory();
    const directory = await root.getDirectoryHandle(directoryName(name));
    // Fails if the disk is open; and if the browser dies after it, the disk is gone all the same.
    await directory.removeEntry(FILES[0]).catch(ignoreMissing);
    await root.removeEntry(directoryName(name), { recursive: true });
  } catch (error) {
    if (isNamed(error, "NotFoundError")) return;
    throw openElsewhere(error, name) ?? storageErrorFrom(error, `Deleting disk "${name}" failed`);
  }
}

/** Opens a file for this worker alone. */
export async function openFile(handle: FileSystemFileHandle): Promise<SyncFile> {
  if (!hasAccessHandles(handle)) {
    throw new StorageError("unavailable", "Only a dedicated worker can open a disk that is kept in files.");
  }
  return handle.createSyncAccessHandle();
}

/** Not in TypeScript's types for pages, which see this file too. */
function hasAccessHandles(
  handle: FileSystemFileHandle,
): handle is FileSystemFileHandle & { createSyncAccessHandle(): Promise<SyncFile> } {
  return "createSyncAccessHandle" in handle;
}

/** What a deletion left that did not come to its end. */
async function removeRemains(directory: FileSystemDirectoryHandle): Promise<void> {
  try {
    await directory.getFileHandle(FILES[0]);
  } catch (error) {
    ignoreMissing(error);
    for (const file of FILES) await directory.removeEntry(file).catch(ignoreMissing);
  }
}

async function rootDirectory(): Promise<FileSystemDirectoryHandle> {
  if (typeof navigator === "undefined" || !navigator.storage?.getDirectory) {
    throw new StorageError(
      "unavailable",
      "This browser offers no private file system here. Keep the disk in IndexedDB, or use another browser.",
    );
  }
  return navigator.storage.getDirectory();
}

function openElsewhere(error: unknown, name: string): StorageError | undefined {
  if (!isNamed(error, "NoModificationAllowedError")) return undefined;
  return new StorageError(
    "unavailable",
    `Disk "${name}" is in use by another tab. Close it there, then try again.`,
    { cause: error },
  );
}

function ignoreMissing(error: unknown): void {
  if (!isNamed(error, "NotFoundError")) throw error;
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof DOMException && error.name === name;
}
