import { addCounter, Counter } from "../../trace/counters.ts";
import { TraceKind, type Tracer } from "../../trace/trace_ring.ts";
import { type GuestMemory, isRam } from "../guest_memory.ts";
import type { AdminCommand } from "./admin/admin_command.ts";
import { AdminQueue, type AdminServices, HostTransfer } from "./admin/admin_queue.ts";
import { AsyncEvent, AsyncEvents } from "./admin/async_events.ts";
import { type AdminCommandEntry, adminCommands } from "./admin/commands.ts";
import { ErrorLog } from "./admin/error_log.ts";
import { Features } from "./admin/features.ts";
import type { ControllerIdentity } from "./admin/identify.ts";
import type { LogSources } from "./admin/log_pages.ts";
import type { ShadowExtension } from "./admin/shadow_extension.ts";
import { CompletionQueues } from "./completion_queues.ts";
import { type InterruptHost, Interrupts } from "./interrupts.ts";
import type { NamespaceInfo } from "./namespace.ts";
import { publishQueues } from "./queue_publication.ts";
import { ShadowDoorbells } from "./shadow_doorbells.ts";
import { CompletionWord, Control, MAX_IO_QUEUES, type SharedState, SqState, SqWord } from "./shared_state.ts";
import { CQE_BYTES, SQE_BYTES } from "./spec/entries.ts";
import { FeatureId } from "./spec/features.ts";
import {
  CAP_HIGH,
  CAP_LOW,
  ControllerConfiguration,
  ControllerStatus,
  DOORBELL_STRIDE,
  MAX_TRANSFER_BYTES,
  PAGE_MASK,
  Register,
  VERSION,
} from "./spec/registers.ts";
import { Status, type StatusCode } from "./spec/status.ts";

/** What the controller needs of the machine that it is plugged into. All calls are made in the vCPU thread. */
export interface ControllerHost extends InterruptHost {
  /** There is something for the serving side: a doorbell, a reset, a shutdown. Also from a register write. */
  notifyServer(): void;
  /** The range [start, end) of guest memory was written by DMA: forget code compiled from it. */
  memoryWritten(start: number, end: number): void;
}

export interface ControllerOptions {
  readonly memory: GuestMemory;
  readonly shared: SharedState;
  readonly host: ControllerHost;
  readonly identity: ControllerIdentity;
  readonly namespaces: readonly NamespaceInfo[];
  /** MSI-X vectors of the function; with none there is the pin, whose only vector is 0. */
  readonly msixVectors: number;
  readonly shadowDoorbells: ShadowExtension;
}

/**
 * The controller as the vCPU thread sees it: registers (NVMe 1.4, section 3.1), the enable / reset / shutdown state
 * machine, admin commands, completion posting and the interrupt pin. I/O queues are served elsewhere (IoServer); the
 * two meet only in SharedState.
 *
 * Register accesses come in the middle of compiled guest code, so they only note what is to be done; safePoint() does
 * it. Guest code holds registers in wasm locals until then (rule 5 of the design).
 */
export class NvmeController implements AdminServices {
  readonly memory: GuestMemory;
  readonly identity: ControllerIdentity;
  readonly namespaces: readonly NamespaceInfo[];
  readonly shadowDoorbells: ShadowExtension;
  readonly msixVectors: number;
  readonly maxTransferBytes = MAX_TRANSFER_BYTES;
  readonly completionQueues = new CompletionQueues();
  readonly trace: Tracer;
  readonly #shared: SharedState;
  readonly #host: ControllerHost;
  readonly #commands: ReadonlyMap<number, AdminCommandEntry>;
  readonly #transfer: HostTransfer;
  readonly #interrupts: Interrupts;
  readonly #shadows: ShadowDoorbells;
  readonly #errorLog = new ErrorLog();
  readonly #memoryWritten: (start: number, end: number) => void;
  readonly #madeAt: number;

  // Registers.
  #cc = 0;
  #csts = 0;
  #aqa = 0;
  readonly #asq = new Uint32Array(2);
  readonly #acq = new Uint32Array(2);

  // What dies with a reset.
  features: Features;
  asyncEvents = this.#newAsyncEvents();
  #adminQueue: AdminQueue | undefined;
  /** Delete I/O SQ commands that wait for the serving side: queue id → command id. */
  readonly #deletions = new Map<number, number>();
  /** A reset waits for the serving side to acknowledge the new epoch. */
  #resetting = false;
  /** The guest has set CC.EN again before the reset was over. */
  #enableWhenReset = false;
  #shutdownRequested = 0;
  /** The Format NVM command that waits for the serving side; one that a reset has taken away is not answered. */
  #formatCid: number | undefined;

  constructor(options: ControllerOptions) {
    this.memory = options.memory;
    this.identity = options.identity;
    this.namespaces = options.namespaces;
    this.shadowDoorbells = options.shadowDoorbells;
    this.#shared = options.shared;
    this.#host = options.host;
    this.#commands = adminCommands(options);
    this.#memoryWritten = (start, end) => options.host.memoryWritten(start, end);
    this.#transfer = new HostTransfer(options.memory, this.#memoryWritten);
    this.trace = options.shared.vcpuTrace;
    this.#interrupts = new Interrupts(options.host, options.shared.counters, this.trace);
    this.#shadows = new ShadowDoorbells(options.memory, options.shared, {
      msixEnabled: () => options.host.msixEnabled(),
      notifyServer: () => options.host.notifyServer(),
      badTail: qid => this.#badDoorbell(qid, AsyncEvent.invalidDoorbellValue),
    });
    this.msixVectors = options.msixVectors;
    this.features = this.#newFeatures();
    this.#madeAt = options.host.now();
    this.featuresChanged();
  }

  // --- Registers (section 3.1)

  /** A 32-bit read at a byte offset of BAR0. */
  readRegister(offset: number): number {
    addCounter(this.#shared.counters, Counter.mmioExits);
    switch (offset) {
      case Register.CAP:
        return CAP_LOW | 0;
      case Register.CAP + 4:
        return CAP_HIGH;
      case Register.VS:
        return VERSION;
      case Register.INTMS:
      case Register.INTMC:
        return this.#interrupts.mask;
      case Register.CC:
        return this.#cc;
      case Register.CSTS:
        this.#takeAcknowledgements();
        return this.#csts;
      case Register.AQA:
        return this.#aqa;
      case Register.ASQ:
        return this.#asq[0] | 0;
      case Register.ASQ + 4:
        return this.#asq[1] | 0;
      case Register.ACQ:
        return this.#acq[0] | 0;
      case Register.ACQ + 4:
        return this.#acq[1] | 0;
      default:
        // Reserved registers read as zero; so do doorbells.
        return 0;
    }
  }

  /** A 32-bit write at a byte offset of BAR0. */
  writeRegister(offset: number, value: number): void {
    addCounter(this.#shared.counters, Counter.mmioExits);
    if (offset >= Register.DOORBELLS) {
      this.#ringDoorbell(offset - Register.DOORBELLS, value & 0xffff);
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
        this.#configure(value);
        return;
      case Register.AQA:
        this.#aqa = value & 0x0fff0fff;
        return;
      case Register.ASQ:
        this.#asq[0] = value & ~PAGE_MASK;
        return;
      case Register.ASQ + 4:
        this.#asq[1] = value;
        return;
      case Register.ACQ:
        this.#acq[0] = value & ~PAGE_MASK;
        return;
      case Register.ACQ + 4:
        this.#acq[1] = value;
        return;
      default:
        return;
    }
  }

  #configure(value: number): void {
    const wasEnabled = ControllerConfiguration.enable(this.#cc);
    const shutdownBefore = ControllerConfiguration.shutdown(this.#cc);
    this.#cc = value;
    if (ControllerConfiguration.enable(value)) {
      if (!wasEnabled) this.#enable();
    } else if (wasEnabled) {
      this.#startReset();
      return;
    }
    const shutdown = ControllerConfiguration.shutdown(value);
    if (shutdown !== 0 && shutdownBefore === 0) this.#startShutdown();
  }

  /** CC.EN 0 → 1 (section 7.6.1). A configuration that cannot work is a fatal status, which a reset clears. */
  #enable(): void {
    if (this.#resetting) {
      this.#enableWhenReset = true;
      return;
    }
    const cc = this.#cc;
    const sqEntries = (this.#aqa & 0xfff) + 1;
    const cqEntries = ((this.#aqa >>> 16) & 0xfff) + 1;
    const asq = this.#asq[0] + this.#asq[1] * 0x1_0000_0000;
    const acq = this.#acq[0] + this.#acq[1] * 0x1_0000_0000;
    if (
      ControllerConfiguration.memoryPageSize(cc) !== 0 ||
      ControllerConfiguration.commandSet(cc) !== 0 ||
      ControllerConfiguration.arbitration(cc) !== 0 ||
      sqEntries < 2 ||
      cqEntries < 2 ||
      !isRam(this.memory, asq, sqEntries * SQE_BYTES) ||
      !isRam(this.memory, acq, cqEntries * CQE_BYTES)
    ) {
      this.#csts |= ControllerStatus.CFS;
      return;
    }
    this.#adminQueue = new AdminQueue(this.memory, asq, sqEntries, acq, cqEntries, this.trace);
    this.completionQueues.restart(this.#adminQueue.cq);
    this.#csts |= ControllerStatus.RDY;
  }

  /**
   * CC.EN 1 → 0, or the machine's own reset (section 7.3.2). All queues and all Doorbell Buffer Config state die here
   * (museum 3). RDY stays set until the serving side has acknowledged that its DMA is over (rule 4).
   */
  #startReset(): void {
    const shared = this.#shared;
    this.#adminQueue = undefined;
    this.completionQueues.restart(undefined);
    this.#deletions.clear();
    this.#formatCid = undefined;
    this.features = this.#newFeatures();
    this.asyncEvents = this.#newAsyncEvents();
    this.#interrupts.mask = 0;
    this.#enableWhenReset = false;
    this.#resetting = true;
    // RDY stays for now; a shutdown that was notified before is over (section 7.6.2).
    this.#csts &= ~ControllerStatus.SHST_MASK;
    // The epoch first: while shadows were in use the doorbell words are history, and a serving side that saw the
    // shadows switched off, but no reset, would take them for new.
    shared.addControl(Control.EPOCH);
    this.#shadows.disable();
    shared.setControl(Control.HIGHEST_SQ, 0);
    this.featuresChanged();
    this.#host.notifyServer();
    this.#updateInterrupts(false);
  }

  #finishReset(): void {
    this.#resetting = false;
    this.#takeCompletions();
    // A shutdown may have been notified since.
    this.#csts &= ControllerStatus.SHST_MASK;
    if (this.#enableWhenReset) this.#enable();
  }

  #startShutdown(): void {
    this.#csts = (this.#csts & ~ControllerStatus.SHST_MASK) | ControllerStatus.SHST_OCCURRING;
    this.#shutdownRequested = this.#shared.addControl(Control.SHUTDOWN);
    this.#host.notifyServer();
  }

  /** What the serving side has acknowledged since the last look. */
  #takeAcknowledgements(): void {
    const shared = this.#shared;
    if (this.#resetting && shared.getControl(Control.EPOCH_ACK) === shared.getControl(Control.EPOCH)) {
      this.#finishReset();
    }
    if (
      (this.#csts & ControllerStatus.SHST_MASK) === ControllerStatus.SHST_OCCURRING &&
      shared.getControl(Control.SHUTDOWN_ACK) === this.#shutdownRequested
    ) {
      // "Complete" would be a lie when data could not be saved; the host is told, and its driver times out.
      if (shared.getControl(Control.SHUTDOWN_FAILED) !== 0) this.#csts |= ControllerStatus.CFS;
      else this.#csts = (this.#csts & ~ControllerStatus.SHST_MASK) | ControllerStatus.SHST_COMPLETE;
    }
  }

  // --- Doorbells (section 3.1.24, 3.1.25)

  #ringDoorbell(offset: number, value: number): void {
    const index = offset / DOORBELL_STRIDE;
    const qid = index >> 1;
    const isTail = (index & 1) === 0;
    const admin = this.#adminQueue;
    if (!admin || !Number.isInteger(index)) return;
    if (this.trace.isOn) this.trace.record(isTail ? TraceKind.tailRung : TraceKind.headRung, qid, value);
    if (qid === 0) {
      if (isTail ? !admin.ring(value) : !admin.cq.advanceHead(value)) {
        this.#badDoorbell(qid, AsyncEvent.invalidDoorbellValue);
      }
      if (!isTail) this.#updateInterrupts(false);
      return;
    }
    if (isTail) this.#ringTail(qid, value);
    else this.#ringHead(qid, value);
  }

  #ringTail(qid: number, tail: number): void {
    const shared = this.#shared;
    if (!this.submissionQueueExists(qid)) {
      this.#badDoorbell(qid, AsyncEvent.invalidDoorbellRegister);
      return;
    }
    if (tail >= shared.getSq(qid, SqWord.ENTRIES)) {
      this.#badDoorbell(qid, AsyncEvent.invalidDoorbellValue);
      return;
    }
    addCounter(shared.counters, Counter.doorbellsRung);
    shared.setSq(qid, SqWord.RUNG_TAIL, tail);
    shared.setSq(qid, SqWord.TAIL, tail);
    this.#host.notifyServer();
  }

  #ringHead(qid: number, head: number): void {
    const cq = this.completionQueues.get(qid);
    if (!cq) {
      this.#badDoorbell(qid, AsyncEvent.invalidDoorbellRegister);
      return;
    }
    if (!cq.advanceHead(head)) {
      this.#badDoorbell(qid, AsyncEvent.invalidDoorbellValue);
      return;
    }
    if (this.#shadows.enabled) this.#shadows.armHead(cq);
    this.#updateInterrupts(false);
  }

  #badDoorbell(qid: number, event: AsyncEvent): void {
    this.#errorLog.add(qid, 0xffff, Status.invalidField, 0);
    this.asyncEvents.report(event);
  }

  // --- Safe points

  /** Is there anything that safePoint() would do now? For halt polling; cheap. */
  get hasWork(): boolean {
    return this.#shared.completions.length > 0;
  }

  /** Are I/O commands under way? Then a short wait may be worth more than going idle. */
  get ioInFlight(): boolean {
    const shared = this.#shared;
    const highest = shared.control[Control.HIGHEST_SQ];
    for (let qid = 1; qid <= highest; qid++) {
      // A queue that a reset took away may have left commands that will never be posted.
      if (shared.getSq(qid, SqWord.STATE) === SqState.ABSENT) continue;
      if (shared.inFlight(qid) > 0) return true;
      const tail = this.#shadows.enabled ? this.#shadows.tail(qid) : shared.getSq(qid, SqWord.TAIL);
      if (tail !== shared.getSq(qid, SqWord.HEAD)) return true;
    }
    return this.#resetting || this.#deletions.size > 0 || this.#formatCid !== undefined;
  }

  /**
   * The vCPU thread stands between two stretches of guest code: memory may be written and interrupts raised.
   * `idle` says that the guest is about to halt, so that nothing it has written may be left unannounced.
   */
  safePoint(idle: boolean): void {
    const shared = this.#shared;
    // An atomic add is a full fence: what the guest has stored is visible before we look at who sleeps (rule 2, 3).
    shared.addControl(Control.SAFE_POINTS);
    this.#takeAcknowledgements();
    this.#takeCompletions();
    this.#takeDeletions();
    this.#takeFormat();
    this.#runAdminCommands();
    if (this.#shadows.enabled) {
      this.#shadows.readHeads(this.completionQueues.io);
      this.#shadows.sweep(idle);
    }
    // A guest that has nothing to do and waits for nothing gains nothing by a later interrupt.
    this.#updateInterrupts(true, this.#interrupts.coalescing.isOn && idle && !this.ioInFlight);
    if (shared.signals.observed) {
      publishQueues(shared, this.#adminQueue, id => this.completionQueues.get(id));
    }
  }

  /** Moves completions from the ring into the guest's completion queues. */
  #takeCompletions(): void {
    const shared = this.#shared;
    const { completions } = shared;
    if (completions.length === 0) return;
    const epoch = shared.getControl(Control.EPOCH);
    let left = completions.length;
    // Ranges first: those of a completion are published before it.
    shared.dmaRanges.take(this.memory.byteLength, this.#memoryWritten);
    for (; left > 0; left--) {
      const record = completions.peek();
      const words = completions.words;
      if (words[record + CompletionWord.EPOCH] === epoch) {
        const sqid = words[record + CompletionWord.SQID];
        const cidStatus = words[record + CompletionWord.CID_STATUS];
        const status = cidStatus >>> 16;
        const cq = this.completionQueues.get(shared.getSq(sqid, SqWord.CQID));
        if (status !== Status.success) {
          const [low, high] = [
            words[record + CompletionWord.LBA_LOW],
            words[record + CompletionWord.LBA_HIGH],
          ];
          const lba = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
          this.#errorLog.add(
            sqid,
            cidStatus & 0xffff,
            status,
            words[record + CompletionWord.NSID] >>> 0,
            lba,
          );
        }
        if (
          cq?.post(
            sqid,
            words[record + CompletionWord.SQ_HEAD],
            cidStatus & 0xffff,
            status,
            words[record + CompletionWord.RESULT],
          )
        ) {
          this.#posted(sqid);
        }
      }
      completions.release();
    }
  }

  #posted(sqid: number): void {
    if (sqid === 0) return; // only I/O queues are served elsewhere
    this.#shared.setSq(sqid, SqWord.POSTED, (this.#shared.getSq(sqid, SqWord.POSTED) + 1) | 0);
  }

  /** Delete I/O SQ completes when the queue is gone and all its completions are posted. */
  #takeDeletions(): void {
    for (const [qid, cid] of this.#deletions) {
      const shared = this.#shared;
      // Completions may still lie on the ring, or wait for room in their queue.
      if (shared.getSq(qid, SqWord.STATE) !== SqState.ABSENT || shared.inFlight(qid) !== 0) continue;
      this.#deletions.delete(qid);
      const cq = this.completionQueues.get(shared.getSq(qid, SqWord.CQID));
      if (cq) cq.submissionQueues -= 1;
      this.#completeAdmin(cid, Status.success, 0);
    }
  }

  /** Format NVM completes when what it deleted is durably gone. */
  #takeFormat(): void {
    if (this.#formatCid === undefined || this.#formatting) return;
    const status = this.#shared.getControl(Control.FORMAT_STATUS);
    const nsid = this.#shared.getControl(Control.FORMAT_NSID) >>> 0;
    this.#completeAdmin(this.#formatCid, status, 0);
    if (status !== Status.success) this.#errorLog.add(0, this.#formatCid, status, nsid);
    this.#formatCid = undefined;
  }

  #runAdminCommands(): void {
    const admin = this.#adminQueue;
    if (!admin) return;
    for (let command = admin.fetch(this.memory); command; command = admin.fetch(this.memory)) {
      const result = this.#runAdminCommand(command);
      if (result === "pending") continue;
      const status = typeof result === "number" ? result : result.status;
      this.#completeAdmin(command.cid, status, typeof result === "number" ? 0 : result.result);
      if (status !== Status.success) this.#errorLog.add(0, command.cid, status, command.nsid);
    }
  }

  #runAdminCommand(command: AdminCommand) {
    const entry = this.#commands.get(command.opcode);
    if (!entry) return Status.invalidOpcode;
    if (command.fuse !== 0 || command.psdt !== 0) return Status.invalidField;
    return entry.execute(this, command);
  }

  #completeAdmin(cid: number, status: StatusCode, result: number): void {
    addCounter(this.#shared.counters, Counter.adminCommands);
    this.#adminQueue?.complete(cid, status, result);
  }

  #newFeatures(): Features {
    return new Features(Math.max(1, this.msixVectors));
  }

  #newAsyncEvents(): AsyncEvents {
    return new AsyncEvents((cid, result) => this.#completeAdmin(cid, Status.success, result));
  }

  // --- AdminServices

  get ioQueuesExist(): boolean {
    return this.completionQueues.io.length > 0;
  }

  get logSources(): LogSources {
    return {
      counters: this.#shared.counters,
      errorLog: this.#errorLog,
      firmwareRevision: this.identity.firmwareRevision,
      temperatureThreshold: this.features.get(FeatureId.temperatureThreshold) & 0xffff,
      adminEffects: Array.from(this.#commands, ([opcode, { effects }]) => [opcode, effects] as const),
      poweredMs: this.#host.now() - this.#madeAt,
    };
  }

  allocatedBytes(nsid: number): number {
    return this.#shared.getControl(Control.ALLOCATED_KIB + nsid - 1) * 1024;
  }

  sendToHost(command: AdminCommand, data: Uint8Array): StatusCode {
    return this.#transfer.send(command, data);
  }

  submissionQueueExists(qid: number): boolean {
    if (qid < 1 || qid > MAX_IO_QUEUES) return false;
    // A queue is there until its deletion has been answered.
    return this.#shared.getSq(qid, SqWord.STATE) !== SqState.ABSENT || this.#deletions.has(qid);
  }

  startSubmissionQueue(qid: number, base: number, entries: number, cqid: number): void {
    const shared = this.#shared;
    shared.setSq(qid, SqWord.BASE, base);
    shared.setSq(qid, SqWord.ENTRIES, entries);
    shared.setSq(qid, SqWord.CQID, cqid);
    shared.setSq(qid, SqWord.TAIL, 0);
    shared.setSq(qid, SqWord.RUNG_TAIL, 0);
    shared.setSq(qid, SqWord.POSTED, shared.getSq(qid, SqWord.FETCHED));
    shared.setSq(qid, SqWord.STATE, SqState.ACTIVE);
    shared.setControl(Control.HIGHEST_SQ, Math.max(qid, shared.getControl(Control.HIGHEST_SQ)));
    this.#host.notifyServer();
  }

  stopSubmissionQueue(qid: number, cid: number): boolean {
    if (this.#shared.getSq(qid, SqWord.STATE) !== SqState.ACTIVE) return false;
    this.#deletions.set(qid, cid);
    this.#shared.setSq(qid, SqWord.STATE, SqState.DELETING);
    this.#host.notifyServer();
    return true;
  }

  resetShadow(kind: "sq" | "cq", qid: number): void {
    this.#shadows.resetQueue(kind, qid);
  }

  enableShadowDoorbells(shadowPage: number, eventIdxPage: number): StatusCode {
    const status = this.#shadows.enable(shadowPage, eventIdxPage, this.completionQueues.io, qid =>
      this.submissionQueueExists(qid),
    );
    if (status === Status.success) this.#host.notifyServer();
    return status;
  }

  startFormat(nsid: number, cid: number): boolean {
    if (this.#formatting) return false;
    this.#formatCid = cid;
    this.#shared.setControl(Control.FORMAT_NSID, nsid | 0);
    this.#shared.addControl(Control.FORMAT);
    this.#host.notifyServer();
    return true;
  }

  get #formatting(): boolean {
    return this.#shared.getControl(Control.FORMAT) !== this.#shared.getControl(Control.FORMAT_ACK);
  }

  featuresChanged(): void {
    const { features } = this;
    this.#shared.setControl(Control.WRITE_CACHE, features.get(FeatureId.volatileWriteCache));
    const coalescing = features.get(FeatureId.interruptCoalescing);
    this.#interrupts.coalescing.configure(coalescing, features.uncoalescedVectors);
  }

  // --- Interrupts (section 7.5)

  #updateInterrupts(mayRaise: boolean, quiet = false): void {
    this.#postWaiting();
    this.#interrupts.update(this.completionQueues.all, mayRaise, quiet);
  }

  /** Milliseconds until an interrupt that is held back must come: a safe point is wanted by then. */
  get interruptDueInMs(): number {
    return this.#interrupts.dueInMs;
  }

  #postWaiting(): void {
    for (const cq of this.completionQueues.all) {
      if (cq.waiting > 0) cq.postWaiting(sqid => this.#posted(sqid));
    }
  }

  // --- The machine's own reset

  /** Power cycle or hard reset of the machine: as CC.EN 1 → 0, and the registers are back at their initial values. */
  reset(): void {
    this.#startReset();
    this.#cc = 0;
    this.#csts = 0;
    this.#aqa = 0;
    this.#asq.fill(0);
    this.#acq.fill(0);
  }
}
