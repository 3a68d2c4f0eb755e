import { IoVector } from "../../../storage/io_vector.ts";
import { TraceKind, type Tracer } from "../../../trace/trace_ring.ts";
import type { GuestMemory } from "../../guest_memory.ts";
import { CompletionQueue } from "../completion_queue.ts";
import type { CompletionQueues } from "../completion_queues.ts";
import type { AdminQueueState } from "../controller_state.ts";
import { isTailBehind } from "../doorbells.ts";
import type { NamespaceTable } from "../namespace_table.ts";
import { mapPrp } from "../prp.ts";
import { SQE_BYTES } from "../spec/entries.ts";
import { MAX_TRANSFER_BYTES, PAGE_BYTES } from "../spec/registers.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import type { SubmissionQueues } from "../submission_queues.ts";
import { type AdminCommand, fetchAdminCommand } from "./admin_command.ts";
import type { AsyncEvents } from "./async_events.ts";
import type { Features } from "./features.ts";
import type { ControllerIdentity } from "./identify.ts";
import type { LogSources } from "./log_pages.ts";
import type { NamespaceRequest } from "./namespace_requests.ts";
import type { SanitizeOperation } from "./sanitize.ts";
import type { SelfTest } from "./self_test.ts";
import type { Timestamp } from "./timestamp.ts";

/** What admin commands may use of the controller that runs them. */
export interface AdminServices {
  readonly memory: GuestMemory;
  readonly trace: Tracer;
  readonly identity: ControllerIdentity;
  readonly namespaces: NamespaceTable;
  /** Optional Admin Command Support, of the commands that there are. */
  readonly oacs: number;
  readonly features: Features;
  readonly asyncEvents: AsyncEvents;
  readonly logSources: LogSources;
  readonly msixVectors: number;
  readonly maxTransferBytes: number;
  readonly completionQueues: CompletionQueues;
  readonly submissionQueues: SubmissionQueues;
  readonly ioQueuesExist: boolean;
  /** Does CC have the entry sizes of the NVM command set (IOSQES, IOCQES)? */
  readonly entrySizesAreSet: boolean;
  /** A queue that is created while shadow doorbells are on starts with shadow and EventIdx 0. */
  resetShadow(kind: "sq" | "cq", qid: number): void;
  enableShadowDoorbells(shadowPage: number, eventIdxPage: number): StatusCode;
  featuresChanged(): void;
  readonly selfTest: SelfTest;
  readonly sanitizer: SanitizeOperation;
  /** Starts a self-test of a namespace, of all, or of none (0). False while one is under way. */
  startSelfTest(code: number, nsid: number): boolean;
  /** Starts a Sanitize operation by block erase. */
  startSanitize(cdw10: number): StatusCode;
  readonly timestamp: Timestamp;
  /** Milliseconds, monotonic. */
  now(): number;
  /** The Keep Alive command has come. */
  keepAlive(): void;
  /** The Abort command completes when the serving side has answered. False if too many are outstanding. */
  startAbort(command: AdminCommand): boolean;
  /** The Format NVM command `cid` completes when the namespace, or all, is deleted. False while one is under way. */
  startFormat(nsid: number, cid: number): boolean;
  /** Command `cid` completes when the serving side has done this. */
  manageNamespace(cid: number, request: NamespaceRequest): void;
  /** The host has read a log page and does not retain its event. */
  logPageRead(id: number): void;
  /** Copies so many bytes from where the command's PRPs point, or says why that cannot be. */
  receiveFromHost(command: AdminCommand, bytes: number): Uint8Array<ArrayBuffer> | StatusCode;
  /** Moves data to where the command's PRPs point. */
  sendToHost(command: AdminCommand, data: Uint8Array): StatusCode;
}

/** The admin queue pair (section 4.1.3). Runs in the vCPU thread, at safe points. */
export class AdminQueue {
  cq: CompletionQueue;
  /** Of the submission queue: guest physical address, and number of entries. */
  readonly base: number;
  readonly entries: number;
  readonly #trace: Tracer;
  #head = 0;
  #tail = 0;

  constructor(
    memory: GuestMemory,
    sqBase: number,
    sqEntries: number,
    cqBase: number,
    cqEntries: number,
    trace: Tracer,
  ) {
    this.#trace = trace;
    this.base = sqBase;
    this.entries = sqEntries;
    this.cq = new CompletionQueue(memory, 0, cqBase, cqEntries, true, 0, trace);
  }

  /** For a snapshot of the machine. */
  save(): AdminQueueState {
    const { base, entries, head, tail } = this;
    return { base, entries, head, tail, completionQueue: this.cq.save() };
  }

  static restore(memory: GuestMemory, state: AdminQueueState, trace: Tracer): AdminQueue {
    const { base, entries, completionQueue } = state;
    const queue = new AdminQueue(memory, base, entries, completionQueue.base, completionQueue.entries, trace);
    queue.cq = CompletionQueue.restore(memory, completionQueue, trace);
    queue.#head = state.head;
    queue.#tail = state.tail;
    return queue;
  }

  get head(): number {
    return this.#head;
  }

  get tail(): number {
    return this.#tail;
  }

  /** A doorbell write. False if the value is out of range, or adds more commands than there is room for. */
  ring(tail: number): boolean {
    if (tail >= this.entries || isTailBehind(tail, this.#tail, this.#head, this.entries)) return false;
    this.#tail = tail;
    return true;
  }

  /** Is there a command to be taken? Commands wait while completions do (the host frees the CQ first). */
  get hasNext(): boolean {
    return this.#head !== this.#tail && this.cq.waiting === 0;
  }

  /** Takes the next command, or undefined. */
  fetch(memory: GuestMemory): AdminCommand | undefined {
    if (!this.hasNext) return undefined;
    const command = fetchAdminCommand(memory, this.base + this.#head * SQE_BYTES);
    if (this.#trace.isOn) {
      this.#trace.record(
        TraceKind.fetched,
        0,
        this.#head,
        command.opcode | (command.cid << 16),
        command.nsid,
      );
    }
    this.#head = this.#head + 1 === this.entries ? 0 : this.#head + 1;
    return command;
  }

  complete(cid: number, status: StatusCode, result: number): void {
    this.cq.post(0, this.#head, cid, status, result);
  }
}

/** Copies admin data to and from the guest along PRPs, and tells of the ranges that were written. */
export class HostTransfer {
  readonly #memory: GuestMemory;
  readonly #vector: IoVector;
  readonly #wrote: (start: number, end: number) => void;

  constructor(memory: GuestMemory, wrote: (start: number, end: number) => void) {
    this.#memory = memory;
    this.#vector = new IoVector(memory, MAX_TRANSFER_BYTES / PAGE_BYTES + 1);
    this.#wrote = wrote;
  }

  send(command: AdminCommand, data: Uint8Array): StatusCode {
    const vector = this.#vector;
    const status = mapPrp(this.#memory, command.prp1, command.prp2, data.length, vector);
    if (status !== Status.success) return status;
    let at = 0;
    for (let i = 0; i < vector.count; i++) {
      const start = vector.offsets[i];
      const length = vector.lengths[i];
      this.#memory.bytes.set(data.subarray(at, at + length), start);
      this.#wrote(start, start + length);
      at += length;
    }
    return Status.success;
  }

  receive(command: AdminCommand, bytes: number): Uint8Array<ArrayBuffer> | StatusCode {
    const vector = this.#vector;
    const status = mapPrp(this.#memory, command.prp1, command.prp2, bytes, vector);
    if (status !== Status.success) return status;
    const data = new Uint8Array(bytes);
    let at = 0;
    for (let i = 0; i < vector.count; i++) {
      const start = vector.offsets[i];
      data.set(this.#memory.bytes.subarray(start, start + vector.lengths[i]), at);
      at += vector.lengths[i];
    }
    return data;
  }
}
