import { Status, type StatusCode } from "./status.ts";

/** Parameter Error Location of the error log (section 5.14.1.1): byte of the SQE in 7:0, bit of that in 10:8. */
export type ErrorLocation = number;

const at = (byte: number, bit = 0): ErrorLocation => byte | (bit << 8);

export const ErrorLocation = {
  none: 0xffff,
  opcode: at(0),
  fuse: at(1, 0),
  psdt: at(1, 6),
  nsid: at(4),
  dataPointer: at(24),
  cdw10: at(40),
  /** Number of Logical Blocks (CDW12 15:0), or of ranges in Copy (7:0). */
  blockCount: at(48),
  /** Descriptor Format of Copy (CDW12 11:8). */
  descriptorFormat: at(49),
} as const;

const byStatus: ReadonlyMap<StatusCode, ErrorLocation> = new Map<StatusCode, ErrorLocation>([
  [Status.invalidOpcode, ErrorLocation.opcode],
  [Status.invalidNamespace, ErrorLocation.nsid],
  [Status.lbaOutOfRange, ErrorLocation.cdw10],
  [Status.missingFusedCommand, ErrorLocation.fuse],
  [Status.dataTransferError, ErrorLocation.dataPointer],
  [Status.invalidPrpOffset, ErrorLocation.dataPointer],
  [Status.invalidSglSegment, ErrorLocation.dataPointer],
  [Status.invalidSglCount, ErrorLocation.dataPointer],
  [Status.dataSglLengthInvalid, ErrorLocation.dataPointer],
  [Status.sglTypeInvalid, ErrorLocation.dataPointer],
  [Status.sglGranularityInvalid, ErrorLocation.dataPointer],
]);

/** Where the error of a command is, as far as its status tells. */
export const locationOf = (status: StatusCode): ErrorLocation => byStatus.get(status) ?? ErrorLocation.none;
