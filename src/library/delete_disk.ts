import { lockDisk } from "../storage/disks/disk_lock.ts";
import { deleteDatabase } from "../storage/indexeddb/indexeddb_database.ts";
import { deleteOpfsDisk } from "../storage/opfs/opfs_files.ts";
import { imageCacheName } from "../storage/overlay/http_disk.ts";
import type { BuiltInDisk } from "./backends.ts";

/**
 * Deletes a disk that is kept in this browser, with all that is on it. One that does not exist, or has no name, is fine.
 * Rejects with StorageError "unavailable" while it is attached, here or in another tab.
 */
export async function deleteDisk(disk: BuiltInDisk): Promise<void> {
  if (disk.kind === "memory" || disk.name === undefined) return;
  const { name } = disk;
  const unlock = await lockDisk(name);
  try {
    if (disk.kind === "opfs") {
      await deleteOpfsDisk(name);
      return;
    }
    await deleteDatabase(name);
    if (disk.kind === "http") await deleteDatabase(imageCacheName(name));
  } finally {
    unlock();
  }
}
