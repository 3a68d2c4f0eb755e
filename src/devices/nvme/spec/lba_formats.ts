/** The LBA formats of every namespace (NVMe 1.4, figure 246), by index: log2 of the logical block size. No metadata. */
export const LBA_SHIFTS = [9, 12] as const;

/** The index of a format; -1 for a block size that there is no format of. */
export const lbaFormatOf = (lbaShift: number): number => (LBA_SHIFTS as readonly number[]).indexOf(lbaShift);
