import { StorageError } from "../block_backend.ts";
import { crc32 } from "./crc32.ts";
import type { SyncFile } from "./sync_file.ts";

/** Raised whenever the meaning of the files changes. A disk of another version is refused, not guessed at. */
export const INDEX_FORMAT_VERSION = 1;

/** "Doorbell". The header is this, then version, generation, where the checkpoint ends, and the CRC of all before it. */
const MAGIC = Uint8Array.from("Doorbell", letter => letter.charCodeAt(0));
const HEADER_BYTES = 64;
const CRC_AT = HEADER_BYTES - 4;
/** Kind, bytes of payload, number, CRC; all 32-bit little-endian. */
const RECORD_BYTES = 16;
/** A log is long when what came after its checkpoint is longer than this and than the checkpoint. */
export const LOG_BYTES = 64 * 1024;
/** The file grows by so much at a time: making a record durable is cheaper where the file's length stays as it is. */
const GROWTH_BYTES = 16 * 1024;

export interface IndexRecord {
  readonly kind: number;
  readonly payload: Uint8Array<ArrayBuffer>;
}

interface Header {
  readonly version: number;
  readonly generation: number;
  readonly checkpointEnd: number;
}

/**
 * A log of checksummed records in two files, of which the one with the higher generation counts. An appended record is
 * durable when append() returns. A log that has become long is written anew, as a checkpoint, into the other file;
 * its header, which makes it count, comes last.
 *
 * At most one record, or one checkpoint, is under way at a time. So after a crash only the last record can be torn; it is
 * ignored. When a write fails it is not known what reached the file: it is made sure that none of it did, by repair(),
 * before anything else is written.
 */
export class IndexLog {
  readonly #files: readonly [SyncFile, SyncFile];
  readonly #logBytes: number;
  /** Which of the files counts. */
  #active: 0 | 1 = 0;
  #generation = 0;
  #checkpointEnd = HEADER_BYTES;
  /** Where the next record goes. */
  #end = HEADER_BYTES;
  #number = 0;
  #tailUnsure = false;
  #otherUnsure = false;

  private constructor(files: readonly [SyncFile, SyncFile], logBytes: number) {
    this.#files = files;
    this.#logBytes = logBytes;
  }

  /** Makes a log with these records, durably. */
  static create(
    files: readonly [SyncFile, SyncFile],
    checkpoint: readonly IndexRecord[],
    logBytes: number,
  ): IndexLog {
    const log = new IndexLog(files, logBytes);
    log.writeAnew(checkpoint);
    return log;
  }

  /**
   * Opens the log, if the files hold one. Throws StorageError "unavailable" when its format is not known and "io"
   * when it is damaged in more than its last record.
   */
  static open(
    files: readonly [SyncFile, SyncFile],
    logBytes: number,
  ): { log: IndexLog; records: IndexRecord[] } | undefined {
    const headers = files.map(readHeader);
    for (const header of headers) if (header) checkVersion(header.version);
    const [first, second] = headers;
    const active = (first?.generation ?? 0) >= (second?.generation ?? 0) ? 0 : 1;
    const header = headers[active];
    if (!header) return undefined;
    const log = new IndexLog(files, logBytes);
    log.#active = active;
    log.#generation = header.generation;
    log.#checkpointEnd = header.checkpointEnd;
    const records = log.#readRecords();
    return { log, records };
  }

  /** Whether it is time to call writeAnew(). */
  get isLong(): boolean {
    return this.#end - this.#checkpointEnd > Math.max(this.#logBytes, this.#checkpointEnd);
  }

  /** Appends a record, durably. When it throws, nothing was appended. */
  append(record: IndexRecord): void {
    this.repair();
    const bytes = encode(record, this.#number, this.#generation);
    this.#tailUnsure = true;
    const file = this.#files[this.#active];
    const end = this.#end + bytes.length;
    writeAll(file, end > file.getSize() ? padded(bytes, this.#end) : bytes, this.#end);
    file.flush();
    this.#tailUnsure = false;
    this.#end = end;
    this.#number += 1;
  }

  /** Replaces the log by one with these records, which must say the same. When it throws, the old one still counts. */
  writeAnew(checkpoint: readonly IndexRecord[]): void {
    this.repair();
    const other = this.#active === 0 ? 1 : 0;
    const file = this.#files[other];
    const generation = this.#generation + 1;
    this.#otherUnsure = true;
    file.truncate(0);
    let end = HEADER_BYTES;
    for (const [number, record] of checkpoint.entries()) {
      const bytes = encode(record, number, generation);
      writeAll(file, bytes, end);
      end += bytes.length;
    }
    file.flush();
    writeAll(file, encodeHeader(generation, end), 0);
    file.flush();
    this.#otherUnsure = false;
    const old = this.#files[this.#active];
    this.#active = other;
    this.#generation = generation;
    this.#checkpointEnd = end;
    this.#end = end;
    this.#number = checkpoint.length;
    try {
      old.truncate(0); // gives its room back; if that fails, it has the lower generation all the same
    } catch {}
  }

  /**
   * Names what the log says: the same as long as nothing is appended, and another one after that, durably so in the same write.
   * Throws when it cannot be told what a failed write has left.
   */
  position(): string {
    this.repair();
    return `${this.#generation}.${this.#number}`;
  }

  /** Undoes what a failed write may have left. Throws when that fails; then nothing may be written yet. */
  repair(): void {
    if (this.#otherUnsure) {
      const other = this.#files[this.#active === 0 ? 1 : 0];
      other.truncate(0);
      other.flush();
      this.#otherUnsure = false;
    }
    if (this.#tailUnsure) {
      const file = this.#files[this.#active];
      file.truncate(this.#end);
      file.flush();
      this.#tailUnsure = false;
    }
  }

  #readRecords(): IndexRecord[] {
    const file = this.#files[this.#active];
    const bytes = new Uint8Array(file.getSize());
    if (file.read(bytes, { at: 0 }) !== bytes.length) throw damaged("its index cannot be read whole");
    const records: IndexRecord[] = [];
    let at = HEADER_BYTES;
    for (;;) {
      const record = decode(bytes, at, records.length, this.#generation);
      if (!record) break;
      records.push(record);
      at += RECORD_BYTES + record.payload.length;
    }
    if (at < this.#checkpointEnd) throw damaged("the beginning of its index is lost");
    // Only the last record can be torn by a crash: one behind a bad one means that what was durable has changed.
    if (at + RECORD_BYTES <= bytes.length) {
      const next = at + RECORD_BYTES + new DataView(bytes.buffer).getUint32(at + 4, true);
      if (decode(bytes, next, records.length + 1, this.#generation)) {
        throw damaged(`record ${records.length} of its index has changed`);
      }
    }
    this.#end = at;
    this.#number = records.length;
    this.#tailUnsure = bytes.subarray(at).some(byte => byte !== 0);
    return records;
  }
}

/** A record that is to stand at `at`, with zeroes behind it up to where the file grows to. */
function padded(record: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  const end = Math.ceil((at + record.length) / GROWTH_BYTES) * GROWTH_BYTES;
  const bytes = new Uint8Array(end - at);
  bytes.set(record);
  return bytes;
}

/** Writes all of it or throws. */
export function writeAll(file: SyncFile, data: Uint8Array<ArrayBuffer>, at: number): void {
  const written = file.write(data, { at });
  if (written !== data.length) {
    throw new StorageError("no-space", `The browser wrote only ${written} of ${data.length} bytes.`);
  }
}

export function damaged(how: string): StorageError {
  return new StorageError(
    "io",
    `This disk is damaged: ${how}. Nothing was changed; restore it from a copy or delete it.`,
  );
}

function checkVersion(version: number): void {
  if (version === INDEX_FORMAT_VERSION) return;
  throw new StorageError(
    "unavailable",
    `This disk has format version ${version}; this Doorbell reads version ${INDEX_FORMAT_VERSION}. ` +
      "Use the Doorbell that made it, or delete the disk.",
  );
}

function encodeHeader(generation: number, checkpointEnd: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, INDEX_FORMAT_VERSION, true);
  view.setUint32(12, generation, true);
  view.setUint32(16, checkpointEnd, true);
  view.setUint32(CRC_AT, crc32(bytes.subarray(0, CRC_AT)), true);
  return bytes;
}

/** Undefined when there is none, or one that a crash has torn. */
function readHeader(file: SyncFile): Header | undefined {
  const bytes = new Uint8Array(HEADER_BYTES);
  if (file.read(bytes, { at: 0 }) !== HEADER_BYTES) return undefined;
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) return undefined;
  const view = new DataView(bytes.buffer);
  if (view.getUint32(CRC_AT, true) !== crc32(bytes.subarray(0, CRC_AT))) return undefined;
  return {
    version: view.getUint32(8, true),
    generation: view.getUint32(12, true),
    checkpointEnd: view.getUint32(16, true),
  };
}

/** The generation is not stored, only checked: what an earlier log left in the file must not count. */
function checksum(record: Uint8Array, generation: number): number {
  const start = crc32(Uint8Array.of(generation, generation >>> 8, generation >>> 16, generation >>> 24));
  return crc32(record.subarray(RECORD_BYTES), crc32(record.subarray(0, 12), start));
}

function encode({ kind, payload }: IndexRecord, number: number, generation: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(RECORD_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, kind, true);
  view.setUint32(4, payload.length, true);
  view.setUint32(8, number, true);
  bytes.set(payload, RECORD_BYTES);
  view.setUint32(12, checksum(bytes, generation), true);
  return bytes;
}

function decode(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
  number: number,
  generation: number,
): IndexRecord | undefined {
  if (at + RECORD_BYTES > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, at);
  const end = at + RECORD_BYTES + view.getUint32(4, true);
  if (end > bytes.length || view.getUint32(8, true) !== number) return undefined;
  const record = bytes.subarray(at, end);
  if (view.getUint32(12, true) !== checksum(record, generation)) return undefined;
  return { kind: view.getUint32(0, true), payload: record.slice(RECORD_BYTES) };
}
