/** Bits of the Commands Supported and Effects log (NVMe 1.4, section 5.14.1.5). Each command table entry has one value. */
export const Effect = {
  supported: 1 << 0,
  /** Logical block content change. */
  changesBlocks: 1 << 1,
} as const;
