import { MAX_CDB_SIZE, ScsiRequest } from "./spec/scsi.ts";

/** A chain that is being served. Headers are copied out of guest memory once, before they are looked at. */
export class VirtioRequest {
  /** Life of the device in which it was fetched. */
  epoch = 0;
  queue = 0;
  /** Index of the first descriptor. */
  head = 0;
  /** Bytes of the two halves of the chain as first mapped. */
  readableBytes = 0;
  writableBytes = 0;
  /** It was answered before its storage request was over (a task management function): no DMA any more. */
  aborted = false;
  /** A flush that storage has not answered. */
  flushing = false;
  /** Copy of the header: large enough for a SCSI request with the longest CDB. */
  readonly header = new Uint8Array(ScsiRequest.CDB + MAX_CDB_SIZE);
  readonly headerView = new DataView(this.header.buffer);

  /** Block: address of the status byte. SCSI: of the response, or -1 if that lies in pieces. */
  answerAt = 0;

  // SCSI
  /** As configured when the request was fetched. */
  cdbSize = 0;
  senseSize = 0;
  /** Data bytes that the command moved, of those that the buffer has. */
  transferred = 0;
  bufferBytes = 0;
  /** What the transport has to say (5.6.6.1), when it is not OK. */
  response = 0;
}
