/** What both threads know of the disk behind a virtio device; plain data. */
export interface VirtioDiskInfo {
  readonly type: "block" | "scsi";
  /** log2 of the logical block size: 9 or 12. */
  readonly lbaShift: number;
  /** Size in logical blocks. */
  readonly blocks: number;
  /** At most 20 ASCII characters. */
  readonly serialNumber: string;
  /** World wide name: 16 hex digits, an NAA identifier (SPC-4, section 7.8.6.6). SCSI only. */
  readonly wwn: string;
}

/** Longest transfer of one piece: as the NVMe controller's MDTS. */
export const MAX_TRANSFER_BYTES = 2 << 20;
