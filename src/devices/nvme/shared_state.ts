import { CompletionRing } from "../../eventloop/completion_ring.ts";
import { EventNotifier } from "../../eventloop/event_notifier.ts";
import { counterBytes } from "../../trace/counters.ts";

/**
 * The controller's state that two threads share, in one SharedArrayBuffer: the vCPU side (registers, admin commands,
 * completion posting) and the serving side (fetching SQEs, DMA, storage). Every word has ONE writer, named here.
 */

/** I/O queue pairs; queue ids run from 1 to this number. Queue 0 is the admin queue and never shared. */
export const MAX_IO_QUEUES = 16;

/** Controller-wide words (indices of 32-bit words). */
export const Control = {
  /** vCPU: the life of the controller. Goes up by one at each reset; work of an older life must not touch the guest. */
  EPOCH: 0,
  /** Server: the epoch it has adopted. Equal to EPOCH means that nothing older can do DMA or complete any more. */
  EPOCH_ACK: 1,
  /** vCPU: goes up by one at each shutdown notification. */
  SHUTDOWN: 2,
  /** Server: the shutdown it has finished: all data is durable. */
  SHUTDOWN_ACK: 3,
  /** Server: 1 if the flush of the last shutdown failed. */
  SHUTDOWN_FAILED: 4,
  /** vCPU: number of safe points passed, added to atomically: a full fence after the guest's own stores. */
  SAFE_POINTS: 5,
  /** vCPU: 1 while Doorbell Buffer Config is in force, and its two guest pages. */
  SHADOW_ENABLED: 6,
  SHADOW_PAGE: 7,
  EVENT_IDX_PAGE: 8,
  /** vCPU: volatile write cache enable (feature 06h). Without it each write is durable before it completes. */
  WRITE_CACHE: 9,
  /** vCPU: highest queue id in use, so that the server need not look at all of them. */
  HIGHEST_SQ: 10,
  /** Server sets it when the range ring is full: any RAM may have been written. vCPU takes it. */
  RANGES_OVERFLOWED: 11,
  /** Server: KiB that namespace 1, 2, … take (thin provisioning). */
  ALLOCATED_KIB: 16,
} as const;
export const MAX_NAMESPACES = 16;
const CONTROL_WORDS = Control.ALLOCATED_KIB + MAX_NAMESPACES;

/** Words of each I/O submission queue. */
export const SqWord = {
  /** vCPU writes ACTIVE and DELETING, the server ABSENT (see SqState). */
  STATE: 0,
  /** vCPU: the tail as of the last doorbell or sweep. What it covers may be fetched on any host. */
  TAIL: 1,
  /** Server: next entry to fetch. */
  HEAD: 2,
  /** vCPU, before ACTIVE: guest physical address, number of entries, completion queue. */
  BASE: 3,
  ENTRIES: 4,
  CQID: 5,
  /** Server: commands fetched, wrapping. */
  FETCHED: 6,
  /** vCPU: completions posted, wrapping. FETCHED - POSTED commands are under way. */
  POSTED: 7,
  /** vCPU: the tail as of the last doorbell write: tells elided doorbells from rung ones. */
  RUNG_TAIL: 8,
} as const;
const SQ_WORDS = 16;

export const SqState = {
  ABSENT: 0,
  ACTIVE: 1,
  /** Nothing more is fetched; ABSENT follows when the last command under way has been handed to the ring. */
  DELETING: 2,
} as const;

/** Words of a completion record on the ring. */
export const CompletionWord = {
  EPOCH: 0,
  SQID: 1,
  /** CID 15:0 and status 31:16 (without phase). */
  CID_STATUS: 2,
  /** Command specific dword 0. */
  RESULT: 3,
  /** SQ head at the time of completion. */
  SQ_HEAD: 4,
  /** What the error log says of a command that failed: namespace and starting LBA. */
  NSID: 5,
  LBA_LOW: 6,
  LBA_HIGH: 7,
} as const;
const COMPLETION_WORDS = 8;

/**
 * Words of a range record: [start, end) of guest memory that DMA wrote and of which v86's JIT must forget its code.
 * They are published before the completion that they belong to, so the vCPU thread takes all ranges first.
 */
export const RangeWord = { START: 0, END: 1 } as const;
const RANGE_WORDS = 2;

/**
 * Commands that one queue may have under way. A queue at its limit is not fetched from, so that neither ring can
 * overflow: MAX_IO_QUEUES * MAX_IN_FLIGHT is the completion ring's capacity.
 */
export const MAX_IN_FLIGHT = 1024;
const COMPLETIONS = MAX_IO_QUEUES * MAX_IN_FLIGHT;
const RANGES = 16384;

const SQ_START = CONTROL_WORDS * 4;
const COUNTERS_START = SQ_START + (MAX_IO_QUEUES + 1) * SQ_WORDS * 4;
const SERVER_NOTIFIER_START = align64(COUNTERS_START + counterBytes);
const VCPU_NOTIFIER_START = SERVER_NOTIFIER_START + 64;
const COMPLETIONS_START = VCPU_NOTIFIER_START + 64;
const RANGES_START = align64(COMPLETIONS_START + CompletionRing.byteLength(COMPLETIONS, COMPLETION_WORDS));
const TOTAL = align64(RANGES_START + CompletionRing.byteLength(RANGES, RANGE_WORDS));

function align64(bytes: number): number {
  return (bytes + 63) & ~63;
}

export class SharedState {
  readonly buffer: SharedArrayBuffer;
  /** Controller-wide words, see Control. */
  readonly control: Int32Array;
  readonly counters: Int32Array;
  /** Wakes the thread that serves I/O. */
  readonly serverNotifier: EventNotifier;
  /** Wakes the vCPU thread: completions are on the ring, or an acknowledgement has come. */
  readonly vcpuNotifier: EventNotifier;
  readonly completions: CompletionRing;
  readonly ranges: CompletionRing;
  readonly #sqs: Int32Array;

  static create(): SharedState {
    return new SharedState(new SharedArrayBuffer(TOTAL));
  }

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.control = new Int32Array(buffer, 0, CONTROL_WORDS);
    this.#sqs = new Int32Array(buffer, SQ_START, (MAX_IO_QUEUES + 1) * SQ_WORDS);
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

  getSq(qid: number, word: number): number {
    return Atomics.load(this.#sqs, qid * SQ_WORDS + word);
  }

  setSq(qid: number, word: number, value: number): void {
    Atomics.store(this.#sqs, qid * SQ_WORDS + word, value);
  }

  /** Commands fetched and not yet posted to their completion queue. */
  inFlight(qid: number): number {
    return (this.getSq(qid, SqWord.FETCHED) - this.getSq(qid, SqWord.POSTED)) | 0;
  }
}

/** Byte offsets in the shadow and EventIdx pages (NVMe 1.4, section 5.8 and annex B.5), DSTRD 0. */
export const sqShadowOffset = (qid: number): number => qid * 8;
export const cqShadowOffset = (qid: number): number => qid * 8 + 4;
