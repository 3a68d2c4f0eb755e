/**
 * Status codes (NVMe 1.4, section 4.6.1): status code type in bits 10:8, status code in bits 7:0, Do Not Retry in
 * bit 14, as they stand in the CQE's status field shifted right by the phase bit.
 */
export const DNR = 1 << 14;

export const Status = {
  success: 0x000,
  invalidOpcode: 0x001 | DNR,
  invalidField: 0x002 | DNR,
  dataTransferError: 0x004,
  internalError: 0x006,
  abortedByRequest: 0x007,
  abortedSqDeletion: 0x008,
  failedFusedCommand: 0x009,
  missingFusedCommand: 0x00a | DNR,
  invalidNamespace: 0x00b | DNR,
  sequenceError: 0x00c | DNR,
  invalidSglSegment: 0x00d | DNR,
  invalidSglCount: 0x00e | DNR,
  dataSglLengthInvalid: 0x00f | DNR,
  sglTypeInvalid: 0x011 | DNR,
  keepAliveExpired: 0x014 | DNR,
  sanitizeFailed: 0x01c | DNR,
  sanitizeInProgress: 0x01d,
  invalidPrpOffset: 0x013 | DNR,
  operationDenied: 0x015 | DNR,
  sglGranularityInvalid: 0x01e | DNR,
  lbaOutOfRange: 0x080 | DNR,
  capacityExceeded: 0x081,
  formatInProgress: 0x084,
  // Command specific (status code type 1).
  cqInvalid: 0x100 | DNR,
  queueIdInvalid: 0x101 | DNR,
  queueSizeInvalid: 0x102 | DNR,
  abortLimitExceeded: 0x103,
  aerLimitExceeded: 0x105 | DNR,
  invalidInterruptVector: 0x108 | DNR,
  invalidLogPage: 0x109 | DNR,
  invalidQueueDeletion: 0x10c | DNR,
  featureNotSaveable: 0x10d | DNR,
  featureNotChangeable: 0x10e | DNR,
  featureNotNamespaceSpecific: 0x10f | DNR,
  invalidFormat: 0x10a | DNR,
  namespaceInsufficientCapacity: 0x115 | DNR,
  namespaceIdUnavailable: 0x116 | DNR,
  namespaceAlreadyAttached: 0x118 | DNR,
  namespaceNotAttached: 0x11a | DNR,
  thinProvisioningNotSupported: 0x11b | DNR,
  controllerListInvalid: 0x11c | DNR,
  selfTestInProgress: 0x11d,
  /** Vendor specific: what Google's extension answers to buffers that it cannot use. */
  googleInvalidBuffer: 0x1c0 | DNR,
  conflictingAttributes: 0x180 | DNR,
  /** Of Copy: TP 4065, NVM Command Set Specification 1.0. */
  commandSizeLimitExceeded: 0x183 | DNR,
  // Media and data integrity (status code type 2).
  writeFault: 0x280,
  unrecoveredReadError: 0x281,
  compareFailure: 0x285 | DNR,
} as const;

/** What a command ends with. */
export type StatusCode = number;

/** Status code type (section 4.6.1.2). */
const statusCodeType = (status: StatusCode): number => (status >>> 8) & 7;
/** The status code type of media and data integrity errors. */
const MEDIA_ERROR = 2;
/** Is it an error of the media, as SMART counts them (section 5.14.1.2)? A comparison that fails is none. */
export const isMediaError = (status: StatusCode): boolean =>
  statusCodeType(status) === MEDIA_ERROR && status !== Status.compareFailure;
