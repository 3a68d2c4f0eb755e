import type { BlockDevice } from "../../../storage/block_device.ts";
import { ByteRanges } from "./byte_ranges.ts";

/**
 * What Write Uncorrectable (section 6.16) has marked: reads of it fail until it is written. Kept by disk and in bytes,
 * and in memory only: resets and reboots of the guest leave it, a reload of the page forgets it.
 */
export class UncorrectableBlocks {
  readonly #marked = new WeakMap<BlockDevice, ByteRanges>();

  mark(disk: BlockDevice, offset: number, byteLength: number): void {
    let ranges = this.#marked.get(disk);
    if (!ranges) {
      ranges = new ByteRanges();
      this.#marked.set(disk, ranges);
    }
    ranges.add(offset, offset + byteLength);
  }

  /** The range has been written, zeroed or deallocated. */
  heal(disk: BlockDevice, offset: number, byteLength: number): void {
    const ranges = this.#marked.get(disk);
    if (ranges && !ranges.isEmpty) ranges.remove(offset, offset + byteLength);
  }

  /** Byte offset of the first marked block in a range; undefined if all of it can be read. */
  firstWithin(disk: BlockDevice, offset: number, byteLength: number): number | undefined {
    const ranges = this.#marked.get(disk);
    return ranges && !ranges.isEmpty ? ranges.firstWithin(offset, offset + byteLength) : undefined;
  }
}
