import type { MachineSignals } from "../machine_signals.ts";
import { CommonControl, SharedDeviceState, type SharedLayout } from "../shared_device_state.ts";

/** A virtio device's words in the state that the vCPU side and the serving side share. */

/** Virtqueues of a device, at most: for SCSI that is control, event and 6 request queues. */
export const MAX_QUEUES = 8;

const OWN = CommonControl.FIRST;
/** Device-wide words (indices of 32-bit words). */
export const Control = {
  ...CommonControl,
  /** vCPU: 1 from DRIVER_OK until the reset. Before, no buffer may be used. */
  LIVE: OWN,
  /** vCPU, before LIVE: feature word 0 as negotiated. */
  FEATURES: OWN + 1,
  /** Server: 1 + the epoch in which it found a virtqueue broken; 0 if it never did. */
  BROKEN: OWN + 2,
  /** vCPU: sense_size and cdb_size of the SCSI configuration. */
  SENSE_SIZE: OWN + 3,
  CDB_SIZE: OWN + 4,
} as const;
const CONTROL_WORDS = OWN + 5;

/** Words of each virtqueue. */
export const QueueWord = {
  /** vCPU: 1 while the queue is enabled and served. The next four are written before it. */
  ENABLED: 0,
  SIZE: 1,
  DESC: 2,
  AVAIL: 3,
  USED: 4,
  /** vCPU: avail.idx as of the last kick or sweep. What it covers may be fetched on any host. */
  ANNOUNCED: 5,
  /** vCPU: avail.idx as of the last kick: tells elided kicks from real ones. */
  KICKED: 6,
  /** Server: avail index of the next entry to fetch, 16 bits. */
  LAST_AVAIL: 7,
  /** Server: chains fetched, wrapping. */
  FETCHED: 8,
  /** vCPU: chains put on the used ring, wrapping. FETCHED - POSTED are under way. */
  POSTED: 9,
} as const;
const QUEUE_WORDS = 16;

/** Words of a completion record on the ring. */
export const CompletionWord = {
  EPOCH: 0,
  QUEUE: 1,
  /** Index of the first descriptor of the chain. */
  HEAD: 2,
  /** Bytes written to the chain, as the used element wants it. */
  WRITTEN: 3,
} as const;
const COMPLETION_WORDS = 4;

const layout: SharedLayout = {
  controlWords: CONTROL_WORDS,
  queues: MAX_QUEUES,
  queueWords: QUEUE_WORDS,
  fetched: QueueWord.FETCHED,
  posted: QueueWord.POSTED,
  completionWords: COMPLETION_WORDS,
};

export class VirtioSharedState extends SharedDeviceState {
  constructor(signals?: MachineSignals, buffer?: SharedArrayBuffer) {
    super(layout, signals, buffer);
  }
}
