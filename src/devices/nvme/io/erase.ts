import type { Namespace } from "../namespace.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { storageStatus } from "./storage_status.ts";
import type { UncorrectableBlocks } from "./uncorrectable_blocks.ts";

/** Deletes everything on the namespaces, durably. Never rejects. */
export async function eraseAll(
  namespaces: readonly Namespace[],
  uncorrectable: UncorrectableBlocks,
): Promise<StatusCode> {
  const statuses = await Promise.all(namespaces.map(namespace => erase(namespace, uncorrectable)));
  return statuses.find(status => status !== Status.success) ?? Status.success;
}

async function erase(namespace: Namespace, uncorrectable: UncorrectableBlocks): Promise<StatusCode> {
  const { disk } = namespace;
  try {
    // Whole chunks are dropped at once, before this function first waits: a later write is not lost.
    while (!disk.tryZero(0, disk.byteLength)) await disk.prepare("write", 0, disk.byteLength);
    uncorrectable.healAll(namespace);
    await disk.flush();
    return Status.success;
  } catch (error) {
    return storageStatus(error, "write");
  }
}
