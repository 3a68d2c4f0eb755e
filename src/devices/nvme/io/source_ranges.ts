import { address64 } from "../../guest_memory.ts";

/** Blocks that an entry of a parameter list names. */
export interface BlockRange {
  readonly slba: number;
  readonly blocks: number;
}

/**
 * Entries of the lists: Dataset Management ranges (section 6.7, figure 358) and Copy source ranges of format 0 (NVM
 * Command Set 1.0, section 3.2.2).
 */
export const RANGE_BYTES = { datasetManagement: 16, copy: 32 } as const;

export function parseRanges(list: DataView, kind: keyof typeof RANGE_BYTES): BlockRange[] {
  const bytes = RANGE_BYTES[kind];
  const slba = (at: number) => address64(list.getUint32(at + 8, true), list.getUint32(at + 12, true));
  return Array.from({ length: list.byteLength / bytes }, (_, i) => ({
    slba: slba(i * bytes),
    blocks: kind === "copy" ? list.getUint16(i * bytes + 16, true) + 1 : list.getUint32(i * bytes + 4, true),
  }));
}
