import type { AioHandler } from "../../../eventloop/aio_context.ts";
import { IoVector } from "../../../storage/io_vector.ts";
import { addCounter, Counter, setCounter } from "../../../trace/counters.ts";
import { TraceKind } from "../../../trace/trace_ring.ts";
import type { GuestMemory } from "../../guest_memory.ts";
import { MAX_IN_FLIGHT } from "../../shared_device_state.ts";
import { TailWatch } from "../../tail_watch.ts";
import type { IoFaults } from "../faults/io_faults.ts";
import type { Namespace } from "../namespace.ts";
import {
  CompletionWord,
  Control,
  MAX_IO_QUEUES,
  type SharedState,
  SqState,
  SqWord,
  sqShadowOffset,
} from "../shared_state.ts";
import { NSID_ALL, SQE_BYTES } from "../spec/entries.ts";
import { NvmOpcode } from "../spec/opcodes.ts";
import { MAX_TRANSFER_BYTES, PAGE_BYTES } from "../spec/registers.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { type IoCommand, type IoServices, ioCommands } from "./commands.ts";
import { eraseAll } from "./erase.ts";
import { IoRequest } from "./request.ts";
import { Sanitizer } from "./sanitizer.ts";
import { SelfTester } from "./self_tester.ts";

export interface IoServerOptions {
  readonly memory: GuestMemory;
  readonly shared: SharedState;
  readonly namespaces: readonly Namespace[];
  /** See TailWatch. */
  readonly stronglyOrderedHost: boolean;
  /** Told of exceptions that no command should throw; the command then ends with Internal Error. */
  readonly reportBug: (error: unknown) => void;
}

/**
 * The serving side of the I/O queues: fetches SQEs, moves data, puts completions on the ring. Runs in the iothread.
 * It never writes CQEs and never raises interrupts; that is the vCPU thread's part.
 */
export class IoServer implements AioHandler, IoServices {
  readonly memory: GuestMemory;
  readonly vector: IoVector;
  readonly namespaces: ReadonlyMap<number, Namespace>;
  /** Faults that are armed; undefined, as nearly always, costs one look for each command. */
  faults: IoFaults | undefined;
  readonly #shared: SharedState;
  readonly #reportBug: (error: unknown) => void;
  readonly #freeRequests: IoRequest[] = [];
  /** Commands that wait for storage, by queue. */
  readonly #waiting = new Int32Array(MAX_IO_QUEUES + 1);
  #waitingTotal = 0;
  readonly #tails: TailWatch;
  readonly #sanitizer: Sanitizer;
  readonly #selfTester: SelfTester;
  #epoch = 0;
  #shutdownRunning = false;
  #formatRunning = false;
  /** A queue was at its limit at the last look: look again before long. */
  #stalled = false;

  constructor(options: IoServerOptions) {
    this.memory = options.memory;
    this.#shared = options.shared;
    this.#tails = new TailWatch(options.shared, MAX_IO_QUEUES + 1, options.stronglyOrderedHost);
    this.#reportBug = options.reportBug;
    this.namespaces = new Map(options.namespaces.map(namespace => [namespace.nsid, namespace]));
    this.vector = new IoVector(options.memory.bytes, MAX_TRANSFER_BYTES / PAGE_BYTES + 1);
    this.#sanitizer = new Sanitizer(options.shared, this.namespaces, () => this.#waitingTotal > 0);
    this.#selfTester = new SelfTester(options.shared, this.namespaces);
    this.#epoch = this.#shared.getControl(Control.EPOCH);
    this.#publishAllocation();
  }

  // --- AioHandler

  get pending(): boolean {
    return (
      this.#waitingTotal > 0 ||
      this.#shutdownRunning ||
      this.#formatRunning ||
      this.#sanitizer.pending ||
      this.#selfTester.pending ||
      this.#stalled
    );
  }

  poll(): boolean {
    // Doorbells and control changes set the notifier, which the event loop looks at itself: only shadows are left.
    if (this.#shared.control[Control.SHADOW_ENABLED] === 0) return false;
    const shared = this.#shared;
    const highest = shared.control[Control.HIGHEST_SQ];
    for (let qid = 1; qid <= highest; qid++) {
      if (shared.getSq(qid, SqWord.STATE) !== SqState.ACTIVE) continue;
      const tail = this.#shadowTail(qid);
      // What ready() would not take up is no work: a value that is no tail, or one that waits for a safe point.
      if (tail === shared.getSq(qid, SqWord.HEAD) || tail >= shared.getSq(qid, SqWord.ENTRIES)) continue;
      if (!this.#tails.isHeld(qid, tail)) return true;
    }
    return false;
  }

  pollBegin(): void {
    // Nothing to switch off: the EventIdx of the last sleep lies behind the tail, so the guest rings no more.
  }

  pollEnd(): void {
    this.#publishAllocation();
    const shared = this.#shared;
    if (shared.getControl(Control.SHADOW_ENABLED) === 0 || this.#resetRequested) return;
    const page = shared.control[Control.EVENT_IDX_PAGE] >>> 0;
    const highest = shared.getControl(Control.HIGHEST_SQ);
    for (let qid = 1; qid <= highest; qid++) {
      if (shared.getSq(qid, SqWord.STATE) !== SqState.ACTIVE) continue;
      // "Ring me when the tail moves on from here." Written each time, never cached (museum 8), with a sequentially
      // consistent store, because ready() reads the shadow tail right after: store-load order matters (museum 1, 9).
      Atomics.store(this.memory.words, (page + sqShadowOffset(qid)) >>> 2, shared.getSq(qid, SqWord.HEAD));
    }
  }

  ready(): boolean {
    let progress = this.#adoptReset();
    progress = this.#shutDown() || progress;
    progress = this.#format() || progress;
    progress = this.#sanitizer.start() || progress;
    this.#selfTester.step();
    this.#stalled = false;
    const highest = this.#shared.getControl(Control.HIGHEST_SQ);
    const ringBefore = this.#shared.completions.words[0];
    for (let qid = 1; qid <= highest; qid++) progress = this.#serveQueue(qid) || progress;
    if (this.#shared.completions.words[0] !== ringBefore) this.#wakeVcpu();
    return progress;
  }

  // --- IoServices

  isCurrent(request: IoRequest): boolean {
    return request.epoch === this.#shared.getControl(Control.EPOCH);
  }

  get writeCacheEnabled(): boolean {
    return this.#shared.control[Control.WRITE_CACHE] !== 0;
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

  // --- Queues

  #serveQueue(qid: number): boolean {
    const shared = this.#shared;
    const state = shared.getSq(qid, SqWord.STATE);
    if (state === SqState.ABSENT) return false;
    if (state === SqState.DELETING) return this.#retireQueue(qid);

    const entries = shared.getSq(qid, SqWord.ENTRIES);
    const base = shared.getSq(qid, SqWord.BASE) >>> 0;
    let head = shared.getSq(qid, SqWord.HEAD);
    const tail = this.#acceptedTail(qid, head, entries);
    // A reset that switched the shadows off leaves doorbell words that mean nothing.
    if (head === tail || this.#resetRequested) return false;

    this.#tails.countElided(qid, tail, shared.getSq(qid, SqWord.RUNG_TAIL));
    // Round robin (section 4.13.1); 0 is no limit.
    const burst = shared.control[Control.ARBITRATION_BURST] || MAX_IN_FLIGHT;
    let fetched = 0;
    while (head !== tail && fetched < burst) {
      if (shared.inFlight(qid) >= MAX_IN_FLIGHT) {
        this.#stalled = true;
        break;
      }
      const request = this.#freeRequests.pop() ?? new IoRequest();
      request.epoch = this.#epoch;
      request.qid = qid;
      request.fetch(this.memory, base + head * SQE_BYTES);
      if (shared.serverTrace.isOn) this.#traceFetch(request, head);
      head = head + 1 === entries ? 0 : head + 1;
      fetched += 1;
      shared.setSq(qid, SqWord.HEAD, head);
      shared.setSq(qid, SqWord.FETCHED, (shared.getSq(qid, SqWord.FETCHED) + 1) | 0);
      this.#execute(request);
    }
    return fetched > 0;
  }

  #traceFetch({ qid, opcode, cid, nsid, cdw10, cdw12 }: IoRequest, index: number): void {
    const where = (nsid & 0xffff) | (cdw12 << 16);
    this.#shared.serverTrace.record(TraceKind.fetched, qid, index, opcode | (cid << 16), where, cdw10);
  }

  /** The tail up to which entries may be fetched now; the head if there is nothing new. */
  #acceptedTail(qid: number, head: number, entries: number): number {
    const shared = this.#shared;
    const rung = shared.getSq(qid, SqWord.TAIL);
    if (shared.getControl(Control.SHADOW_ENABLED) === 0) return this.#tails.rung(qid, rung);
    const shadow = this.#shadowTail(qid);
    // Checked as an MMIO doorbell is (museum 6); the vCPU thread's sweep reports it to the guest.
    return this.#tails.accept(qid, head, rung, shadow >= entries ? head : shadow, entries);
  }

  #shadowTail(qid: number): number {
    const page = this.#shared.control[Control.SHADOW_PAGE] >>> 0;
    return Atomics.load(this.memory.words, (page + sqShadowOffset(qid)) >>> 2) & 0xffff;
  }

  #retireQueue(qid: number): boolean {
    if (this.#waiting[qid] > 0) return false;
    this.#forgetQueue(qid);
    this.#shared.setSq(qid, SqWord.STATE, SqState.ABSENT);
    this.#wakeVcpu();
    return true;
  }

  #forgetQueue(qid: number): void {
    this.#tails.forget(qid);
    this.#shared.setSq(qid, SqWord.HEAD, 0);
  }

  // --- Commands

  #execute(request: IoRequest): void {
    const command = ioCommands.get(request.opcode);
    let result: StatusCode | Promise<StatusCode>;
    const refusal = this.#sanitizer.refusal;
    if (!command) result = Status.invalidOpcode;
    else if (refusal !== undefined) result = refusal;
    // No fused operations (FUSES 0) and no SGLs (SGLS 0): section 4.2.
    else if (request.fuse !== 0 || request.psdt !== 0) result = Status.invalidField;
    else result = this.#run(command, request);

    if (typeof result === "number") {
      this.#complete(request, result);
      return;
    }
    if (request.opcode === NvmOpcode.flush) addCounter(this.#shared.counters, Counter.flushesInProgress);
    this.#waiting[request.qid] += 1;
    this.#waitingTotal += 1;
    result.then(
      status => this.#completeLater(request, status),
      // A bug of ours, not of the storage (its errors are StorageErrors): the guest still gets its answer.
      error => {
        this.#reportBug(error);
        this.#completeLater(request, Status.internalError);
      },
    );
  }

  /** No guest input may throw out of the device; if it does, that is a bug to report and an error for the guest. */
  #run(command: IoCommand, request: IoRequest): StatusCode | Promise<StatusCode> {
    try {
      if (this.faults) return this.faults.execute(this, request, command.execute);
      return command.execute(this, request);
    } catch (error) {
      this.#reportBug(error);
      return Status.internalError;
    }
  }

  #completeLater(request: IoRequest, status: StatusCode): void {
    if (request.opcode === NvmOpcode.flush) addCounter(this.#shared.counters, Counter.flushesInProgress, -1);
    this.#waitingTotal -= 1;
    if (request.epoch === this.#epoch) this.#waiting[request.qid] -= 1;
    this.#complete(request, status);
    this.#wakeVcpu();
    // The last one before a Sanitize operation: now it can begin.
    if (this.#waitingTotal === 0 && this.#sanitizer.pending) this.#shared.serverNotifier.set();
  }

  #complete(request: IoRequest, status: StatusCode): void {
    const { completions, counters } = this.#shared;
    if (this.isCurrent(request)) {
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
      words[record + CompletionWord.LBA_LOW] = request.cdw10;
      words[record + CompletionWord.LBA_HIGH] = request.cdw11;
      words[record + CompletionWord.EFFECT] = request.effect;
      completions.publish();
      const { serverTrace } = this.#shared;
      if (serverTrace.isOn) serverTrace.record(TraceKind.done, request.qid, 0, request.cid << 16, status);
      addCounter(counters, Counter.commands);
      if (request.opcode === NvmOpcode.flush) addCounter(counters, Counter.flushes);
      if (status !== Status.success) addCounter(counters, Counter.errors);
    }
    this.#freeRequests.push(request);
  }

  #wakeVcpu(): void {
    this.#shared.vcpuNotifier.set();
  }

  // --- Reset and shutdown

  get #resetRequested(): boolean {
    return this.#shared.getControl(Control.EPOCH) !== this.#epoch;
  }

  /**
   * Controller reset (rule 4 of the design): from the acknowledgement on, no older command touches guest memory or
   * completes. Those that still wait for storage find out by their epoch.
   */
  #adoptReset(): boolean {
    if (!this.#resetRequested) return false;
    this.#epoch = this.#shared.getControl(Control.EPOCH);
    this.#waiting.fill(0);
    for (let qid = 1; qid <= MAX_IO_QUEUES; qid++) {
      this.#forgetQueue(qid);
      this.#shared.setSq(qid, SqWord.STATE, SqState.ABSENT);
    }
    this.#shared.setControl(Control.EPOCH_ACK, this.#epoch);
    this.#wakeVcpu();
    return true;
  }

  /** Shutdown notification (section 7.6.2): complete only when all data is durable. */
  #shutDown(): boolean {
    const shared = this.#shared;
    const requested = shared.getControl(Control.SHUTDOWN);
    if (this.#shutdownRunning || requested === shared.getControl(Control.SHUTDOWN_ACK)) return false;
    this.#shutdownRunning = true;
    Promise.all([...this.namespaces.values()].map(namespace => namespace.disk.flush()))
      .then(
        () => shared.setControl(Control.SHUTDOWN_FAILED, 0),
        () => shared.setControl(Control.SHUTDOWN_FAILED, 1),
      )
      .then(() => {
        this.#shutdownRunning = false;
        shared.setControl(Control.SHUTDOWN_ACK, requested);
        this.#wakeVcpu();
      });
    return true;
  }

  /** Format NVM (section 5.23): complete only when what was deleted is durably gone. */
  #format(): boolean {
    const shared = this.#shared;
    const requested = shared.getControl(Control.FORMAT);
    if (this.#formatRunning || requested === shared.getControl(Control.FORMAT_ACK)) return false;
    this.#formatRunning = true;
    const nsid = shared.getControl(Control.FORMAT_NSID) >>> 0;
    const chosen = [...this.namespaces.values()].filter(each => nsid === NSID_ALL || each.nsid === nsid);
    eraseAll(chosen).then(status => {
      this.#formatRunning = false;
      this.#publishAllocation();
      shared.setControl(Control.FORMAT_STATUS, status);
      shared.setControl(Control.FORMAT_ACK, requested);
      this.#wakeVcpu();
    });
    return true;
  }

  #publishAllocation(): void {
    for (const { nsid, disk } of this.namespaces.values()) {
      setCounter(this.#shared.control, Control.ALLOCATED_KIB + nsid - 1, disk.allocatedBytes / 1024);
    }
  }
}
