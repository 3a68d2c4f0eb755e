import type { MachineSignals } from "../machine_signals.ts";
import { CommonControl, SharedDeviceState, type SharedLayout } from "../shared_device_state.ts";

/** The controller's words in the state that the vCPU side and the serving side share. */

/** I/O queue pairs; queue ids run from 1 to this number. Queue 0, the admin queue, is the vCPU thread's alone. */
export const MAX_IO_QUEUES = 16;
/** Namespaces that a subsystem can have; their ids run from 1 to this number. */
export const MAX_NAMESPACES = 16;

/** Words of each namespace that is allocated or was: written by the server between two steps of NAMESPACE_SEQUENCE. */
export const NamespaceWord = {
  /** NamespaceState. */
  STATE: 0,
  /** log2 of the logical block size, and the size in logical blocks. */
  LBA_SHIFT: 1,
  BLOCKS_LOW: 2,
  BLOCKS_HIGH: 3,
  /** Its NGUID, four words, the first hex digits in the first one's high bits. */
  NGUID: 4,
  /** Goes up by one when it is attached, detached, or its Identify data change. */
  CHANGES: 8,
} as const;
export const NAMESPACE_WORDS = 9;

export const NamespaceState = {
  /** There is no namespace of this id. */
  ABSENT: 0,
  /** Allocated, not attached. */
  DETACHED: 1,
  ATTACHED: 2,
} as const;

/** What the vCPU side can ask the serving side to do about namespaces. */
export const NamespaceOperation = { create: 1, delete: 2, attach: 3, detach: 4, format: 5 } as const;
export type NamespaceOperation = (typeof NamespaceOperation)[keyof typeof NamespaceOperation];

const OWN = CommonControl.FIRST;
/** Words of Control.HEALTH. */
export const HEALTH_WORDS = 12;
const SANITIZE_WORDS = OWN + 13 + HEALTH_WORDS;
const SELF_TEST_WORDS = SANITIZE_WORDS + 5;
const ABORT_WORDS = SELF_TEST_WORDS + 11;
const NAMESPACES = ABORT_WORDS + 4 + MAX_NAMESPACES;
/** Results that the Device Self-test log keeps, and words of each (28 bytes, figure 199). */
export const SELF_TEST_RESULTS = 20;
export const SELF_TEST_RESULT_WORDS = 7;
const REQUESTS = NAMESPACES + 3 + MAX_NAMESPACES * NAMESPACE_WORDS;
/** Controller-wide words (indices of 32-bit words). */
export const Control = {
  ...CommonControl,
  /** vCPU: goes up by one at each shutdown notification. */
  SHUTDOWN: OWN,
  /** Server: the shutdown it has finished: all data is durable. */
  SHUTDOWN_ACK: OWN + 1,
  /** Server: 1 if the flush of the last shutdown failed. */
  SHUTDOWN_FAILED: OWN + 2,
  /** vCPU: 1 while Doorbell Buffer Config is in force, and its two guest pages. */
  SHADOW_ENABLED: OWN + 3,
  SHADOW_PAGE: OWN + 4,
  EVENT_IDX_PAGE: OWN + 5,
  /** vCPU: volatile write cache enable (feature 06h). Without it each write is durable before it completes. */
  WRITE_CACHE: OWN + 6,
  /** vCPU: highest queue id in use, so that the server need not look at all of them. */
  HIGHEST_SQ: OWN + 7,
  /** vCPU: goes up by one at each Format NVM command, and which namespace it is for (FFFFFFFFh: all). */
  FORMAT: OWN + 8,
  FORMAT_NSID: OWN + 9,
  /** Server: the format it has finished, and the command's status. */
  FORMAT_ACK: OWN + 10,
  FORMAT_STATUS: OWN + 11,
  /** vCPU: commands taken from one queue in its turn (feature 01h); 0 for no limit. */
  ARBITRATION_BURST: OWN + 12,
  /** vCPU: health.ts has the words from here on. */
  HEALTH: OWN + 13,
  /** vCPU: goes up by one at each Sanitize operation, and SanitizeState. */
  SANITIZE: SANITIZE_WORDS,
  SANITIZE_STATE: SANITIZE_WORDS + 1,
  /** Server: the operation it has finished, how (a status), and how far it is, of 65536. */
  SANITIZE_ACK: SANITIZE_WORDS + 2,
  SANITIZE_STATUS: SANITIZE_WORDS + 3,
  SANITIZE_PROGRESS: SANITIZE_WORDS + 4,
  /** vCPU: goes up by one at each Device Self-test; SelfTestCode; the namespace, or all; which test is to end early. */
  SELF_TEST: SELF_TEST_WORDS,
  SELF_TEST_CODE: SELF_TEST_WORDS + 1,
  SELF_TEST_NSID: SELF_TEST_WORDS + 2,
  SELF_TEST_ABORT: SELF_TEST_WORDS + 3,
  /** Server: the test it has finished, its SelfTestResult and, where it failed, what; how far it is, in percent. */
  SELF_TEST_ACK: SELF_TEST_WORDS + 4,
  SELF_TEST_RESULT: SELF_TEST_WORDS + 5,
  SELF_TEST_SEGMENT: SELF_TEST_WORDS + 6,
  SELF_TEST_FAILING_NSID: SELF_TEST_WORDS + 7,
  SELF_TEST_FAILING_LBA_LOW: SELF_TEST_WORDS + 8,
  SELF_TEST_FAILING_LBA_HIGH: SELF_TEST_WORDS + 9,
  SELF_TEST_PROGRESS: SELF_TEST_WORDS + 10,
  /** vCPU: goes up by one at each Abort command that is handed over; what it names: queue 15:0, command 31:16. */
  ABORT: ABORT_WORDS,
  ABORT_TARGET: ABORT_WORDS + 1,
  /** Server: the Abort it has answered, and 1 if the command was aborted. */
  ABORT_ACK: ABORT_WORDS + 2,
  ABORT_DONE: ABORT_WORDS + 3,
  /** Server: KiB that namespace 1, 2, … take (thin provisioning). */
  ALLOCATED_KIB: ABORT_WORDS + 4,
  /** Server: goes up by one before and after it changes the three that follow: odd meanwhile (namespace_table.ts). */
  NAMESPACE_SEQUENCE: NAMESPACES,
  /** Server: highest namespace id that there can be (NN); MiB that new namespaces could take. */
  HIGHEST_NSID: NAMESPACES + 1,
  UNALLOCATED_MIB: NAMESPACES + 2,
  /** Server: NAMESPACE_WORDS words of namespace 1, 2, … */
  NAMESPACE_TABLE: NAMESPACES + 3,
  /** vCPU: goes up by one at each request about namespaces, after what it is (NamespaceOperation) and is about. */
  NAMESPACE_REQUEST: REQUESTS,
  REQUEST_OPERATION: REQUESTS + 1,
  REQUEST_NSID: REQUESTS + 2,
  /** log2 of the logical block size, and size in logical blocks, of a namespace to be created or formatted. */
  REQUEST_LBA_SHIFT: REQUESTS + 3,
  REQUEST_BLOCKS_LOW: REQUESTS + 4,
  REQUEST_BLOCKS_HIGH: REQUESTS + 5,
  /** Server: the request it has finished, after the command's status and dword 0. */
  REQUEST_ACK: REQUESTS + 6,
  REQUEST_STATUS: REQUESTS + 7,
  REQUEST_RESULT: REQUESTS + 8,
  /** vCPU: the results of self-tests as the log page has them, newest first; unused ones are zero. */
  SELF_TEST_LOG: REQUESTS + 9,
} as const;

/** vCPU: whether I/O may be executed, as far as Sanitize is concerned (NVMe 1.4, section 8.15). */
export const SanitizeState = { idle: 0, running: 1, failed: 2 } as const;

/** Self-test Code, section 5.8. */
export const SelfTestCode = { short: 1, extended: 2 } as const;
/** Device Self-test Result, figure 199. */
export const SelfTestResult = {
  passed: 0,
  abortedByCommand: 1,
  abortedByReset: 2,
  namespaceRemoved: 3,
  abortedByFormat: 4,
  failedInSegment: 7,
  abortedBySanitize: 9,
  unused: 0xf,
} as const;
/** Segments of a self-test (section 8.11): those that there are here. */
export const SelfTestSegment = { ram: 1, media: 7 } as const;
const CONTROL_WORDS = Control.SELF_TEST_LOG + SELF_TEST_RESULTS * SELF_TEST_RESULT_WORDS;

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
/**
 * vCPU, at safe points while the machine is observed (queue_publication.ts): the completion queue of the same id, which
 * only that thread knows. Queue 0's submission words are then the admin queue's, and its SqWord.STATE is ACTIVE.
 */
export const CqWord = {
  BASE: 9,
  /** 0: there is no such queue. */
  ENTRIES: 10,
  HEAD: 11,
  TAIL: 12,
  /** Phase tag of the entry that is written next. */
  PHASE: 13,
  /** Completions that wait for room. */
  WAITING: 14,
  /** The guest's shadow head and its EventIdx; 0 while shadow doorbells are off. */
  SHADOW: 15,
  EVENT_IDX: 16,
} as const;
const SQ_WORDS = 20;

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
  /** What the error log says of a command that failed: namespace and first LBA in error. */
  NSID: 5,
  LBA_LOW: 6,
  LBA_HIGH: 7,
  /** What an injected fault makes of the completion: FaultEffect. */
  EFFECT: 8,
  /** Parameter Error Location, of a command that failed. */
  ERROR_LOCATION: 9,
} as const;
const COMPLETION_WORDS = 10;

const layout: SharedLayout = {
  controlWords: CONTROL_WORDS,
  queues: MAX_IO_QUEUES + 1,
  queueWords: SQ_WORDS,
  fetched: SqWord.FETCHED,
  posted: SqWord.POSTED,
  completionWords: COMPLETION_WORDS,
};

export class SharedState extends SharedDeviceState {
  constructor(signals?: MachineSignals, buffer?: SharedArrayBuffer) {
    super(layout, signals, buffer);
  }

  getSq(qid: number, word: number): number {
    return this.getQueue(qid, word);
  }

  setSq(qid: number, word: number, value: number): void {
    this.setQueue(qid, word, value);
  }
}

/** Byte offsets in the shadow and EventIdx pages (NVMe 1.4, section 5.8 and annex B.5), DSTRD 0. */
export const sqShadowOffset = (qid: number): number => qid * 8;
export const cqShadowOffset = (qid: number): number => qid * 8 + 4;
