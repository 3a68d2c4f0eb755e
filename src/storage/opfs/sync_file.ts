/**
 * The few file operations that a disk in files needs: a part of FileSystemSyncAccessHandle, so that a browser's handle
 * is one as it stands and a test can put files of its own (with crashes in them) beneath the same code.
 */
export interface SyncFile {
  /** Reads into `buffer`, which may be shared memory, from byte `at` on; returns how many bytes there were. */
  read(buffer: Uint8Array, options: { at: number }): number;
  /** Writes all of `data` at byte `at`, making the file longer where needed; returns how many bytes were written. */
  write(data: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  truncate(byteLength: number): void;
  getSize(): number;
  /** Makes durable what was written and truncated before the call. Before that, any of it may be lost or torn. */
  flush(): void;
  close(): void;
}

/** The files of one disk: see slot_store.ts for what they hold. */
export interface DiskFiles {
  readonly index: readonly [SyncFile, SyncFile];
  readonly data: SyncFile;
}

export function closeFiles({ index, data }: DiskFiles): void {
  for (const file of [data, ...index]) file.close();
}
