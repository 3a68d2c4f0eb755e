/** Split virtqueues, virtio 1.1, section 2.6: three structures in guest memory, little-endian. */

/** Queue Size may be any power of two up to this one here (the specification allows 32768). */
export const MAX_QUEUE_SIZE = 1024;
export const DEFAULT_QUEUE_SIZE = 256;

/** struct virtq_desc (2.6.5): le64 addr, le32 len, le16 flags, le16 next. */
export const DESC_BYTES = 16;
export const Desc = { ADDR: 0, LEN: 8, FLAGS: 12, NEXT: 14 } as const;
export const DescFlag = { NEXT: 1, WRITE: 2, INDIRECT: 4 } as const;

/** struct virtq_avail (2.6.6): le16 flags, le16 idx, le16 ring[size], le16 used_event. */
export const Avail = {
  FLAGS: 0,
  IDX: 2,
  RING: 4,
  usedEvent: (size: number) => 4 + 2 * size,
  byteLength: (size: number) => 6 + 2 * size,
} as const;
export const AVAIL_F_NO_INTERRUPT = 1;

/** struct virtq_used (2.6.8): le16 flags, le16 idx, { le32 id, le32 len } ring[size], le16 avail_event. */
export const Used = {
  FLAGS: 0,
  IDX: 2,
  RING: 4,
  availEvent: (size: number) => 4 + 8 * size,
  byteLength: (size: number) => 6 + 8 * size,
} as const;

/** Has the index, moving from `old` to `now`, passed the one that the other side wants to hear of? (2.6.7.2) */
export function needEvent(event: number, now: number, old: number): boolean {
  return ((now - event - 1) & 0xffff) < ((now - old) & 0xffff);
}
