import { addCounter, Counter } from "../../trace/counters.ts";
import type { GuestMemory } from "../guest_memory.ts";
import { AdminExecutor } from "./admin/admin_executor.ts";
import { AdminQueue } from "./admin/admin_queue.ts";
import { AsyncEvent } from "./admin/async_events.ts";
import type { ControllerIdentity } from "./admin/identify.ts";
import type { ShadowExtension } from "./admin/shadow_extension.ts";
import { CompletionPoster } from "./completion_poster.ts";
import { CompletionQueue } from "./completion_queue.ts";
import { CompletionQueues } from "./completion_queues.ts";
import { ControllerRegisters } from "./controller_registers.ts";
import { CONTROLLER_STATE_VERSION, type ControllerState, checkControllerState } from "./controller_state.ts";
import { Doorbells } from "./doorbells.ts";
import { ControllerFaults, type FaultableController } from "./faults/controller_faults.ts";
import { Health } from "./health.ts";
import { type InterruptHost, Interrupts } from "./interrupts.ts";
import { type AdminQueueLocation, Lifecycle } from "./lifecycle.ts";
import { QueuePublication } from "./queue_publication.ts";
import { ShadowDoorbells } from "./shadow_doorbells.ts";
import { Control, type SharedState } from "./shared_state.ts";
import { ControllerConfiguration, NSSR_MAGIC, Register } from "./spec/registers.ts";
import { PostGate } from "./stepper.ts";
import { SubmissionQueues } from "./submission_queues.ts";

/** What the controller needs of the machine that it is plugged into. All calls are made in the vCPU thread. */
export interface ControllerHost extends InterruptHost {
  /** There is something for the serving side: a doorbell, a reset, a shutdown. Also from a register write. */
  notifyServer(): void;
  /** The range [start, end) of guest memory was written by DMA: forget code compiled from it. */
  memoryWritten(start: number, end: number): void;
  /** The function is pulled out of its bus, or back in (fault injection): its configuration space comes and goes. */
  setPresent?(present: boolean): void;
}

export interface ControllerOptions {
  readonly memory: GuestMemory;
  readonly shared: SharedState;
  readonly host: ControllerHost;
  readonly identity: ControllerIdentity;
  /** MSI-X vectors of the function; with none there is the pin, whose only vector is 0. */
  readonly msixVectors: number;
  readonly shadowDoorbells: ShadowExtension;
  /** Milliseconds since 1970, for reports. */
  readonly clock: () => number;
}

/**
 * The controller as the vCPU thread sees it: registers (NVMe 1.4, section 3.1), the enable / reset / shutdown state
 * machine, admin commands, completion posting and the interrupt pin. I/O queues are served elsewhere (IoServer); the
 * two meet only in SharedState.
 *
 * Register accesses come in the middle of compiled guest code, so they only note what is to be done; safePoint() does
 * it. Guest code holds registers in wasm locals until then (rule 5 of the design).
 */
export class NvmeController {
  readonly faults: ControllerFaults;
  readonly #memory: GuestMemory;
  readonly #shared: SharedState;
  readonly #completionQueues = new CompletionQueues();
  readonly #publication: QueuePublication;
  readonly #registers = new ControllerRegisters();
  readonly #submissionQueues: SubmissionQueues;
  readonly #interrupts: Interrupts;
  readonly #shadows: ShadowDoorbells;
  readonly #admin: AdminExecutor;
  readonly #poster: CompletionPoster;
  readonly #doorbells: Doorbells;
  readonly #lifecycle: Lifecycle;
  readonly #health: Health;
  readonly #gate: PostGate;
  readonly #now: () => number;
  readonly #msixVectors: number;
  readonly #host: ControllerHost;
  /** Pulled out. */
  #isAbsent = false;

  constructor(options: ControllerOptions) {
    const { memory, shared, host } = options;
    const completionQueues = this.#completionQueues;
    const notifyServer = () => host.notifyServer();
    const memoryWritten = (start: number, end: number) => host.memoryWritten(start, end);
    const interrupts = new Interrupts(host, shared.counters, shared.vcpuTrace);
    const submissionQueues = new SubmissionQueues(shared, notifyServer);
    const shadows = new ShadowDoorbells(memory, shared, {
      msixEnabled: () => host.msixEnabled(),
      notifyServer,
      badTail: qid => this.#admin.badDoorbell(qid, AsyncEvent.invalidDoorbellValue),
    });
    const queues = { completionQueues, submissionQueues, shadows };
    const hasUnfetched = () => submissionQueues.hasUnfetched(shadows) || this.#admin.queue?.hasNext === true;
    const gate = new PostGate(shared, options.clock, hasUnfetched);
    this.#gate = gate;
    const faults = new ControllerFaults({
      counters: shared.counters,
      trace: shared.vcpuTrace,
      now: () => host.now(),
      clock: options.clock,
      wake: () => shared.vcpuNotifier.set(),
    });
    this.faults = faults;
    this.#host = host;
    this.#memory = memory;
    this.#msixVectors = options.msixVectors;
    this.#shared = shared;
    this.#publication = new QueuePublication(shared, shadows);
    this.#interrupts = interrupts;
    this.#submissionQueues = submissionQueues;
    this.#shadows = shadows;
    const now = () => host.now();
    this.#health = new Health(shared, host.now());
    this.#now = now;
    this.#admin = new AdminExecutor({
      ...options,
      ...queues,
      health: this.#health,
      faults,
      gate,
      notifyServer,
      fail: () => this.#lifecycle.fail(),
      entrySizesAreSet: () => ControllerConfiguration.hasEntrySizes(this.#registers.cc),
      memoryWritten,
      configureCoalescing: (feature, vectors) => interrupts.coalescing.configure(feature, vectors),
      postCompletions: () => this.#poster.take(),
      now,
    });
    this.#poster = new CompletionPoster({
      ...queues,
      shared,
      faults,
      gate,
      memoryBytes: memory.byteLength,
      memoryWritten,
      errorLog: this.#admin.errorLog,
    });
    this.#doorbells = new Doorbells({
      ...queues,
      shared,
      adminQueue: () => this.#admin.queue,
      notifyServer,
      headMoved: () => this.#updateInterrupts(false),
      bad: (qid, event) => this.#admin.badDoorbell(qid, event),
    });
    this.#lifecycle = new Lifecycle({
      memory,
      shared,
      registers: this.#registers,
      notifyServer,
      shutDown: () => {
        this.#health.inUse = false;
      },
      enabled: location => this.#enabled(location),
      resetting: () => this.#resetting(),
      epochBegun: () => {
        // The epoch came first: while shadows were in use the doorbell words are history, and a serving side that saw
        // the shadows switched off, but no reset, would take them for new.
        shadows.disable();
        submissionQueues.reset();
        this.#admin.featuresChanged();
        notifyServer();
        this.#updateInterrupts(false);
      },
      drain: () => this.#poster.take(),
    });
  }

  // --- Registers (section 3.1)

  /** A 32-bit read at a byte offset of BAR0. */
  readRegister(offset: number): number {
    addCounter(this.#shared.counters, Counter.mmioExits);
    if (this.#isAbsent) return -1;
    if (offset === Register.INTMS || offset === Register.INTMC) return this.#interrupts.mask;
    if (offset === Register.CSTS) {
      this.#lifecycle.takeAcknowledgements();
      this.#admin.checkKeepAlive();
    }
    return this.#registers.read(offset);
  }

  /** A 32-bit write at a byte offset of BAR0. */
  writeRegister(offset: number, value: number): void {
    addCounter(this.#shared.counters, Counter.mmioExits);
    if (this.#isAbsent) return;
    if (offset >= Register.DOORBELLS) {
      this.#doorbells.ring(offset - Register.DOORBELLS, value & 0xffff);
      return;
    }
    switch (offset) {
      case Register.INTMS:
        this.#interrupts.mask |= value & 1;
        this.#updateInterrupts(false);
        return;
      case Register.INTMC:
        this.#interrupts.mask &= ~(value & 1);
        return;
      case Register.CC:
        this.#lifecycle.configure(value);
        return;
      case Register.NSSR:
        if (value >>> 0 === NSSR_MAGIC) this.#lifecycle.resetSubsystem();
        return;
      default:
        this.#registers.write(offset, value);
    }
  }

  // --- Enable and reset

  #enabled({ sqBase, sqEntries, cqBase, cqEntries }: AdminQueueLocation): void {
    const trace = this.#shared.vcpuTrace;
    const queue = new AdminQueue(this.#memory, sqBase, sqEntries, cqBase, cqEntries, trace);
    this.#health.inUse = true;
    this.#admin.start(queue);
    this.#completionQueues.restart(queue.cq);
  }

  #resetting(): void {
    this.#admin.reset();
    this.#completionQueues.restart(undefined);
    this.#interrupts.mask = 0;
  }

  /** Power cycle or hard reset of the machine: as CC.EN 1 → 0, and the registers are back at their initial values. */
  reset(): void {
    this.#lifecycle.startReset();
    this.#registers.clear();
  }

  // --- Safe points

  /** Is there anything that safePoint() would do now? For halt polling; cheap. */
  get hasWork(): boolean {
    return this.#shared.completions.length > 0;
  }

  /** Are I/O commands under way? Then a short wait may be worth more than going idle. */
  get ioInFlight(): boolean {
    return this.#submissionQueues.isBusy(this.#shadows) || this.#lifecycle.isResetting || this.#admin.isBusy;
  }

  /** The machine stands still but for a step: must the guest run for that? */
  get stepNeedsGuest(): boolean {
    return this.#gate.needsGuest;
  }

  /**
   * The vCPU thread stands between two stretches of guest code: memory may be written and interrupts raised.
   * `idle` says that the guest is about to halt, so that nothing it has written may be left unannounced.
   */
  safePoint(idle: boolean): void {
    const shared = this.#shared;
    // An atomic add is a full fence: what the guest has stored is visible before we look at who sleeps (rule 2, 3).
    shared.addControl(Control.SAFE_POINTS);
    shared.vcpuTrace.beginMoment();
    this.#lifecycle.takeAcknowledgements();
    this.#poster.take();
    this.#admin.checkKeepAlive();
    this.#admin.run();
    this.#health.sample(this.#submissionQueues.isBusy(this.#shadows), this.#now);
    if (this.#shadows.enabled) {
      this.#shadows.readHeads(this.#completionQueues.io);
      const { pace } = shared.signals;
      // A server that holds entries back, in slow motion, has not missed them.
      if (pace.isFull || !pace.holdsFetches) this.#shadows.sweep(idle);
    }
    // A guest that has nothing to do and waits for nothing gains nothing by a later interrupt.
    this.#updateInterrupts(true, this.#interrupts.coalescing.isOn && idle && !this.ioInFlight);
    if (this.faults.isDue) this.faults.apply(this.#faultable);
    shared.vcpuTrace.endMoment();
    if (this.#publication.isDue) this.#publication.publish(this.#admin.queue, this.#completionQueues.all);
  }

  // --- Interrupts (section 7.5)

  #updateInterrupts(mayRaise: boolean, quiet = false): void {
    this.#poster.postWaiting();
    this.#interrupts.update(this.#completionQueues.all, mayRaise, quiet);
  }

  /** Milliseconds until an interrupt that is held back must come: a safe point is wanted by then. */
  get interruptDueInMs(): number {
    return Math.min(this.#interrupts.dueInMs, this.faults.dueInMs);
  }

  // --- Snapshots of the machine

  /**
   * What is under way that a snapshot could not hold, as the end of "it is busy with …"; undefined when there is nothing. While
   * the guest stands still and safe points go on, I/O comes to its end. At safe points only.
   */
  get busyWith(): string | undefined {
    const { completions } = this.#shared;
    if (this.#isAbsent || this.faults.isArmed) return "injected faults";
    if (this.#lifecycle.isWaiting) return "a reset or a shutdown";
    const waitingOf = (sqid: number) => this.#completionQueues.waitingOf(sqid);
    const ioIsQuiet = completions.length === 0 && this.#submissionQueues.isQuiet(this.#shadows, waitingOf);
    return ioIsQuiet ? this.#admin.busyWith : "I/O commands";
  }

  /** The controller as plain data, while it is busy with nothing. */
  save(): ControllerState {
    return {
      version: CONTROLLER_STATE_VERSION,
      registers: this.#registers.save(),
      interrupts: this.#interrupts.save(),
      completionQueues: this.#completionQueues.io.map(queue => queue.save()),
      submissionQueues: this.#submissionQueues.save(),
      shadow: this.#shadows.save(),
      admin: this.#admin.save(),
    };
  }

  /**
   * Puts a state into a controller that is as new, before its serving side has looked for work. The guest's memory must be
   * as it was, too. Throws ControllerStateError, and then nothing has changed.
   */
  restore(state: ControllerState): void {
    checkControllerState(state, this.#memory, this.#msixVectors);
    const queues = this.#completionQueues;
    this.#registers.restore(state.registers);
    this.#interrupts.restore(state.interrupts);
    this.#admin.restore(state.admin);
    queues.restart(this.#admin.queue?.cq);
    for (const saved of state.completionQueues) {
      const queue = CompletionQueue.restore(this.#memory, saved, this.#shared.vcpuTrace);
      queue.submissionQueues = state.submissionQueues.filter(({ cqid }) => cqid === queue.id).length;
      queues.add(queue);
    }
    this.#shadows.restore(state.shadow);
    this.#submissionQueues.restore(state.submissionQueues, sqid => queues.waitingOf(sqid));
    this.#health.inUse = this.#admin.queue !== undefined;
    this.#host.notifyServer();
  }

  // --- Injected faults

  readonly #faultable: FaultableController = {
    fail: () => {
      // What is not enabled has nothing to fail at.
      if (ControllerConfiguration.enable(this.#registers.cc)) this.#lifecycle.fail();
    },
    setAbsent: absent => {
      if (absent) this.reset();
      this.#isAbsent = absent;
      this.#host.setPresent?.(!absent);
    },
    raiseSpurious: () => {
      if (!this.#completionQueues.all.every(queue => queue.isEmpty)) return false;
      this.#interrupts.raiseSpurious(this.#completionQueues.io[0]?.vector ?? 0);
      return true;
    },
  };
}
