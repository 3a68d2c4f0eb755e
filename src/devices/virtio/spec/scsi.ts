/** SCSI host device, virtio 1.1, section 5.6. */

/** Queues (5.6.2): request queues follow from 2 on. */
export const ScsiQueue = { CONTROL: 0, EVENT: 1, REQUEST: 2 } as const;

/** Byte offsets in struct virtio_scsi_config (5.6.4). sense_size and cdb_size may be written by the driver. */
export const ScsiConfig = {
  num_queues: 0,
  seg_max: 4,
  max_sectors: 8,
  cmd_per_lun: 12,
  event_info_size: 16,
  sense_size: 20,
  cdb_size: 24,
  max_channel: 28,
  max_target: 30,
  max_lun: 32,
  byteLength: 36,
} as const;
export const DEFAULT_SENSE_SIZE = 96;
export const DEFAULT_CDB_SIZE = 32;
/** Largest sense_size and cdb_size that a driver may ask for here. */
export const MAX_SENSE_SIZE = 252;
export const MAX_CDB_SIZE = 256;
export const EVENT_INFO_BYTES = 16;

/** Device-readable part of struct virtio_scsi_req_cmd (5.6.6.1), before the CDB of cdb_size bytes. */
export const ScsiRequest = { LUN: 0, ID: 8, TASK_ATTR: 16, PRIO: 17, CRN: 18, CDB: 19 } as const;
/** Device-writable part, before the sense data of sense_size bytes. */
export const ScsiResponse = {
  SENSE_LEN: 0,
  RESIDUAL: 4,
  STATUS_QUALIFIER: 8,
  STATUS: 10,
  RESPONSE: 11,
  SENSE: 12,
} as const;

/** Values of `response` (5.6.6.1, 5.6.6.2). */
export const Response = {
  OK: 0,
  OVERRUN: 1,
  ABORTED: 2,
  BAD_TARGET: 3,
  RESET: 4,
  FAILURE: 9,
  FUNCTION_SUCCEEDED: 10,
  FUNCTION_REJECTED: 11,
  INCORRECT_LUN: 12,
} as const;
/** FUNCTION_COMPLETE and OK are one value. */
export const FUNCTION_COMPLETE = 0;

/** Control queue (5.6.6.2). */
export const ControlType = { TMF: 0, AN_QUERY: 1, AN_SUBSCRIBE: 2 } as const;
/** struct virtio_scsi_ctrl_tmf: le32 type, le32 subtype, u8 lun[8], le64 id; then u8 response. */
export const Tmf = { TYPE: 0, SUBTYPE: 4, LUN: 8, ID: 16, byteLength: 24 } as const;
export const TmfType = {
  ABORT_TASK: 0,
  ABORT_TASK_SET: 1,
  CLEAR_ACA: 2,
  CLEAR_TASK_SET: 3,
  I_T_NEXUS_RESET: 4,
  LOGICAL_UNIT_RESET: 5,
  QUERY_TASK: 6,
  QUERY_TASK_SET: 7,
} as const;
/** struct virtio_scsi_ctrl_an: le32 type, u8 lun[8], le32 event_requested; then le32 event_actual, u8 response. */
export const AsyncNotification = { TYPE: 0, LUN: 4, byteLength: 16, responseBytes: 5 } as const;
