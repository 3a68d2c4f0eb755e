/** Loops over bare storage, for measure_ratios.ts to compare the storage stack with: no format, no cache, no checks. */

import { openFile } from "../opfs/opfs_files.ts";
import { MiB } from "./measure_io.ts";

/** Storage of numbered chunks of one length. */
export interface BareStorage {
  /** Makes chunks `first`… durable, in one step. */
  write(first: number, chunks: readonly Uint8Array<ArrayBuffer>[]): Promise<void>;
  /** Reads chunks, all of them outstanding at a time where that is possible. */
  read(chunks: readonly number[]): Promise<void>;
  close(): Promise<void>;
}

/** A database with one object store; each write is one strict transaction. */
export async function bareIndexedDb(name: string): Promise<BareStorage> {
  const request = indexedDB.open(name);
  request.onupgradeneeded = () => request.result.createObjectStore("chunks");
  await new Promise((resolve, reject) => {
    request.onsuccess = resolve;
    request.onerror = () => reject(request.error);
  });
  const db = request.result;
  const store = (mode: IDBTransactionMode) =>
    db.transaction("chunks", mode, { durability: "strict" }).objectStore("chunks");
  return {
    write(first, chunks) {
      const target = store("readwrite");
      for (const [i, chunk] of chunks.entries()) target.put(chunk, first + i);
      return new Promise((resolve, reject) => {
        target.transaction.oncomplete = () => resolve();
        target.transaction.onabort = () => reject(target.transaction.error);
      });
    },
    async read(chunks) {
      const source = store("readonly");
      await Promise.all(
        chunks.map(chunk => {
          const get = source.get(chunk);
          return new Promise((resolve, reject) => {
            get.onsuccess = resolve;
            get.onerror = () => reject(get.error);
          });
        }),
      );
    },
    async close() {
      db.close();
      const deletion = indexedDB.deleteDatabase(name);
      await new Promise(resolve => {
        deletion.onsuccess = resolve;
        deletion.onerror = resolve;
      });
    },
  };
}

/** One file, flushed after each write. Each chunk is read into a buffer of its own, as IndexedDB hands it out. */
export async function bareFile(name: string, chunkBytes: number): Promise<BareStorage> {
  const root = await navigator.storage.getDirectory();
  const handle = await root.getFileHandle(name, { create: true });
  const file = await openFile(handle);
  return {
    async write(first, chunks) {
      for (const [i, chunk] of chunks.entries()) file.write(chunk, { at: (first + i) * chunkBytes });
      file.flush();
    },
    async read(chunks) {
      for (const chunk of chunks) file.read(new Uint8Array(chunkBytes), { at: chunk * chunkBytes });
    },
    async close() {
      file.close();
      await root.removeEntry(name);
    },
  };
}

/** GB/s (10⁹ bytes) of copying 64 MiB out of buffers of one chunk each into `target`, again and again. */
export function copySpeed(target: Uint8Array, chunkBytes: number, mebibytes: number): number {
  const buffers = Array.from({ length: (64 * MiB) / chunkBytes }, () => new Uint8Array(chunkBytes).fill(1));
  const perTarget = target.length / chunkBytes;
  const start = performance.now();
  for (let i = 0; i < (mebibytes * MiB) / chunkBytes; i++) {
    target.set(buffers[i % buffers.length], (i % perTarget) * chunkBytes);
  }
  return (mebibytes * MiB) / 1e6 / (performance.now() - start);
}
