import { promisifyRequest } from "idb-keyval";
import { StorageError } from "../block_backend.ts";
import type { DiskMetadata } from "../disk_store.ts";
import { checkedChunk, chunkOfKey, withRecords } from "./indexeddb_chunks.ts";
import { checkMetadata, METADATA_KEY, openExisting } from "./indexeddb_database.ts";
import { storageErrorFrom } from "./indexeddb_errors.ts";

/** A disk as it durably was at one moment. */
export interface DiskSnapshot {
  readonly metadata: DiskMetadata;
  /** The chunks that existed. */
  readonly chunks: Map<number, Uint8Array<ArrayBuffer>>;
}

/** Chunks asked for at a time. */
const BATCH = 16;

/**
 * Copies a disk into memory while its owner may go on writing: one read-only transaction, so it is what a crash at
 * that moment would have left. The owner's commits wait meanwhile (about 4 s for each GiB); nothing is changed, and
 * the disk stays its owner's.
 *
 * Rejects with StorageError: "unavailable" (no such disk, unknown format), "no-space" when it holds more than
 * `maxBytes`, or "io".
 */
export async function readSnapshot(name: string, maxBytes = Number.POSITIVE_INFINITY): Promise<DiskSnapshot> {
  const db = await openExisting(name);
  try {
    return await copy(name, db, maxBytes);
  } catch (error) {
    throw storageErrorFrom(error, `Copying disk "${name}" failed`);
  } finally {
    db.close();
  }
}

async function copy(name: string, db: IDBDatabase, maxBytes: number): Promise<DiskSnapshot> {
  const transaction = db.transaction([...db.objectStoreNames]);
  const store = transaction.objectStore("chunks");
  const journal = db.objectStoreNames.contains("journal") ? transaction.objectStore("journal") : undefined;
  const [description, stored, records, contents] = await Promise.all([
    promisifyRequest<unknown>(transaction.objectStore("metadata").get(METADATA_KEY)),
    promisifyRequest(store.getAllKeys()),
    journal ? promisifyRequest(journal.getAllKeys()) : [],
    journal ? promisifyRequest<unknown[]>(journal.getAll()) : [],
  ]);
  const metadata = checkMetadata(name, db, description);
  const { chunkBytes } = metadata;
  const numbers = stored as number[];
  if (numbers.length * chunkBytes > maxBytes) {
    throw new StorageError(
      "no-space",
      `Disk "${name}" holds ${numbers.length * chunkBytes} bytes, too much to copy into memory (${maxBytes} bytes).`,
    );
  }
  const chunks: DiskSnapshot["chunks"] = new Map();
  for (let at = 0; at < numbers.length; at += BATCH) {
    const batch = numbers.slice(at, at + BATCH);
    const values = await Promise.all(batch.map(chunk => promisifyRequest<unknown>(store.get(chunk))));
    for (const [i, chunk] of batch.entries()) chunks.set(chunk, checkedChunk(values[i], chunk, chunkBytes)!);
  }
  for (const [i, key] of (records as number[]).entries()) {
    const chunk = chunkOfKey(key, chunkBytes);
    chunks.set(chunk, withRecords(chunks.get(chunk), chunk, chunkBytes, [key], [contents[i]])!);
  }
  return { metadata, chunks };
}
