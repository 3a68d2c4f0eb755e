/** Submission and completion queue entries: NVMe 1.4, sections 4.2 and 4.6. */
export const SQE_BYTES = 64;
export const CQE_BYTES = 16;

/** Indices of the 32-bit words ("dwords") of an SQE, common to admin and NVM commands. */
export const Sqe = {
  /** Opcode 7:0, FUSE 9:8, PSDT 15:14, CID 31:16. */
  CDW0: 0,
  NSID: 1,
  MPTR: 4,
  PRP1: 6,
  PRP2: 8,
  CDW10: 10,
  CDW11: 11,
  CDW12: 12,
  CDW13: 13,
  CDW14: 14,
  CDW15: 15,
} as const;

export const opcodeOf = (cdw0: number): number => cdw0 & 0xff;
/** Fused operation, 0 for a normal command. */
export const fuseOf = (cdw0: number): number => (cdw0 >>> 8) & 3;
/** PRP or SGL for Data Transfer: 0 is PRP. */
export const psdtOf = (cdw0: number): number => (cdw0 >>> 14) & 3;
export const cidOf = (cdw0: number): number => cdw0 >>> 16;

/** A namespace id that stands for all namespaces. */
export const NSID_ALL = 0xffffffff;
