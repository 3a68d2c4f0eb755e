/**
 * A scatter/gather list over one memory, like QEMU's QEMUIOVector: where the data of one request lies in guest RAM.
 * Filled by the device's PRP walker, read by the block cache. One vector is reused for every request, so that
 * serving I/O allocates nothing.
 */
export class IoVector {
  /** Guest RAM, from guest physical address 0. */
  readonly memory: Uint8Array;
  /** Start of each segment, a byte offset into `memory`. */
  readonly offsets: Float64Array;
  /** Length of each segment in bytes. */
  readonly lengths: Uint32Array;
  /** Segments in use. */
  count = 0;
  /** Sum of the lengths. */
  byteLength = 0;

  constructor(memory: Uint8Array, maxSegments: number) {
    this.memory = memory;
    this.offsets = new Float64Array(maxSegments);
    this.lengths = new Uint32Array(maxSegments);
  }

  clear(): void {
    this.count = 0;
    this.byteLength = 0;
  }

  /** Appends a segment; one that continues the last segment is merged into it. */
  add(offset: number, length: number): void {
    const last = this.count - 1;
    if (last >= 0 && this.offsets[last] + this.lengths[last] === offset) {
      this.lengths[last] += length;
    } else {
      this.offsets[this.count] = offset;
      this.lengths[this.count] = length;
      this.count += 1;
    }
    this.byteLength += length;
  }
}
