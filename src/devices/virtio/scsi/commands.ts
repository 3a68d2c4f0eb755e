import type { VirtioRequest } from "../request.ts";
import { FIXED_SENSE_BYTES, Opcode, Sense, writeFixedSense } from "../spec/scsi_commands.ts";
import { inquiry, modeSense6, modeSense10, readCapacity10, reportLuns, serviceActionIn16 } from "./inform.ts";
import { cdb8, type Outcome, type ScsiTarget } from "./target.ts";
import { read6, read10, read16, write6, write10, write16 } from "./transfer.ts";
import { flush, synchronizeCache10, synchronizeCache16, unmap, writeSame16 } from "./upkeep.ts";

/** One SCSI command: this table is what is supported. */
export interface ScsiCommand {
  readonly name: string;
  /** Answers at once when no storage is to be waited for. */
  execute(target: ScsiTarget, request: VirtioRequest): Outcome;
}

export const scsiCommands: ReadonlyMap<number, ScsiCommand> = new Map<number, ScsiCommand>([
  [Opcode.READ_10, { name: "READ (10)", execute: read10 }],
  [Opcode.WRITE_10, { name: "WRITE (10)", execute: write10 }],
  [Opcode.READ_16, { name: "READ (16)", execute: read16 }],
  [Opcode.WRITE_16, { name: "WRITE (16)", execute: write16 }],
  [Opcode.READ_6, { name: "READ (6)", execute: read6 }],
  [Opcode.WRITE_6, { name: "WRITE (6)", execute: write6 }],
  [Opcode.SYNCHRONIZE_CACHE_10, { name: "SYNCHRONIZE CACHE (10)", execute: synchronizeCache10 }],
  [Opcode.SYNCHRONIZE_CACHE_16, { name: "SYNCHRONIZE CACHE (16)", execute: synchronizeCache16 }],
  [Opcode.UNMAP, { name: "UNMAP", execute: unmap }],
  [Opcode.WRITE_SAME_16, { name: "WRITE SAME (16)", execute: writeSame16 }],
  [Opcode.TEST_UNIT_READY, { name: "TEST UNIT READY", execute: () => Sense.none }],
  [Opcode.REQUEST_SENSE, { name: "REQUEST SENSE", execute: requestSense }],
  [Opcode.START_STOP_UNIT, { name: "START STOP UNIT", execute: startStopUnit }],
  [Opcode.INQUIRY, { name: "INQUIRY", execute: inquiry }],
  [Opcode.REPORT_LUNS, { name: "REPORT LUNS", execute: reportLuns }],
  [Opcode.MODE_SENSE_6, { name: "MODE SENSE (6)", execute: modeSense6 }],
  [Opcode.MODE_SENSE_10, { name: "MODE SENSE (10)", execute: modeSense10 }],
  [Opcode.READ_CAPACITY_10, { name: "READ CAPACITY (10)", execute: readCapacity10 }],
  [Opcode.SERVICE_ACTION_IN_16, { name: "SERVICE ACTION IN (16)", execute: serviceActionIn16 }],
]);

/** SPC-4, section 6.39. Sense data of a command comes with its response, so there is only a unit attention to tell. */
function requestSense(target: ScsiTarget, request: VirtioRequest): Outcome {
  const descriptorFormat = (cdb8(request, 1) & 1) !== 0;
  if (descriptorFormat) return Sense.invalidFieldInCdb;
  const data = new Uint8Array(FIXED_SENSE_BYTES);
  writeFixedSense(data, target.takeUnitAttention());
  return target.reply(request, data, cdb8(request, 4));
}

/** SBC-3, section 5.25. There is no motor; what it means for a disk is that stopping makes its cache durable. */
function startStopUnit(target: ScsiTarget, request: VirtioRequest): Outcome {
  const loadEject = (cdb8(request, 4) & 2) !== 0;
  const noFlush = (cdb8(request, 4) & 4) !== 0;
  const start = (cdb8(request, 4) & 1) !== 0;
  if (loadEject) return Sense.invalidFieldInCdb;
  return start || noFlush ? Sense.none : flush(target);
}
