/** Controller registers: NVMe 1.4, section 3.1. Offsets in bytes from BAR0. */
export const Register = {
  /** Controller Capabilities, 64 bits. */
  CAP: 0x00,
  /** Version. */
  VS: 0x08,
  /** Interrupt Mask Set / Clear (pin-based interrupts only). */
  INTMS: 0x0c,
  INTMC: 0x10,
  /** Controller Configuration. */
  CC: 0x14,
  /** Controller Status. */
  CSTS: 0x1c,
  /** NVM Subsystem Reset. */
  NSSR: 0x20,
  /** Admin Queue Attributes. */
  AQA: 0x24,
  /** Admin Submission / Completion Queue Base Address, 64 bits each. */
  ASQ: 0x28,
  ACQ: 0x30,
  /** First doorbell: SQ0 tail. Section 3.1.24. */
  DOORBELLS: 0x1000,
} as const;

/** Version 1.4.0. */
export const VERSION = 0x00010400;

/** CC fields (3.1.5). */
export const ControllerConfiguration = {
  enable: (cc: number) => (cc & 1) !== 0,
  commandSet: (cc: number) => (cc >>> 4) & 0x7,
  memoryPageSize: (cc: number) => (cc >>> 7) & 0xf,
  arbitration: (cc: number) => (cc >>> 11) & 0x7,
  shutdown: (cc: number) => (cc >>> 14) & 0x3,
  /** IOSQES and IOCQES: 2^6 and 2^4 bytes, the only ones there are. */
  hasEntrySizes: (cc: number) => ((cc >>> 16) & 0xff) === 0x46,
} as const;

/** CSTS bits (3.1.6). */
export const ControllerStatus = {
  RDY: 1 << 0,
  CFS: 1 << 1,
  SHST_MASK: 3 << 2,
  SHST_OCCURRING: 1 << 2,
  SHST_COMPLETE: 2 << 2,
  /** NVM Subsystem Reset Occurred; writing 1 clears it. */
  NSSRO: 1 << 4,
} as const;

/** Doorbell stride of this controller: 4 bytes << DSTRD, DSTRD 0. */
export const DOORBELL_STRIDE = 4;

/** The one memory page size that is supported (MPSMIN = MPSMAX = 0: 4 KiB). */
export const PAGE_BYTES = 4096;
export const PAGE_MASK = PAGE_BYTES - 1;

/** Entries of the largest queue (MQES + 1). Linux asks for 1024. */
export const MAX_QUEUE_ENTRIES = 1024;

/**
 * Longest transfer: 2^MDTS pages, 2 MiB. At least 1 MiB so that Linux sends a 1 MiB request whole; twice that, because
 * larger commands measured faster still and nothing is gained beyond.
 */
export const MDTS = 9;
export const MAX_TRANSFER_BYTES = PAGE_BYTES << MDTS;

/** Worst case of CC.EN changes and shutdown before a driver gives up, in units of 500 ms (CAP.TO). */
const TIMEOUT_HALF_SECONDS = 40;

/** CAP, low half: MQES, CQR (queues are physically contiguous), TO. */
export const CAP_LOW = ((MAX_QUEUE_ENTRIES - 1) | (1 << 16) | (TIMEOUT_HALF_SECONDS << 24)) >>> 0;
/** CAP, high half: DSTRD 0, NSSRS (CAP bit 36), CSS bit 0 (NVM command set; CAP bit 37), MPSMIN = MPSMAX = 0. */
export const CAP_HIGH = (1 << 4) | (1 << 5);
/** Written to NSSR, "NVMe" starts an NVM subsystem reset (3.1.7). */
export const NSSR_MAGIC = 0x4e564d65;
