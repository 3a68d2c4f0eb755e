import { CompletionRing } from "../../eventloop/completion_ring.ts";
import { EventNotifier } from "../../eventloop/event_notifier.ts";
import { counterBytes } from "../../trace/counters.ts";

/**
 * The state of a virtio device that two threads share, in one SharedArrayBuffer: the vCPU side (registers, used rings,
 * interrupts) and the serving side (descriptor chains, DMA, storage). Every word has ONE writer, named here.
 */

/** Virtqueues of a device, at most: for SCSI that is control, event and 6 request queues. */
export const MAX_QUEUES = 8;

/** Device-wide words (indices of 32-bit words). */
export const Control = {
  /** vCPU: the life of the device. Goes up by one at each reset; work of an older life must not touch the guest. */
  EPOCH: 0,
  /** Server: the epoch it has adopted. Equal to EPOCH means that nothing older can do DMA or complete any more. */
  EPOCH_ACK: 1,
  /** vCPU: number of safe points passed, added to atomically: a full fence after the guest's own stores. */
  SAFE_POINTS: 2,
  /** vCPU: 1 from DRIVER_OK until the reset. Before, no buffer may be used. */
  LIVE: 3,
  /** vCPU, before LIVE: feature word 0 as negotiated. */
  FEATURES: 4,
  /** Server: 1 + the epoch in which it found a virtqueue broken; 0 if it never did. */
  BROKEN: 5,
  /** Server: range records that did not fit on their ring, wrapping: any RAM may have been written. */
  RANGES_DROPPED: 6,
  /** vCPU: sense_size and cdb_size of the SCSI configuration. */
  SENSE_SIZE: 7,
  CDB_SIZE: 8,
} as const;
const CONTROL_WORDS = 16;

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

/**
 * Words of a range record: [start, end) of guest memory that DMA wrote. They are published before the completion that
 * they belong to, so the vCPU thread takes all ranges first.
 */
export const RangeWord = { START: 0, END: 1 } as const;
const RANGE_WORDS = 2;

/**
 * Chains that one queue may have under way. A queue at its limit is not fetched from, so that the completion ring,
 * which has room for all of them, cannot overflow.
 */
export const MAX_IN_FLIGHT = 1024;
const COMPLETIONS = MAX_QUEUES * MAX_IN_FLIGHT;
const RANGES = 16384;

const QUEUES_START = CONTROL_WORDS * 4;
const COUNTERS_START = QUEUES_START + MAX_QUEUES * QUEUE_WORDS * 4;
const SERVER_NOTIFIER_START = align64(COUNTERS_START + counterBytes);
const VCPU_NOTIFIER_START = SERVER_NOTIFIER_START + 64;
const COMPLETIONS_START = VCPU_NOTIFIER_START + 64;
const RANGES_START = align64(COMPLETIONS_START + CompletionRing.byteLength(COMPLETIONS, COMPLETION_WORDS));
const TOTAL = align64(RANGES_START + CompletionRing.byteLength(RANGES, RANGE_WORDS));

function align64(bytes: number): number {
  return (bytes + 63) & ~63;
}

export class VirtioSharedState {
  readonly buffer: SharedArrayBuffer;
  /** Device-wide words, see Control. */
  readonly control: Int32Array;
  readonly counters: Int32Array;
  /** Wakes the thread that serves I/O. */
  readonly serverNotifier: EventNotifier;
  /** Wakes the vCPU thread: completions are on the ring, or an acknowledgement has come. */
  readonly vcpuNotifier: EventNotifier;
  readonly completions: CompletionRing;
  readonly ranges: CompletionRing;
  readonly #queues: Int32Array;

  static create(): VirtioSharedState {
    return new VirtioSharedState(new SharedArrayBuffer(TOTAL));
  }

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.control = new Int32Array(buffer, 0, CONTROL_WORDS);
    this.#queues = new Int32Array(buffer, QUEUES_START, MAX_QUEUES * QUEUE_WORDS);
    this.counters = new Int32Array(buffer, COUNTERS_START, counterBytes / 4);
    this.serverNotifier = new EventNotifier(buffer, SERVER_NOTIFIER_START);
    this.vcpuNotifier = new EventNotifier(buffer, VCPU_NOTIFIER_START);
    this.completions = new CompletionRing(buffer, COMPLETIONS_START, COMPLETIONS, COMPLETION_WORDS);
    this.ranges = new CompletionRing(buffer, RANGES_START, RANGES, RANGE_WORDS);
  }

  getControl(word: number): number {
    return Atomics.load(this.control, word);
  }

  setControl(word: number, value: number): void {
    Atomics.store(this.control, word, value);
  }

  addControl(word: number, amount = 1): number {
    return Atomics.add(this.control, word, amount) + amount;
  }

  getQueue(queue: number, word: number): number {
    return Atomics.load(this.#queues, queue * QUEUE_WORDS + word);
  }

  setQueue(queue: number, word: number, value: number): void {
    Atomics.store(this.#queues, queue * QUEUE_WORDS + word, value);
  }

  /** Chains fetched and not yet on the used ring. */
  inFlight(queue: number): number {
    return (this.getQueue(queue, QueueWord.FETCHED) - this.getQueue(queue, QueueWord.POSTED)) | 0;
  }
}
