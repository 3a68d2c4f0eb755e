/**
 * What a system has written to its disk since the disk was seeded from an image, as a file: for each block of 4 KiB that differs its
 * number (32 bits, little-endian) and its content, in ascending order.
 */
export const PATCH_BLOCK_BYTES = 4096;
const RECORD_BYTES = 4 + PATCH_BLOCK_BYTES;

export interface PatchedBlock {
  readonly block: number;
  readonly data: Uint8Array;
}

/** What lies over an image when a disk is seeded with it. */
export interface SeedPatch {
  readonly blocks: Iterable<PatchedBlock>;
  /** Names what is on the disk then (DiskStore.seal). */
  readonly generation: string;
}

/** Throws for what is no such file. */
export function readPatch(file: Uint8Array): PatchedBlock[] {
  const count = file.length / RECORD_BYTES;
  if (!Number.isInteger(count))
    throw new Error("The changes of the shipped disk are damaged. Reload the page.");
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  return Array.from({ length: count }, (_, i) => ({
    block: view.getUint32(i * RECORD_BYTES, true),
    data: file.subarray(i * RECORD_BYTES + 4, (i + 1) * RECORD_BYTES),
  }));
}

export function writePatch(blocks: readonly PatchedBlock[]): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(blocks.length * RECORD_BYTES);
  const view = new DataView(file.buffer);
  for (const [i, { block, data }] of blocks.entries()) {
    view.setUint32(i * RECORD_BYTES, block, true);
    file.set(data, i * RECORD_BYTES + 4);
  }
  return file;
}
