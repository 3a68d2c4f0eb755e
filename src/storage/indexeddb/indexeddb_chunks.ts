/** How chunks and journal records lie in the object stores of a disk's database. */
import { promisifyRequest } from "idb-keyval";
import { StorageError } from "../block_backend.ts";

/** A journal record: the content of one block of this many bytes. Its key is the block's number on the disk. */
export const JOURNAL_BLOCK_BYTES = 4096;

type Bytes = Uint8Array<ArrayBuffer>;

/** The keys that the journal records of a chunk have. */
export function journalKeys(chunk: number, chunkBytes: number): IDBKeyRange {
  const perChunk = chunkBytes / JOURNAL_BLOCK_BYTES;
  return IDBKeyRange.bound(chunk * perChunk, (chunk + 1) * perChunk - 1);
}

export function chunkOfKey(journalKey: number, chunkBytes: number): number {
  return Math.floor((journalKey * JOURNAL_BLOCK_BYTES) / chunkBytes);
}

/**
 * The content of a chunk, as of one transaction over "chunks" and, if `journal` is there, "journal". Undefined when
 * neither has anything of it. The array belongs to the caller.
 */
export async function readChunk(
  chunks: IDBObjectStore,
  journal: IDBObjectStore | undefined,
  chunk: number,
  chunkBytes: number,
): Promise<Bytes | undefined> {
  const stored = promisifyRequest<unknown>(chunks.get(chunk));
  if (!journal) return checkedChunk(await stored, chunk, chunkBytes);
  const range = journalKeys(chunk, chunkBytes);
  const [content, keys, records] = await Promise.all([
    stored,
    promisifyRequest(journal.getAllKeys(range)),
    promisifyRequest<unknown[]>(journal.getAll(range)),
  ]);
  return withRecords(checkedChunk(content, chunk, chunkBytes), chunk, chunkBytes, keys as number[], records);
}

/** Lays journal records over the content of their chunk, which may be missing. */
export function withRecords(
  content: Bytes | undefined,
  chunk: number,
  chunkBytes: number,
  keys: readonly number[],
  records: readonly unknown[],
): Bytes | undefined {
  if (keys.length === 0) return content;
  const whole = content ?? new Uint8Array(chunkBytes);
  for (const [i, record] of records.entries()) {
    if (!isBytes(record, JOURNAL_BLOCK_BYTES)) throw damaged(chunk, "a record in the journal");
    whole.set(record, keys[i] * JOURNAL_BLOCK_BYTES - chunk * chunkBytes);
  }
  return whole;
}

/** What object store "chunks" holds for a chunk. Throws StorageError "io" when it is damaged. */
export function checkedChunk(value: unknown, chunk: number, chunkBytes: number): Bytes | undefined {
  if (value === undefined || isBytes(value, chunkBytes)) return value;
  throw damaged(chunk, `its content is not ${chunkBytes} bytes long`);
}

/** Stores a chunk, or only some of its journal blocks. Copies at once; storing a view would store its whole buffer. */
export function putChunk(chunks: IDBObjectStore, chunk: number, data: Bytes): void {
  chunks.put(data.byteLength === data.buffer.byteLength ? data : data.slice(), chunk);
}

export function putBlocks(
  journal: IDBObjectStore,
  chunk: number,
  data: Bytes,
  blocks: readonly number[],
): void {
  const first = (chunk * data.byteLength) / JOURNAL_BLOCK_BYTES;
  for (const block of blocks) {
    const start = block * JOURNAL_BLOCK_BYTES;
    journal.put(data.slice(start, start + JOURNAL_BLOCK_BYTES), first + block);
  }
}

function isBytes(value: unknown, byteLength: number): value is Bytes {
  return (
    value instanceof Uint8Array && value.byteLength === byteLength && value.buffer instanceof ArrayBuffer
  );
}

function damaged(chunk: number, what: string): StorageError {
  return new StorageError("io", `Chunk ${chunk} of the disk is damaged: ${what}.`);
}
