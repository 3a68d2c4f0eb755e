import type { VirtioRequest } from "../request.ts";
import type { VirtioServices } from "../services.ts";
import type { SenseCode } from "../spec/scsi_commands.ts";

/** What a SCSI command may use of the target that runs it. */
export interface ScsiTarget {
  readonly services: VirtioServices;
  /** Does the command go to a logical unit that is there? INQUIRY and REPORT LUNS answer for all of them. */
  readonly unitExists: boolean;
  /** What happened to the logical unit that no command was told of yet; 0 if nothing. Taking clears it. */
  takeUnitAttention(): SenseCode;
  /** Copies at most `allocationLength` bytes of `data` to the data-in buffer. */
  reply(request: VirtioRequest, data: Uint8Array, allocationLength: number): SenseCode;
  /** Maps the request's chain again after an await, data only. False if the driver has changed it. */
  remapData(request: VirtioRequest): boolean;
}

/** A sense code; `Sense.none` is the status GOOD. */
export type Outcome = SenseCode | Promise<SenseCode>;

/** The request is not wanted any more: a reset or an abort came while storage was waited for. */
export const GONE = -1;

/** The CDB lies in the request's header. Its fields are big-endian. */
export const CDB = 19;
export const cdb8 = (request: VirtioRequest, at: number): number => request.header[CDB + at];
export const cdb16 = (request: VirtioRequest, at: number): number => request.headerView.getUint16(CDB + at);
export const cdb32 = (request: VirtioRequest, at: number): number => request.headerView.getUint32(CDB + at);
/** Inexact above 2^53, which is outside any disk. */
export const cdb64 = (request: VirtioRequest, at: number): number =>
  cdb32(request, at) * 2 ** 32 + cdb32(request, at + 4);
