/** What SPC-4 and SBC-3 call things, as far as a disk needs it. */

export const Opcode = {
  TEST_UNIT_READY: 0x00,
  REQUEST_SENSE: 0x03,
  READ_6: 0x08,
  WRITE_6: 0x0a,
  INQUIRY: 0x12,
  MODE_SENSE_6: 0x1a,
  START_STOP_UNIT: 0x1b,
  READ_CAPACITY_10: 0x25,
  READ_10: 0x28,
  WRITE_10: 0x2a,
  SYNCHRONIZE_CACHE_10: 0x35,
  UNMAP: 0x42,
  MODE_SENSE_10: 0x5a,
  READ_16: 0x88,
  WRITE_16: 0x8a,
  SYNCHRONIZE_CACHE_16: 0x91,
  WRITE_SAME_16: 0x93,
  SERVICE_ACTION_IN_16: 0x9e,
  REPORT_LUNS: 0xa0,
} as const;
/** Service action of SERVICE ACTION IN (16). */
export const READ_CAPACITY_16 = 0x10;

/** Status codes (SAM-5, section 5.3). */
export const ScsiStatus = { GOOD: 0x00, CHECK_CONDITION: 0x02 } as const;

/** A sense key with its additional sense code and qualifier (SPC-4, section 4.5): key << 16 | ASC << 8 | ASCQ. */
export const Sense = {
  none: 0x000000,
  unrecoveredReadError: 0x031100,
  writeError: 0x030c00,
  internalTargetFailure: 0x044400,
  invalidOpcode: 0x052000,
  lbaOutOfRange: 0x052100,
  invalidFieldInCdb: 0x052400,
  lunNotSupported: 0x052500,
  invalidFieldInParameterList: 0x052600,
  parameterListLengthError: 0x051a00,
  savingParametersNotSupported: 0x053900,
  busDeviceReset: 0x062903,
  spaceAllocationFailed: 0x072707,
} as const;
export type SenseCode = number;

export const FIXED_SENSE_BYTES = 18;

/** Fixed format sense data, current error (SPC-4, section 4.5.3). */
export function writeFixedSense(into: Uint8Array, sense: SenseCode): void {
  into.fill(0, 0, FIXED_SENSE_BYTES);
  into[0] = 0x70;
  into[2] = sense >>> 16;
  into[7] = FIXED_SENSE_BYTES - 8;
  into[12] = (sense >>> 8) & 0xff;
  into[13] = sense & 0xff;
}
