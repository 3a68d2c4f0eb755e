import { addCounter, Counter } from "../../../trace/counters.ts";
import type { Tracer } from "../../../trace/trace_ring.ts";
import type { GuestMemory } from "../../guest_memory.ts";
import type { CompletionQueues } from "../completion_queues.ts";
import type { AdminState } from "../controller_state.ts";
import type { ControllerFaults } from "../faults/controller_faults.ts";
import { FaultEffect } from "../faults/fault_effect.ts";
import type { Health } from "../health.ts";
import { NamespaceTable } from "../namespace_table.ts";
import type { ShadowDoorbells } from "../shadow_doorbells.ts";
import { NamespaceOperation, SelfTestResult, type SharedState } from "../shared_state.ts";
import { ErrorLocation } from "../spec/error_location.ts";
import { LogPageId } from "../spec/features.ts";
import { MAX_TRANSFER_BYTES } from "../spec/registers.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import type { PostGate } from "../stepper.ts";
import type { SubmissionQueues } from "../submission_queues.ts";
import type { AdminCommand, AdminResult } from "./admin_command.ts";
import { AdminQueue, type AdminServices, HostTransfer } from "./admin_queue.ts";
import { AsyncEvent, AsyncEvents } from "./async_events.ts";
import { ChangedNamespaces } from "./changed_namespaces.ts";
import { type AdminCommandEntry, adminCommands } from "./commands.ts";
import { DeferredCommands } from "./deferred_commands.ts";
import { ErrorLog } from "./error_log.ts";
import { FeatureEffects, type FeatureEffectsOptions } from "./feature_effects.ts";
import { Features } from "./features.ts";
import type { ControllerIdentity } from "./identify.ts";
import { KeepAlive } from "./keep_alive.ts";
import type { LogSources } from "./log_pages.ts";
import type { NamespaceRequest } from "./namespace_requests.ts";
import { SanitizeOperation } from "./sanitize.ts";
import { SelfTest } from "./self_test.ts";
import type { ShadowExtension } from "./shadow_extension.ts";
import { Timestamp } from "./timestamp.ts";

export interface AdminExecutorOptions extends FeatureEffectsOptions {
  readonly memory: GuestMemory;
  readonly identity: ControllerIdentity;
  readonly msixVectors: number;
  readonly shadowDoorbells: ShadowExtension;
  readonly completionQueues: CompletionQueues;
  readonly submissionQueues: SubmissionQueues;
  readonly shadows: ShadowDoorbells;
  readonly faults: ControllerFaults;
  readonly gate: PostGate;
  readonly notifyServer: () => void;
  readonly memoryWritten: (start: number, end: number) => void;
  /** Posts what the serving side has completed. */
  readonly postCompletions: () => void;
  readonly health: Health;
  /** Sets Controller Fatal Status. */
  readonly fail: () => void;
  /** Does CC have the entry sizes of the NVM command set? */
  readonly entrySizesAreSet: () => boolean;
}

/** Runs admin commands in the vCPU thread, at safe points, and keeps what they are about: features, events, logs. */
export class AdminExecutor implements AdminServices {
  readonly memory: GuestMemory;
  readonly trace: Tracer;
  readonly identity: ControllerIdentity;
  readonly namespaces: NamespaceTable;
  readonly oacs: number;
  readonly msixVectors: number;
  readonly maxTransferBytes = MAX_TRANSFER_BYTES;
  readonly completionQueues: CompletionQueues;
  readonly submissionQueues: SubmissionQueues;
  readonly errorLog: ErrorLog;
  readonly #options: AdminExecutorOptions;
  readonly #shared: SharedState;
  readonly #commands: ReadonlyMap<number, AdminCommandEntry>;
  readonly #transfer: HostTransfer;
  readonly #deferred: DeferredCommands;
  readonly #changedNamespaces = new ChangedNamespaces();
  readonly selfTest: SelfTest;
  readonly sanitizer: SanitizeOperation;
  readonly #keepAlive = new KeepAlive();
  readonly #featureEffects: FeatureEffects;

  // What dies with a reset.
  features: Features;
  asyncEvents = this.#newAsyncEvents();
  timestamp: Timestamp;
  #queue: AdminQueue | undefined;

  constructor(options: AdminExecutorOptions) {
    this.memory = options.memory;
    this.trace = options.shared.vcpuTrace;
    this.identity = options.identity;
    this.namespaces = new NamespaceTable(options.shared);
    this.msixVectors = options.msixVectors;
    this.completionQueues = options.completionQueues;
    this.submissionQueues = options.submissionQueues;
    this.errorLog = new ErrorLog(options.health);
    this.#options = options;
    this.#shared = options.shared;
    this.#commands = adminCommands(options);
    this.oacs = [...this.#commands.values()].reduce((bits, { oacs }) => bits | oacs, 0);
    this.#transfer = new HostTransfer(options.memory, options.memoryWritten);
    this.#deferred = new DeferredCommands(options.shared, options.notifyServer);
    this.selfTest = new SelfTest(options.shared, options.health, options.now);
    this.sanitizer = new SanitizeOperation(options.shared, options.health);
    this.#featureEffects = new FeatureEffects(options, this.#keepAlive);
    this.features = this.#newFeatures();
    this.timestamp = new Timestamp(options.now());
    this.featuresChanged();
  }

  /** Undefined while the controller is not enabled. */
  get queue(): AdminQueue | undefined {
    return this.#queue;
  }

  /** Does a command wait for the serving side? Queue deletions are SubmissionQueues' to know. */
  get isBusy(): boolean {
    return this.#deferred.areAwaited;
  }

  /** The controller is enabled. */
  start(queue: AdminQueue): void {
    this.#queue = queue;
  }

  /** A controller reset: the queue, the features and the commands that wait are gone. */
  reset(): void {
    this.#queue = undefined;
    this.#deferred.forget();
    this.#changedNamespaces.clear();
    this.selfTest.reset();
    this.#options.faults.forgetCommands();
    this.features = this.#newFeatures();
    this.timestamp = new Timestamp(this.now());
    this.asyncEvents = this.#newAsyncEvents();
  }

  /** Commands that were announced, and those that have waited for the serving side. */
  run(): void {
    this.submissionQueues.takeDeletions(this.completionQueues, cid => this.#complete(cid, Status.success, 0));
    this.#refreshNamespaces();
    this.#takeDeferred();
    this.selfTest.take();
    const sanitized = this.sanitizer.take();
    if (sanitized) this.asyncEvents.report(sanitized);
    const queue = this.#queue;
    if (!queue) return;
    const { faults } = this.#options;
    for (const command of faults.takeDue()) this.#answer(command, this.#execute(command));
    for (let command = this.#fetch(queue); command; command = this.#fetch(queue)) {
      const result = faults.isArmed ? this.#executeFaulted(command) : this.#execute(command);
      this.#answer(command, result);
    }
    if (this.#deferred.aborts.ask()) this.#options.notifyServer();
  }

  #fetch(queue: AdminQueue): AdminCommand | undefined {
    const { gate } = this.#options;
    if (!this.#shared.signals.pace.isFull && queue.hasNext && !gate.mayRunAdmin()) return undefined;
    return queue.fetch(this.memory);
  }

  #executeFaulted(command: AdminCommand): AdminResult {
    return this.#options.faults.execute(command, () => this.#execute(command));
  }

  #answer(command: AdminCommand, result: AdminResult): void {
    if (result === "pending") return;
    const status = typeof result === "number" ? result : result.status;
    this.#complete(command.cid, status, typeof result === "number" ? 0 : result.result);
    if (status !== Status.success) this.errorLog.add(0, command.cid, status, command.nsid);
  }

  #execute(command: AdminCommand): AdminResult {
    const entry = this.#commands.get(command.opcode);
    if (!entry) return Status.invalidOpcode;
    if (command.fuse !== 0 || command.psdt !== 0) return Status.invalidField;
    if (!entry.duringSanitize && this.sanitizer.refusal !== undefined) return this.sanitizer.refusal;
    return entry.execute(this, command);
  }

  /** Commands that have waited for the serving side. */
  #takeDeferred(): void {
    for (let answer = this.#deferred.take(); answer; answer = this.#deferred.take()) {
      const { cid, status, result, nsid } = answer;
      // What the command has done to namespaces was published before its answer, and so was the completion of a command
      // that it has aborted: the host sees them first.
      this.#refreshNamespaces();
      this.#options.postCompletions();
      this.#complete(cid, status, result);
      if (status !== Status.success) this.errorLog.add(0, cid, status, nsid);
    }
  }

  /** Namespaces that came, went or changed, by whomever. */
  #refreshNamespaces(): void {
    this.#changedNamespaces.add(this.namespaces.refresh(), this.features, this.asyncEvents);
  }

  #complete(cid: number, status: StatusCode, result: number): void {
    addCounter(this.#shared.counters, Counter.adminCommands);
    const { faults } = this.#options;
    const effect = faults.isArmed ? faults.takeEffect(cid) : FaultEffect.none;
    if (effect === FaultEffect.drop) return;
    this.#queue?.complete(cid, status, result);
    if (effect === FaultEffect.none) return;
    if (effect === FaultEffect.duplicate && !this.#queue?.cq.isFull)
      this.#queue?.complete(cid, status, result);
    faults.note(effect);
  }

  #newFeatures(): Features {
    return new Features(Math.max(1, this.msixVectors));
  }

  #newAsyncEvents(): AsyncEvents {
    return new AsyncEvents((cid, result) => this.#complete(cid, Status.success, result));
  }

  /** A doorbell write that no driver should make (section 5.2, figure 149). */
  badDoorbell(qid: number, event: AsyncEvent): void {
    // No command is at fault.
    this.errorLog.add(qid, 0xffff, Status.invalidField, 0, { location: ErrorLocation.none });
    this.asyncEvents.report(event);
  }

  /** Section 7.12: a host that has gone silent loses its controller. */
  checkKeepAlive(): void {
    if (!this.#queue || !this.#keepAlive.isExpired(this.#options.now)) return;
    this.errorLog.add(0, 0xffff, Status.keepAliveExpired, 0);
    this.#options.fail();
  }

  // --- Snapshots of the machine

  /** What goes on that a snapshot cannot hold; undefined if nothing does. */
  get busyWith(): string | undefined {
    if (this.selfTest.isRunning) return "a device self-test";
    if (this.sanitizer.isRunning) return "a Sanitize operation";
    if (this.#deferred.areRunning || this.#queue?.hasNext) return "an admin command";
    return undefined;
  }

  save(): AdminState {
    return {
      queue: this.#queue?.save(),
      features: this.features.save(),
      asyncEvents: this.asyncEvents.save(),
      timestamp: this.timestamp.save(this.now()),
      errorLog: this.errorLog.save(),
      changedNamespaces: this.#changedNamespaces.save(),
      temperatureReported: this.#featureEffects.temperature.reported,
    };
  }

  /** Into an executor that is as new. */
  restore(state: AdminState): void {
    if (state.queue) this.#queue = AdminQueue.restore(this.memory, state.queue, this.trace);
    this.features.restore(state.features);
    this.asyncEvents.restore(state.asyncEvents);
    this.timestamp.restore(state.timestamp, this.now());
    this.errorLog.restore(state.errorLog);
    this.#changedNamespaces.restore(state.changedNamespaces);
    this.#featureEffects.temperature.reported = state.temperatureReported;
    // The Keep Alive timer, if it is on, begins anew.
    this.featuresChanged();
  }

  // --- AdminServices

  keepAlive(): void {
    this.#keepAlive.restart(this.#options.now);
  }

  get ioQueuesExist(): boolean {
    return this.completionQueues.io.length > 0;
  }

  now(): number {
    return this.#options.now();
  }

  get entrySizesAreSet(): boolean {
    return this.#options.entrySizesAreSet();
  }

  get logSources(): LogSources {
    return {
      counters: this.#shared.counters,
      errorLog: this.errorLog,
      changedNamespaces: this.#changedNamespaces,
      firmwareRevision: this.identity.firmwareRevision,
      health: this.#options.health,
      selfTest: this.selfTest,
      sanitizer: this.sanitizer,
      temperatureThresholds: this.features.temperatureThresholds,
      adminEffects: Array.from(this.#commands, ([opcode, { effects }]) => [opcode, effects] as const),
      now: this.#options.now(),
    };
  }

  manageNamespace(cid: number, request: NamespaceRequest): void {
    if (request.operation === NamespaceOperation.format) {
      this.selfTest.abortOf(request.nsid, SelfTestResult.abortedByFormat);
    }
    this.#deferred.namespaces.submit(cid, request);
  }

  logPageRead(id: number): void {
    if (id === LogPageId.changedNamespaces) this.#changedNamespaces.read(this.asyncEvents);
    this.asyncEvents.logPageRead(id);
  }

  receiveFromHost(command: AdminCommand, bytes: number): Uint8Array<ArrayBuffer> | StatusCode {
    return this.#transfer.receive(command, bytes);
  }

  sendToHost(command: AdminCommand, data: Uint8Array): StatusCode {
    return this.#transfer.send(command, data);
  }

  resetShadow(kind: "sq" | "cq", qid: number): void {
    this.#options.shadows.resetQueue(kind, qid);
  }

  enableShadowDoorbells(shadowPage: number, eventIdxPage: number): StatusCode {
    const { shadows, notifyServer } = this.#options;
    const status = shadows.enable(shadowPage, eventIdxPage, this.completionQueues.io, qid =>
      this.submissionQueues.exists(qid),
    );
    if (status === Status.success) notifyServer();
    return status;
  }

  startAbort(command: AdminCommand): boolean {
    return this.#deferred.aborts.add(command);
  }

  startFormat(nsid: number, cid: number): boolean {
    if (!this.#deferred.format.start(nsid, cid)) return false;
    this.selfTest.abortOf(nsid, SelfTestResult.abortedByFormat);
    this.#options.notifyServer();
    return true;
  }

  startSelfTest(code: number, nsid: number): boolean {
    if (!this.selfTest.start(code, nsid)) return false;
    this.#options.notifyServer();
    return true;
  }

  startSanitize(cdw10: number): StatusCode {
    if (this.#deferred.format.isRunning) return Status.formatInProgress;
    const status = this.sanitizer.start(cdw10);
    if (status !== Status.success) return status;
    this.selfTest.abort(SelfTestResult.abortedBySanitize);
    // Section 8.15: what is still to be told of an earlier one is not told any more.
    this.asyncEvents.withdraw(AsyncEvent.sanitizeCompleted, AsyncEvent.sanitizeCompletedWithDeallocation);
    this.#options.notifyServer();
    return status;
  }

  featuresChanged(): void {
    this.#featureEffects.apply(this.features, this.asyncEvents);
  }
}
