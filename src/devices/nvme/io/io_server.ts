import type { AioHandler } from "../../../eventloop/aio_context.ts";
import { TraceKind } from "../../../trace/trace_ring.ts";
import type { GuestMemory } from "../../guest_memory.ts";
import { MAX_IN_FLIGHT } from "../../shared_device_state.ts";
import { TailWatch } from "../../tail_watch.ts";
import type { IoFaults } from "../faults/io_faults.ts";
import type { NamespaceStore } from "../namespace_store.ts";
import {
  Control,
  MAX_IO_QUEUES,
  type SharedState,
  SqState,
  SqWord,
  sqShadowOffset,
} from "../shared_state.ts";
import { fuseOf, SQE_BYTES, Sqe } from "../spec/entries.ts";
import { FetchGate } from "../stepper.ts";
import { CommandRunner } from "./command_runner.ts";
import { Formatter } from "./formatter.ts";
import { areFused, Fuse } from "./fused.ts";
import { NamespaceService } from "./namespace_service.ts";
import type { IoRequest } from "./request.ts";
import { Sanitizer } from "./sanitizer.ts";
import { SelfTester } from "./self_tester.ts";
import { ServedNamespaces } from "./served_namespaces.ts";
import { Shutdown } from "./shutdown.ts";

export interface IoServerOptions {
  readonly memory: GuestMemory;
  readonly shared: SharedState;
  /** The disks behind the namespaces. */
  readonly store: NamespaceStore;
  /** See TailWatch. */
  readonly stronglyOrderedHost: boolean;
  /** Told of exceptions that no command should throw; the command then ends with Internal Error. */
  readonly reportBug: (error: unknown) => void;
  /** Milliseconds, monotonic: for slow motion. */
  readonly now: () => number;
}

/**
 * The serving side of the I/O queues: fetches SQEs, moves data, puts completions on the ring. Runs in the iothread.
 * It never writes CQEs and never raises interrupts; that is the vCPU thread's part.
 */
export class IoServer implements AioHandler {
  readonly #memory: GuestMemory;
  readonly #served: ServedNamespaces;
  readonly #namespaceService: NamespaceService;
  readonly #formatter: Formatter;
  readonly #shutdown: Shutdown;
  readonly #runner: CommandRunner;
  readonly #shared: SharedState;
  readonly #tails: TailWatch;
  readonly #sanitizer: Sanitizer;
  readonly #selfTester: SelfTester;
  readonly #gate: FetchGate;
  #epoch = 0;
  /** A queue was at its limit at the last look: look again before long. */
  #stalled = false;

  constructor(options: IoServerOptions) {
    this.#memory = options.memory;
    this.#shared = options.shared;
    this.#tails = new TailWatch(options.shared, MAX_IO_QUEUES + 1, options.stronglyOrderedHost);
    const { shared, store } = options;
    const served = new ServedNamespaces(shared, store, () => this.#wakeVcpu());
    this.#served = served;
    this.#namespaceService = new NamespaceService(shared, store, served, () => {
      this.#wakeVcpu();
      // The next request, or a Sanitize operation that has waited.
      shared.serverNotifier.set();
    });
    this.#formatter = new Formatter(shared, served);
    this.#shutdown = new Shutdown(shared, served.active);
    this.#runner = new CommandRunner({
      ...options,
      served,
      refusal: () => this.#sanitizer.refusal,
      drained: () => this.#drained(),
    });
    const isStorageBusy = () => this.#runner.isStorageBusy || this.#namespaceService.isRunning;
    this.#sanitizer = new Sanitizer(shared, store, served, isStorageBusy);
    this.#selfTester = new SelfTester(shared, served.active);
    this.#gate = new FetchGate(shared, options.now);
    this.#epoch = shared.getControl(Control.EPOCH);
    this.resume();
  }

  /** Takes up queues that are there before this server has looked at any: those of a machine that goes on (a snapshot). */
  resume(): void {
    const shared = this.#shared;
    for (let qid = 1; qid <= MAX_IO_QUEUES; qid++) {
      if (shared.getSq(qid, SqWord.STATE) === SqState.ACTIVE) {
        this.#tails.forget(qid, shared.getSq(qid, SqWord.HEAD));
      }
    }
  }

  /** Faults that are armed, or undefined while none is. */
  set faults(faults: IoFaults | undefined) {
    this.#runner.faults = faults;
  }

  // --- AioHandler

  get pending(): boolean {
    return (
      this.#runner.isStorageBusy ||
      this.#shutdown.isRunning ||
      this.#formatter.isRunning ||
      this.#namespaceService.isRunning ||
      this.#sanitizer.pending ||
      this.#selfTester.pending ||
      this.#gate.isWaiting ||
      this.#stalled
    );
  }

  poll(): boolean {
    // Doorbells and control changes set the notifier, which the event loop looks at itself: only shadows are left.
    if (this.#shared.control[Control.SHADOW_ENABLED] === 0 || this.#gate.holds) return false;
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
    this.#served.publishAllocation();
    const shared = this.#shared;
    if (shared.getControl(Control.SHADOW_ENABLED) === 0 || this.#resetRequested) return;
    const page = shared.control[Control.EVENT_IDX_PAGE] >>> 0;
    const highest = shared.getControl(Control.HIGHEST_SQ);
    for (let qid = 1; qid <= highest; qid++) {
      if (shared.getSq(qid, SqWord.STATE) !== SqState.ACTIVE) continue;
      // "Ring me when the tail moves on from here." Written each time, never cached (museum 8), with a sequentially
      // consistent store, because ready() reads the shadow tail right after: store-load order matters (museum 1, 9).
      Atomics.store(this.#memory.words, (page + sqShadowOffset(qid)) >>> 2, shared.getSq(qid, SqWord.HEAD));
    }
  }

  ready(): boolean {
    let progress = this.#adoptReset();
    progress = this.#shutdown.start() || progress;
    progress = this.#formatter.start() || progress;
    progress = this.#sanitizer.start() || progress;
    // Requests that came together with a Sanitize command wait for the end of the operation.
    if (!this.#sanitizer.pending) progress = this.#namespaceService.start() || progress;
    this.#selfTester.step();
    this.#stalled = false;
    const highest = this.#shared.getControl(Control.HIGHEST_SQ);
    const ringBefore = this.#shared.completions.words[0];
    this.#gate.begin();
    for (let qid = 1; qid <= highest; qid++) progress = this.#serveQueue(qid) || progress;
    progress = this.#abort() || progress;
    this.#gate.end();
    if (this.#shared.completions.words[0] !== ringBefore) this.#wakeVcpu();
    return progress;
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
    const { pace } = shared.signals;
    while (head !== tail && fetched < burst) {
      if (!pace.isFull && !this.#gate.mayFetch(qid, tail)) break;
      // Two commands may be fetched at once.
      if (shared.inFlight(qid) >= MAX_IN_FLIGHT - 1) {
        this.#stalled = true;
        break;
      }
      const request = this.#fetch(qid, base, head, entries);
      head = shared.getSq(qid, SqWord.HEAD);
      fetched += 1;
      // A fused operation's commands are announced together (section 4.12), whatever the burst leaves for later.
      // What follows a first half and is no second half stands for itself, and may be a first half of its own.
      if (request.fuse !== Fuse.first || head === tail || !this.#isSecondHalf(base, head)) {
        this.#runner.run(request);
        continue;
      }
      const second = this.#fetch(qid, base, head, entries);
      head = shared.getSq(qid, SqWord.HEAD);
      fetched += 1;
      if (areFused(request, second)) {
        this.#runner.runFused(request, second);
      } else {
        this.#runner.run(request);
        this.#runner.run(second);
      }
    }
    return fetched > 0;
  }

  /** A look ahead: what the entry says when it is fetched is what counts. */
  #isSecondHalf(base: number, head: number): boolean {
    return fuseOf(this.#memory.words[(base + head * SQE_BYTES) / 4 + Sqe.CDW0]) === Fuse.second;
  }

  /** Copies the entry at the head, and moves the head on. */
  #fetch(qid: number, base: number, head: number, entries: number): IoRequest {
    const shared = this.#shared;
    const request = this.#runner.newRequest(this.#epoch, qid);
    request.fetch(this.#memory, base + head * SQE_BYTES);
    if (shared.serverTrace.isOn) this.#traceFetch(request, head);
    shared.setSq(qid, SqWord.HEAD, head + 1 === entries ? 0 : head + 1);
    shared.setSq(qid, SqWord.FETCHED, (shared.getSq(qid, SqWord.FETCHED) + 1) | 0);
    return request;
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
    return Atomics.load(this.#memory.words, (page + sqShadowOffset(qid)) >>> 2) & 0xffff;
  }

  #retireQueue(qid: number): boolean {
    if (this.#runner.waiting(qid) > 0) return false;
    this.#forgetQueue(qid);
    this.#shared.setSq(qid, SqWord.STATE, SqState.ABSENT);
    this.#wakeVcpu();
    return true;
  }

  #forgetQueue(qid: number): void {
    this.#tails.forget(qid);
    this.#shared.setSq(qid, SqWord.HEAD, 0);
  }

  /** No command waits for storage any more. The last one before a Sanitize operation: now it can begin. */
  #drained(): void {
    if (this.#sanitizer.pending) this.#shared.serverNotifier.set();
  }

  #wakeVcpu(): void {
    this.#shared.vcpuNotifier.set();
  }

  // --- Reset and Abort

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
    this.#runner.forget();
    for (let qid = 1; qid <= MAX_IO_QUEUES; qid++) {
      this.#forgetQueue(qid);
      this.#shared.setSq(qid, SqWord.STATE, SqState.ABSENT);
    }
    // An Abort of the life before: its command is not there any more, and one of the same name may come.
    this.#shared.setControl(Control.ABORT_DONE, 0);
    this.#shared.setControl(Control.ABORT_ACK, this.#shared.getControl(Control.ABORT));
    this.#shared.setControl(Control.EPOCH_ACK, this.#epoch);
    this.#wakeVcpu();
    return true;
  }

  /** Abort (section 5.1) of a command that waits for storage. After the queues: what was announced is fetched. */
  #abort(): boolean {
    const shared = this.#shared;
    const requested = shared.getControl(Control.ABORT);
    if (this.#resetRequested || requested === shared.getControl(Control.ABORT_ACK)) return false;
    const target = shared.getControl(Control.ABORT_TARGET);
    shared.setControl(Control.ABORT_DONE, this.#runner.abort(target & 0xffff, target >>> 16) ? 1 : 0);
    shared.setControl(Control.ABORT_ACK, requested);
    this.#wakeVcpu();
    return true;
  }
}
