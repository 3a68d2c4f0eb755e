import { IoVector } from "../../../storage/io_vector.ts";
import { addCounter, Counter } from "../../../trace/counters.ts";
import { TraceKind } from "../../../trace/trace_ring.ts";
import type { GuestMemory } from "../../guest_memory.ts";
import type { IoFaults } from "../faults/io_faults.ts";
import type { Namespace } from "../namespace.ts";
import { CompletionWord, Control, type SharedState, SqWord } from "../shared_state.ts";
import { ErrorLocation, locationOf } from "../spec/error_location.ts";
import { NvmOpcode } from "../spec/opcodes.ts";
import { MAX_TRANSFER_BYTES, PAGE_BYTES } from "../spec/registers.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { ioCommands } from "./commands.ts";
import { CopyEngine } from "./copy.ts";
import { compareAndWrite, Fuse, type FusedStatus } from "./fused.ts";
import { IoRequest } from "./request.ts";
import type { ServedNamespaces } from "./served_namespaces.ts";
import type { IoResult, IoServices } from "./services.ts";
import { StagingBuffer } from "./staging_buffer.ts";
import type { UncorrectableBlocks } from "./uncorrectable_blocks.ts";
import { WaitingCommands } from "./waiting_commands.ts";

/** PSDT values that are served: PRPs, and SGLs. With 10b the metadata pointer is an SGL: there is no metadata. */
const PSDT_MOST = 1;

export interface CommandRunnerOptions {
  readonly memory: GuestMemory;
  readonly shared: SharedState;
  readonly served: ServedNamespaces;
  /** Told of exceptions that no command should throw; the command then ends with Internal Error. */
  readonly reportBug: (error: unknown) => void;
  /** What each command ends with now, whatever its namespace; undefined when they may be executed. */
  readonly refusal: () => StatusCode | undefined;
  /** Told when the last command that waited for storage has ended. */
  readonly drained: () => void;
}

/** Runs commands that were fetched, and puts their completions on the ring: each exactly one, or none after a reset. */
export class CommandRunner implements IoServices {
  readonly memory: GuestMemory;
  readonly vector: IoVector;
  readonly namespaces: ReadonlyMap<number, Namespace>;
  readonly staging = new StagingBuffer();
  readonly copies = new CopyEngine();
  readonly uncorrectable: UncorrectableBlocks;
  /** Faults that are armed; undefined, as nearly always, costs one look for each command. */
  faults: IoFaults | undefined;
  readonly #shared: SharedState;
  readonly #options: CommandRunnerOptions;
  readonly #freeRequests: IoRequest[] = [];
  readonly #waiting = new WaitingCommands();

  constructor(options: CommandRunnerOptions) {
    const { memory, shared, served } = options;
    this.#options = options;
    this.memory = memory;
    this.#shared = shared;
    this.namespaces = served.active;
    this.uncorrectable = served.uncorrectable;
    this.vector = new IoVector(memory, MAX_TRANSFER_BYTES / PAGE_BYTES + 1);
  }

  // --- IoServices

  isCurrent(request: IoRequest): boolean {
    return !request.aborted && request.epoch === this.#shared.getControl(Control.EPOCH);
  }

  get writeCacheEnabled(): boolean {
    return this.#shared.control[Control.WRITE_CACHE] !== 0;
  }

  traceReady({ qid, cid }: IoRequest): void {
    const { serverTrace } = this.#shared;
    if (serverTrace.isOn) serverTrace.record(TraceKind.ready, qid, 0, cid << 16);
  }

  dmaWrote(vector: IoVector): void {
    this.#shared.dmaRanges.addVector(vector);
  }

  countRead(bytes: number): void {
    addCounter(this.#shared.counters, Counter.reads);
    addCounter(this.#shared.counters, Counter.sectorsRead, bytes >>> 9);
  }

  countWrite(bytes: number): void {
    addCounter(this.#shared.counters, Counter.writes);
    addCounter(this.#shared.counters, Counter.sectorsWritten, bytes >>> 9);
  }

  countVerified(bytes: number): void {
    addCounter(this.#shared.counters, Counter.sectorsRead, bytes >>> 9);
  }

  countCopied(bytes: number): void {
    addCounter(this.#shared.counters, Counter.sectorsRead, bytes >>> 9);
    addCounter(this.#shared.counters, Counter.sectorsWritten, bytes >>> 9);
  }

  // --- For the server

  /** Does storage still owe an answer, to whomever? */
  get isStorageBusy(): boolean {
    return this.#waiting.isStorageBusy;
  }

  /** Commands of a queue that wait for storage. */
  waiting(qid: number): number {
    return this.#waiting.count(qid);
  }

  /** A controller reset: nothing that waits is answered. */
  forget(): void {
    this.#waiting.forget();
  }

  /** A request to be filled by a fetch and given to one of the run functions. */
  newRequest(epoch: number, qid: number): IoRequest {
    const request = this.#freeRequests.pop() ?? new IoRequest();
    request.epoch = epoch;
    request.qid = qid;
    return request;
  }

  run(request: IoRequest): void {
    const refused = this.#check(request);
    if (refused !== Status.success) {
      this.end(request, refused);
      return;
    }
    if (request.fuse !== Fuse.none) {
      // The other half is not in the adjacent entry, or they are not the two that go together.
      this.end(request, Status.missingFusedCommand);
      return;
    }
    let result: IoResult;
    try {
      result = this.#execute(request);
    } catch (error) {
      result = this.#bug(error);
    }
    if (typeof result === "number") {
      this.end(request, result);
      return;
    }
    if (request.opcode === NvmOpcode.flush) addCounter(this.#shared.counters, Counter.flushesInProgress);
    this.#waiting.add(request);
    this.#options.served.track(request.nsid, result);
    result
      .catch(error => this.#bug(error))
      .then(status => {
        if (request.opcode === NvmOpcode.flush) {
          addCounter(this.#shared.counters, Counter.flushesInProgress, -1);
        }
        this.#endLater(request, status);
      });
  }

  #execute(request: IoRequest): IoResult {
    const command = ioCommands.get(request.opcode);
    // #check has found it.
    if (!command) return Status.invalidOpcode;
    return this.faults ? this.faults.execute(this, request, command.execute) : command.execute(this, request);
  }

  /** The two commands of a fused operation. */
  runFused(first: IoRequest, second: IoRequest): void {
    const refused = [this.#check(first), this.#check(second)];
    if (refused.some(status => status !== Status.success)) {
      // What is wrong with one fails the other (section 4.12).
      this.end(first, refused[0] || Status.failedFusedCommand);
      this.end(second, refused[1] || Status.failedFusedCommand);
      return;
    }
    let result: FusedStatus | Promise<FusedStatus>;
    try {
      result = this.faults
        ? this.faults.executeFused(this, first, second, compareAndWrite)
        : compareAndWrite(this, first, second);
    } catch (error) {
      result = [this.#bug(error), Status.failedFusedCommand];
    }
    if (!(result instanceof Promise)) {
      this.end(first, result[0]);
      this.end(second, result[1]);
      return;
    }
    first.mate = second;
    second.mate = first;
    this.#waiting.add(first);
    this.#waiting.add(second);
    this.#options.served.track(first.nsid, result);
    result
      .catch((error): FusedStatus => [this.#bug(error), Status.failedFusedCommand])
      .then(([firstStatus, secondStatus]) => {
        this.#endLater(first, firstStatus);
        this.#endLater(second, secondStatus);
      });
  }

  /** Ends a command that waits for storage with Command Abort Requested. False if there is no such command. */
  abort(qid: number, cid: number): boolean {
    const request = this.#waiting.abort(qid, cid);
    if (!request) return false;
    this.#complete(request, Status.abortedByRequest);
    const mate = request.mate && this.#waiting.abort(qid, request.mate.cid);
    if (mate) this.#complete(mate, Status.failedFusedCommand);
    return true;
  }

  /** Completes a command that nothing waits for any more. */
  end(request: IoRequest, status: StatusCode): void {
    this.#complete(request, status);
    this.#freeRequests.push(request);
  }

  /** What can be said of a command before it is looked at more closely. */
  #check(request: IoRequest): StatusCode {
    if (!ioCommands.has(request.opcode)) return Status.invalidOpcode;
    const refusal = this.#options.refusal();
    if (refusal !== undefined) return refusal;
    if (request.fuse > Fuse.second) {
      request.errorLocation = ErrorLocation.fuse;
      return Status.invalidField;
    }
    if (request.psdt > PSDT_MOST) {
      request.errorLocation = ErrorLocation.psdt;
      return Status.invalidField;
    }
    const unavailable = this.#options.served.refusal(request.nsid);
    if (unavailable === undefined) return Status.success;
    if (unavailable === Status.invalidField) request.errorLocation = ErrorLocation.nsid;
    return unavailable;
  }

  /** No guest input may throw out of the device; if it does, that is a bug to report and an error for the guest. */
  #bug(error: unknown): StatusCode {
    this.#options.reportBug(error);
    return Status.internalError;
  }

  #endLater(request: IoRequest, status: StatusCode): void {
    if (this.#waiting.settle(request)) this.#complete(request, status);
    this.#freeRequests.push(request);
    this.#shared.vcpuNotifier.set();
    if (!this.isStorageBusy) this.#options.drained();
  }

  #complete(request: IoRequest, status: StatusCode): void {
    if (request.epoch !== this.#shared.getControl(Control.EPOCH)) return;
    const { completions, counters, serverTrace } = this.#shared;
    const record = completions.reserve();
    // Cannot be full: see MAX_IN_FLIGHT.
    if (record < 0) throw new Error("completion ring overflow");
    const words = completions.words;
    words[record + CompletionWord.EPOCH] = request.epoch;
    words[record + CompletionWord.SQID] = request.qid;
    words[record + CompletionWord.CID_STATUS] = request.cid | (status << 16);
    words[record + CompletionWord.RESULT] = 0;
    words[record + CompletionWord.SQ_HEAD] = this.#shared.getSq(request.qid, SqWord.HEAD);
    words[record + CompletionWord.NSID] = request.nsid;
    words[record + CompletionWord.EFFECT] = request.effect;
    if (status !== Status.success) {
      const { errorLba: lba, errorLocation } = request;
      // The starting LBA may be any 64-bit number, of which the words are exact.
      words[record + CompletionWord.LBA_LOW] = lba === request.slba ? request.cdw10 : Math.max(0, lba);
      words[record + CompletionWord.LBA_HIGH] = lba === request.slba ? request.cdw11 : lba / 2 ** 32;
      words[record + CompletionWord.ERROR_LOCATION] =
        errorLocation === ErrorLocation.none ? locationOf(status) : errorLocation;
      addCounter(counters, Counter.errors);
    }
    // Before it is published: then the vCPU thread posts it, and its record must not be the older one.
    if (serverTrace.isOn) serverTrace.record(TraceKind.done, request.qid, 0, request.cid << 16, status);
    completions.publish();
    addCounter(counters, Counter.commands);
    if (request.opcode === NvmOpcode.flush) addCounter(counters, Counter.flushes);
  }
}
