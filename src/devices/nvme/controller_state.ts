/**
 * The state of a controller as plain data, for snapshots of a machine: what a driver in the guest relies on and what is not in
 * guest memory. It is taken between two commands (`NvmeController.busyWith`), so that there is nothing under way in it, and put
 * into a controller that is as new. What belongs to the drive and not to its controller (health, namespaces) is not in it.
 */
import { type GuestMemory, isRam } from "../guest_memory.ts";
import { MAX_IO_QUEUES } from "./shared_state.ts";
import { CQE_BYTES, SQE_BYTES } from "./spec/entries.ts";
import { PAGE_BYTES, PAGE_MASK } from "./spec/registers.ts";

/** Raised whenever the meaning of anything below changes. */
export const CONTROLLER_STATE_VERSION = 1;

/** A completion that waits for room in its queue: the arguments of CompletionQueue.post. */
export type WaitingCompletionState = readonly [
  sqid: number,
  sqHead: number,
  cid: number,
  status: number,
  result: number,
];

export interface CompletionQueueState {
  readonly id: number;
  /** Guest physical address, and number of entries. */
  readonly base: number;
  readonly entries: number;
  readonly interruptsEnabled: boolean;
  readonly vector: number;
  readonly head: number;
  readonly tail: number;
  readonly phase: number;
  /** Entries that the host was not told of. */
  readonly unsignalled: number;
  readonly waiting: readonly WaitingCompletionState[];
}

export interface SubmissionQueueState {
  readonly id: number;
  readonly base: number;
  readonly entries: number;
  readonly cqid: number;
  readonly head: number;
  /** As of the last doorbell or sweep, and as of the last doorbell. */
  readonly tail: number;
  readonly rungTail: number;
}

export interface AdminQueueState {
  readonly base: number;
  readonly entries: number;
  readonly head: number;
  readonly tail: number;
  readonly completionQueue: CompletionQueueState;
}

export interface RegistersState {
  readonly cc: number;
  readonly csts: number;
  readonly aqa: number;
  readonly asq: readonly [low: number, high: number];
  readonly acq: readonly [low: number, high: number];
}

export interface FeaturesState {
  readonly values: readonly (readonly [id: number, value: number])[];
  readonly uncoalescedVectors: readonly number[];
  readonly underTemperature: number;
}

export interface AsyncEventsState {
  /** Command identifiers of the requests that are held. */
  readonly requests: readonly number[];
  /** Names in AsyncEvent. */
  readonly events: readonly string[];
  /** Event types that are silent until their log page is read. */
  readonly masked: readonly number[];
}

export interface TimestampState {
  /** Milliseconds since it was set or since the reset. */
  readonly elapsedMs: number;
  /** Milliseconds since 1970 that it was set to, in decimal. */
  readonly start: string;
  readonly origin: number;
}

export interface AdminState {
  readonly queue: AdminQueueState | undefined;
  readonly features: FeaturesState;
  readonly asyncEvents: AsyncEventsState;
  readonly timestamp: TimestampState;
  /** Newest first, 64 bytes each. */
  readonly errorLog: readonly (readonly number[])[];
  readonly changedNamespaces: readonly number[];
  readonly temperatureReported: boolean;
}

export interface ControllerState {
  readonly version: number;
  readonly registers: RegistersState;
  readonly interrupts: { readonly pin: boolean; readonly msix: boolean; readonly mask: number };
  readonly completionQueues: readonly CompletionQueueState[];
  readonly submissionQueues: readonly SubmissionQueueState[];
  /** Guest pages of Doorbell Buffer Config, while it is in force. */
  readonly shadow: { readonly shadowPage: number; readonly eventIdxPage: number } | undefined;
  readonly admin: AdminState;
}

/** The state cannot be put into this controller; a sentence. */
export class ControllerStateError extends Error {
  override readonly name = "ControllerStateError";
}

/**
 * Throws ControllerStateError for a state that would have the device touch what it must not: it may come from a file. A state
 * that is merely odd harms nobody but its own guest.
 */
export function checkControllerState(state: ControllerState, memory: GuestMemory, msixVectors: number): void {
  const refuse = (what: string): never => {
    throw new ControllerStateError(`The saved state of the NVMe controller is damaged: ${what}.`);
  };
  if (state?.version !== CONTROLLER_STATE_VERSION) {
    throw new ControllerStateError(
      `The saved state of the NVMe controller has version ${state?.version}; this Doorbell reads version ${CONTROLLER_STATE_VERSION}.`,
    );
  }
  const isIndex = (value: number, below: number) => Number.isInteger(value) && value >= 0 && value < below;
  const checkRing = (name: string, base: number, entries: number, most: number, bytes: number) => {
    const fits = isIndex(base, memory.byteLength) && (base & PAGE_MASK) === 0;
    if (!isIndex(entries, most + 1) || entries < 2 || !fits || !isRam(memory, base, entries * bytes))
      refuse(`${name} does not lie in memory`);
  };
  const checkCq = (queue: CompletionQueueState, most: number) => {
    const { id, base, entries, head, tail, phase, vector, unsignalled, waiting } = queue;
    const name = `completion queue ${id}`;
    checkRing(name, base, entries, most, CQE_BYTES);
    if (!isIndex(head, entries) || !isIndex(tail, entries) || !isIndex(phase, 2))
      refuse(`${name} has no such entry`);
    if (!isIndex(vector, Math.max(1, msixVectors))) refuse(`${name} has no such interrupt vector`);
    if (!isIndex(unsignalled, entries) || !Array.isArray(waiting)) refuse(`${name} does not count right`);
    for (const completion of waiting) {
      if (completion.length !== 5 || !completion.every(Number.isInteger))
        refuse(`${name} has no such completion`);
      if (!isIndex(completion[0], MAX_IO_QUEUES + 1)) refuse(`${name} waits for no queue`);
    }
  };
  const checkIds = (name: string, queues: readonly { readonly id: number }[]) => {
    if (!Array.isArray(queues)) refuse(`there are no ${name}`);
    const ids = queues.map(({ id }) => id);
    if (new Set(ids).size !== ids.length || !ids.every(id => id >= 1 && isIndex(id, MAX_IO_QUEUES + 1)))
      refuse(`there are no such ${name}`);
  };
  const { admin, completionQueues, submissionQueues, shadow } = state;
  checkIds("completion queues", completionQueues);
  checkIds("submission queues", submissionQueues);
  for (const queue of completionQueues) checkCq(queue, 0x10000);
  for (const { id, base, entries, cqid, head, tail, rungTail } of submissionQueues) {
    const name = `submission queue ${id}`;
    checkRing(name, base, entries, 0x10000, SQE_BYTES);
    if (![head, tail, rungTail].every(index => isIndex(index, entries))) refuse(`${name} has no such entry`);
    if (!completionQueues.some(queue => queue.id === cqid)) refuse(`${name} has no completion queue`);
  }
  for (const page of shadow ? [shadow.shadowPage, shadow.eventIdxPage] : []) {
    const isPage = page !== 0 && isIndex(page, memory.byteLength) && (page & PAGE_MASK) === 0;
    if (!isPage || !isRam(memory, page, PAGE_BYTES)) refuse("the doorbell buffers do not lie in memory");
  }
  const { start, elapsedMs } = admin.timestamp;
  if (!/^\d{1,15}$/.test(start) || !Number.isFinite(elapsedMs)) refuse("there is no such timestamp");
  if (admin.queue) {
    const { base, entries, head, tail, completionQueue } = admin.queue;
    checkRing("the admin queue", base, entries, 4096, SQE_BYTES);
    if (!isIndex(head, entries) || !isIndex(tail, entries)) refuse("the admin queue has no such entry");
    checkCq(completionQueue, 4096);
  } else if (completionQueues.length > 0) refuse("there are queues, but no admin queue");
}
