import type { VirtioRequest } from "../request.ts";
import { BROKEN, type VirtioServices, type Written } from "../services.ts";
import { AsyncNotification, ControlType, FUNCTION_COMPLETE, Response, Tmf, TmfType } from "../spec/scsi.ts";
import { copyFromVector, copyToVector, keepFront } from "../vectors.ts";

/** What task management functions do to the tasks of the one logical unit. */
export interface TaskSet {
  abort(response: number, id?: bigint): void;
  hasTask(id?: bigint): boolean;
  resetUnit(): void;
}

/**
 * The logical unit number that an 8-byte LUN field names (virtio 1.1, section 5.6.6.1): byte 0 is 1, byte 1 the
 * target, then a single level LUN. -1 if there is no such target.
 */
export function unitOf(header: Uint8Array, at: number): number {
  // The well known logical unit REPORT LUNS: no disk, but it lists the disks.
  if (header[at] === 0xc1 && header[at + 1] === 0x01) return 0xc101;
  if (header[at] !== 1 || header[at + 1] !== 0) return -1;
  return ((header[at + 2] & 0x3f) << 8) | header[at + 3];
}

/** Section 5.6.6.2. */
export function executeControl(services: VirtioServices, request: VirtioRequest, tasks: TaskSet): Written {
  const { readable, writable } = services;
  if (readable.byteLength < 4 || writable.byteLength < 1) return BROKEN;
  const header = request.header;
  copyFromVector(readable, header, Math.min(readable.byteLength, Tmf.byteLength));
  switch (request.headerView.getUint32(0, true)) {
    case ControlType.TMF: {
      if (readable.byteLength < Tmf.byteLength) return BROKEN;
      // Aborting maps other chains: the place of the answer is needed before.
      const answerAt = writable.offsets[0];
      const response = manageTasks(request, tasks);
      services.writeByte(answerAt, response);
      services.countCommand("admin", response === Response.FUNCTION_REJECTED);
      return 1;
    }
    case ControlType.AN_QUERY:
    case ControlType.AN_SUBSCRIBE: {
      if (
        readable.byteLength < AsyncNotification.byteLength ||
        writable.byteLength < AsyncNotification.responseBytes
      ) {
        return BROKEN;
      }
      // No asynchronous notifications: event_actual is 0.
      const answer = new Uint8Array(AsyncNotification.responseBytes);
      const unit = unitOf(header, AsyncNotification.LUN);
      answer[4] = unit < 0 ? Response.BAD_TARGET : unit === 0 ? Response.OK : Response.INCORRECT_LUN;
      keepFront(writable, answer.length);
      copyToVector(writable, answer, answer.length);
      services.dmaWrote(writable);
      services.countCommand("admin", false);
      return answer.length;
    }
    default:
      services.writeByte(writable.offsets[0], Response.FAILURE);
      services.countCommand("admin", true);
      return 1;
  }
}

function manageTasks(request: VirtioRequest, tasks: TaskSet): number {
  const unit = unitOf(request.header, Tmf.LUN);
  if (unit < 0) return Response.BAD_TARGET;
  const subtype = request.headerView.getUint32(Tmf.SUBTYPE, true);
  const id = request.headerView.getBigUint64(Tmf.ID, true);
  if (unit !== 0 && subtype !== TmfType.I_T_NEXUS_RESET) return Response.INCORRECT_LUN;
  switch (subtype) {
    case TmfType.ABORT_TASK:
      tasks.abort(Response.ABORTED, id);
      return FUNCTION_COMPLETE;
    case TmfType.ABORT_TASK_SET:
    case TmfType.CLEAR_TASK_SET:
      tasks.abort(Response.ABORTED);
      return FUNCTION_COMPLETE;
    case TmfType.I_T_NEXUS_RESET:
    case TmfType.LOGICAL_UNIT_RESET:
      tasks.resetUnit();
      return FUNCTION_COMPLETE;
    case TmfType.QUERY_TASK:
      return tasks.hasTask(id) ? Response.FUNCTION_SUCCEEDED : FUNCTION_COMPLETE;
    case TmfType.QUERY_TASK_SET:
      return tasks.hasTask() ? Response.FUNCTION_SUCCEEDED : FUNCTION_COMPLETE;
    default:
      // CLEAR ACA: there is no auto contingent allegiance here (NormACA 0).
      return Response.FUNCTION_REJECTED;
  }
}
