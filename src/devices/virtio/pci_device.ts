import { addCounter, Counter } from "../../trace/counters.ts";
import type { GuestMemory } from "../guest_memory.ts";
import { DeviceQueue } from "./device_queue.ts";
import {
  checkVirtioState,
  VIRTIO_STATE_VERSION,
  type VirtioState,
  VirtioStateError,
} from "./device_state.ts";
import { type DeviceType, deviceType } from "./device_type.ts";
import type { VirtioDiskInfo } from "./disk_info.ts";
import { guestView } from "./guest_view.ts";
import { CompletionWord, Control, MAX_QUEUES, QueueWord, type VirtioSharedState } from "./shared_state.ts";
import { ScsiConfig } from "./spec/scsi.ts";
import { DEFAULT_QUEUE_SIZE, MAX_QUEUE_SIZE } from "./spec/split_queue.ts";
import {
  CommonCfg,
  DeviceStatus,
  Isr,
  NO_VECTOR,
  NOTIFY_OFF_MULTIPLIER,
  pciCapabilities,
  RingFeature,
  VERSION_1_HIGH,
  Window,
} from "./spec/transport.ts";

/** What the device needs of the machine that it is plugged into. All calls are made in the vCPU thread. */
export interface VirtioHost {
  /** There is something for the serving side: a kick, a reset. Also from a register write. */
  notifyServer(): void;
  /** Sends the MSI-X message of a vector. Only from safePoint(). */
  raiseVector(vector: number): void;
  /** Drives the interrupt pin. `true` only comes from safePoint(), `false` also from a register read or write. */
  setInterruptPin(level: boolean): void;
  /** Has the driver switched MSI-X on? Then the pin is not used. */
  msixEnabled(): boolean;
  /** The range [start, end) of guest memory was written by DMA: forget code compiled from it. */
  memoryWritten(start: number, end: number): void;
}

export interface VirtioPciDeviceOptions {
  readonly memory: GuestMemory;
  readonly shared: VirtioSharedState;
  readonly host: VirtioHost;
  readonly info: VirtioDiskInfo;
  /** Offer VIRTIO_F_EVENT_IDX, without which each new buffer is a kick? */
  readonly eventIdx: boolean;
  /** MSI-X vectors that the PCI function has, at most 32; 0 if it has none. */
  readonly msixVectors?: number;
  /** Largest size of a virtqueue: a power of two from 4 on. */
  readonly queueSize?: number;
  readonly requestQueues?: number;
}

const PCI_VENDOR = 0x1af4;

/**
 * A virtio device as the vCPU thread sees it: the registers of the PCI transport (virtio 1.1, section 4.1.4), status
 * and reset, the used rings and interrupts. Buffers are served elsewhere (VirtioServer); the two meet only in
 * VirtioSharedState.
 *
 * Register accesses come in the middle of compiled guest code, so they only note what is to be done; safePoint() does
 * it (rule 5 of the design).
 */
export class VirtioPciDevice {
  readonly #shared: VirtioSharedState;
  readonly #host: VirtioHost;
  readonly #type: DeviceType;
  readonly #memory: GuestMemory;
  readonly #queues: readonly DeviceQueue[];
  readonly #offered: readonly [number, number];
  readonly #vectors: number;
  readonly #memoryWritten: (start: number, end: number) => void;

  // Registers. All but the status are back at these values after a reset.
  #status = 0;
  #featureSelect = 0;
  #driverFeatureSelect = 0;
  readonly #driverFeatures = new Uint32Array(2);
  #configVector: number = NO_VECTOR;
  #queueSelect = 0;
  #isr = 0;
  #configuration: DataView;

  /** A reset waits for the serving side to acknowledge the new epoch; and what was written to the status meanwhile. */
  #resetting = false;
  #statusWhenReset = 0;
  #configChanged = false;
  #pin = false;

  constructor(options: VirtioPciDeviceOptions) {
    const { queueSize = DEFAULT_QUEUE_SIZE, requestQueues = 1, msixVectors = 0 } = options;
    if (queueSize < 4 || queueSize > MAX_QUEUE_SIZE || (queueSize & (queueSize - 1)) !== 0) {
      throw new RangeError(`queue size ${queueSize} is no power of two from 4 to ${MAX_QUEUE_SIZE}`);
    }
    this.#type = deviceType(options.info, queueSize, requestQueues);
    if (this.#type.queues > MAX_QUEUES) throw new RangeError(`${requestQueues} request queues are too many`);
    this.#shared = options.shared;
    this.#host = options.host;
    this.#memory = options.memory;
    this.#memoryWritten = (start, end) => options.host.memoryWritten(start, end);
    this.#vectors = Math.min(msixVectors, 32);
    const view = guestView(options.memory);
    this.#queues = Array.from({ length: this.#type.queues }, () => new DeviceQueue(view, queueSize));
    this.#offered = [
      this.#type.features | RingFeature.INDIRECT_DESC | (options.eventIdx ? RingFeature.EVENT_IDX : 0),
      VERSION_1_HIGH,
    ];
    this.#configuration = this.#newConfiguration();
  }

  // --- What the PCI function says

  /** Vendor, device, subsystem vendor and subsystem id, revision (section 4.1.2). */
  get pciIds() {
    return {
      vendorId: PCI_VENDOR,
      deviceId: this.#type.pciDeviceId,
      subsystemVendorId: PCI_VENDOR,
      // Anything from 40h on says that this is no transitional device.
      subsystemId: 0x1100,
      revisionId: 1,
    };
  }

  get classCode(): readonly [number, number, number] {
    return this.#type.classCode;
  }

  /** Virtqueues of the device: with one MSI-X vector more than this, each has its own. */
  get queueCount(): number {
    return this.#queues.length;
  }

  /**
   * The vendor-specific PCI capabilities (section 4.1.4) for a device whose registers lie in BAR `bar`. The byte that
   * points to the next capability is left 0: the PCI function chains them.
   */
  pciCapabilities(bar = 0): Uint8Array[] {
    return pciCapabilities(bar, this.#configuration.byteLength, this.#queues.length);
  }

  // --- Registers, by width. 16-bit accesses come as two bytes.

  readByte(offset: number): number {
    if (!isUpperHalf(offset)) addCounter(this.#shared.counters, Counter.mmioExits);
    return this.#readByte(offset);
  }

  writeByte(offset: number, value: number): void {
    const upper = isUpperHalf(offset);
    if (!upper) addCounter(this.#shared.counters, Counter.mmioExits);
    if (offset < Window.NOTIFY) this.#write(offset, value & 0xff, 1);
    // A 16-bit write rings once, with its lower half.
    else if (!upper) this.#notify(offset - Window.NOTIFY);
  }

  readRegister(offset: number): number {
    addCounter(this.#shared.counters, Counter.mmioExits);
    let value = 0;
    for (let byte = 0; byte < 4; byte++) value |= this.#readByte(offset + byte) << (8 * byte);
    return value;
  }

  writeRegister(offset: number, value: number): void {
    addCounter(this.#shared.counters, Counter.mmioExits);
    if (offset >= Window.NOTIFY) this.#notify(offset - Window.NOTIFY);
    else this.#write(offset, value, 4);
  }

  #readByte(offset: number): number {
    if (offset < Window.ISR) {
      const field = offset & ~3;
      return (this.#readCommon(field) >>> (8 * (offset & 3))) & 0xff;
    }
    if (offset === Window.ISR) return this.#takeIsr();
    const at = offset - Window.DEVICE;
    return at >= 0 && at < this.#configuration.byteLength ? this.#configuration.getUint8(at) : 0;
  }

  /** The aligned 32-bit word at an offset of the common configuration. */
  #readCommon(offset: number): number {
    const queue = this.#queues[this.#queueSelect];
    switch (offset) {
      case CommonCfg.device_feature_select:
        return this.#featureSelect;
      case CommonCfg.device_feature:
        return this.#offered[this.#featureSelect] ?? 0;
      case CommonCfg.driver_feature_select:
        return this.#driverFeatureSelect;
      case CommonCfg.driver_feature:
        return this.#driverFeatures[this.#driverFeatureSelect] ?? 0;
      case CommonCfg.config_msix_vector:
        return this.#usableVector(this.#configVector) | (this.#queues.length << 16);
      case CommonCfg.device_status:
        this.#takeAcknowledgement();
        // config_generation stays 0: the configuration only changes by the driver's own writes.
        return this.#status | (this.#queueSelect << 16);
      case CommonCfg.queue_size:
        // Section 4.1.4.3.1: a queue that does not exist has size 0.
        return queue ? queue.size | (this.#usableVector(queue.vector) << 16) : NO_VECTOR << 16;
      case CommonCfg.queue_enable:
        return queue ? (queue.enabled ? 1 : 0) | (this.#queueSelect << 16) : 0;
      default:
        return offset >= CommonCfg.queue_desc && offset < CommonCfg.byteLength
          ? (queue?.addresses[(offset - CommonCfg.queue_desc) >>> 2] ?? 0)
          : 0;
    }
  }

  /** Section 4.1.5.1.2: a vector that cannot be used reads as NO_VECTOR. */
  #usableVector(vector: number): number {
    return vector < this.#vectors ? vector : NO_VECTOR;
  }

  /** Writes that are wider than a field, or lie across fields, go byte by byte. */
  #write(offset: number, value: number, bytes: 1 | 4): void {
    const isField = offset < Window.ISR && (offset & 3) === 0 && isWholeWord(offset);
    if (bytes === 4 && !isField) {
      if (offset >= Window.DEVICE) this.#writeConfiguration(offset - Window.DEVICE, value, 4);
      else for (let byte = 0; byte < 4; byte++) this.#write(offset + byte, (value >>> (8 * byte)) & 0xff, 1);
      return;
    }
    if (offset >= Window.DEVICE) {
      this.#writeConfiguration(offset - Window.DEVICE, value, 1);
      return;
    }
    if (offset >= Window.ISR) return;
    // All that a byte leaves alone keeps its value.
    const field = offset & ~3;
    const shift = 8 * (offset & 3);
    const whole = bytes === 4 ? value : (this.#latched(field) & ~(0xff << shift)) | ((value & 0xff) << shift);
    this.#writeCommon(field, whole, offset, bytes);
  }

  /** The word as it was written, before #usableVector() has its say. */
  #latched(field: number): number {
    if (field === CommonCfg.config_msix_vector) return this.#configVector;
    const queue = this.#queues[this.#queueSelect];
    if (field === CommonCfg.queue_size && queue) return queue.size | (queue.vector << 16);
    if (field === CommonCfg.device_status) return this.#queueSelect << 16;
    return this.#readCommon(field);
  }

  #writeCommon(field: number, value: number, offset: number, bytes: 1 | 4): void {
    switch (field) {
      case CommonCfg.device_feature_select:
        this.#featureSelect = value >>> 0;
        return;
      case CommonCfg.driver_feature_select:
        this.#driverFeatureSelect = value >>> 0;
        return;
      case CommonCfg.driver_feature:
        // Section 3.1.1: negotiation ends with FEATURES_OK.
        if ((this.#status & DeviceStatus.FEATURES_OK) === 0 && this.#driverFeatureSelect < 2) {
          this.#driverFeatures[this.#driverFeatureSelect] = value;
        }
        return;
      case CommonCfg.config_msix_vector:
        this.#configVector = value & 0xffff;
        return;
      case CommonCfg.device_status:
        if (bytes === 1 && offset === CommonCfg.device_status) this.#setStatus(value & 0xff);
        else if (offset >= CommonCfg.queue_select) this.#queueSelect = value >>> 16;
        return;
      default:
        this.#writeQueue(field, value, offset);
    }
  }

  /** Section 4.1.4.3.2: a queue's fields are set before it is enabled, and then left alone until the reset. */
  #writeQueue(field: number, value: number, offset: number): void {
    const queue = this.#queues[this.#queueSelect];
    if (!queue || this.#resetting) return;
    if (field === CommonCfg.queue_size) {
      if (offset >= CommonCfg.queue_msix_vector) queue.vector = value >>> 16;
      else if (!queue.enabled) queue.size = value & 0xffff;
      return;
    }
    if (queue.enabled) return;
    if (field === CommonCfg.queue_enable) {
      if (offset === CommonCfg.queue_enable && (value & 0xffff) === 1)
        this.#enableQueue(this.#queueSelect, queue);
    } else if (field >= CommonCfg.queue_desc && field < CommonCfg.byteLength) {
      queue.addresses[(field - CommonCfg.queue_desc) >>> 2] = value;
    }
  }

  #writeConfiguration(at: number, value: number, bytes: 1 | 4): void {
    const field = at & ~3;
    if (field + 4 > this.#configuration.byteLength || (bytes === 4 && at !== field)) return;
    let whole = value;
    if (bytes === 1) {
      const shift = 8 * (at & 3);
      whole = (this.#configuration.getUint32(field, true) & ~(0xff << shift)) | (value << shift);
    }
    whole >>>= 0;
    if (!this.#type.isWritable(field, whole)) return;
    this.#configuration.setUint32(field, whole, true);
    this.#publishConfiguration();
  }

  #newConfiguration(): DataView {
    return new DataView(this.#type.configuration().buffer);
  }

  #publishConfiguration(): void {
    if (this.#configuration.byteLength !== ScsiConfig.byteLength) return;
    this.#shared.setControl(Control.SENSE_SIZE, this.#configuration.getUint32(ScsiConfig.sense_size, true));
    this.#shared.setControl(Control.CDB_SIZE, this.#configuration.getUint32(ScsiConfig.cdb_size, true));
  }

  // --- Status and reset (sections 2.1, 3.1.1, 4.1.4.3.1)

  #setStatus(value: number): void {
    if (value === 0) {
      this.#startReset();
      return;
    }
    if (this.#resetting) {
      this.#statusWhenReset |= value;
      return;
    }
    // Section 2.1.1: the driver sets bits, and only a reset clears them.
    const set = value & ~this.#status & ~DeviceStatus.DEVICE_NEEDS_RESET;
    if ((set & DeviceStatus.FEATURES_OK) !== 0 && !this.#featuresAreAcceptable) {
      this.#status |= set & ~(DeviceStatus.FEATURES_OK | DeviceStatus.DRIVER_OK);
      return;
    }
    this.#status |= set;
    if ((set & DeviceStatus.DRIVER_OK) !== 0) this.#start();
  }

  /** Section 2.2.2: nothing that was not offered; and this device has no legacy interface to fall back to. */
  get #featuresAreAcceptable(): boolean {
    const [low, high] = this.#driverFeatures;
    return (low & ~this.#offered[0]) === 0 && high === VERSION_1_HIGH;
  }

  get #eventIdx(): boolean {
    return (this.#driverFeatures[0] & RingFeature.EVENT_IDX) !== 0;
  }

  get #isLive(): boolean {
    return (this.#status & DeviceStatus.DRIVER_OK) !== 0 && !this.#resetting;
  }

  /** DRIVER_OK. Without FEATURES_OK nothing was agreed on, and nothing is served. */
  #start(): void {
    const shared = this.#shared;
    if ((this.#status & DeviceStatus.FEATURES_OK) === 0) {
      this.#needReset();
      return;
    }
    this.#goLive();
    for (const [index, queue] of this.#queues.entries()) {
      if (queue.enabled && this.#type.isServed(index)) {
        shared.setQueue(index, QueueWord.ANNOUNCED, queue.availIdx);
      }
    }
    this.#host.notifyServer();
  }

  #goLive(): void {
    this.#publishConfiguration();
    this.#shared.setControl(Control.FEATURES, this.#driverFeatures[0] | 0);
    this.#shared.setControl(Control.LIVE, 1);
  }

  #enableQueue(index: number, queue: DeviceQueue): void {
    if (!queue.isUsable) {
      this.#needReset();
      return;
    }
    queue.enabled = true;
    this.#publishQueue(index, queue, 0);
    this.#host.notifyServer();
  }

  /** Nothing behind `announced`, an index of the available ring, is to be taken yet. */
  #publishQueue(index: number, queue: DeviceQueue, announced: number): void {
    if (!this.#type.isServed(index)) return;
    const shared = this.#shared;
    shared.setQueue(index, QueueWord.SIZE, queue.size);
    shared.setQueue(index, QueueWord.DESC, queue.desc);
    shared.setQueue(index, QueueWord.AVAIL, queue.avail);
    shared.setQueue(index, QueueWord.USED, queue.used);
    shared.setQueue(index, QueueWord.ANNOUNCED, announced);
    shared.setQueue(index, QueueWord.KICKED, announced);
    shared.setQueue(index, QueueWord.POSTED, shared.getQueue(index, QueueWord.FETCHED));
    shared.setQueue(index, QueueWord.ENABLED, 1);
  }

  /** Section 2.1.2: says so in the status, and by an interrupt once the driver is there to take it. */
  #needReset(): void {
    if ((this.#status & DeviceStatus.DEVICE_NEEDS_RESET) !== 0) return;
    this.#status |= DeviceStatus.DEVICE_NEEDS_RESET;
    if ((this.#status & DeviceStatus.DRIVER_OK) !== 0) this.#configChanged = true;
  }

  /** The status reads as 0 only when the serving side has acknowledged that its DMA is over (rule 4). */
  #startReset(): void {
    const shared = this.#shared;
    this.#statusWhenReset = 0;
    const wasIdle = this.#status === 0 && !this.#queues.some(queue => queue.enabled);
    this.#clearRegisters();
    if (wasIdle || this.#resetting) return;
    this.#resetting = true;
    shared.addControl(Control.EPOCH);
    shared.setControl(Control.LIVE, 0);
    for (let queue = 0; queue < MAX_QUEUES; queue++) shared.setQueue(queue, QueueWord.ENABLED, 0);
    this.#host.notifyServer();
    // While it is not over the status must not read as 0.
    this.#status |= DeviceStatus.ACKNOWLEDGE;
  }

  #clearRegisters(): void {
    for (const queue of this.#queues) queue.reset();
    this.#featureSelect = 0;
    this.#driverFeatureSelect = 0;
    this.#driverFeatures.fill(0);
    this.#configVector = NO_VECTOR;
    this.#queueSelect = 0;
    this.#isr = 0;
    this.#configChanged = false;
    this.#configuration = this.#newConfiguration();
    this.#updatePin(false);
  }

  #takeAcknowledgement(): void {
    const shared = this.#shared;
    if (!this.#resetting || shared.getControl(Control.EPOCH_ACK) !== shared.getControl(Control.EPOCH)) return;
    this.#resetting = false;
    this.#takeCompletions();
    this.#status = 0;
    if (this.#statusWhenReset !== 0) this.#setStatus(this.#statusWhenReset);
  }

  /** The machine's own reset. */
  reset(): void {
    this.#startReset();
  }

  // --- Kicks (sections 2.6.10, 4.1.4.4)

  #notify(at: number): void {
    const index = at / NOTIFY_OFF_MULTIPLIER;
    const queue = this.#queues[index];
    if (!queue?.enabled || !this.#isLive || !this.#type.isServed(index)) return;
    const shared = this.#shared;
    addCounter(shared.counters, Counter.doorbellsRung);
    // This thread sees the guest's stores in order: what avail.idx covers is there.
    const idx = queue.availIdx;
    shared.setQueue(index, QueueWord.KICKED, idx);
    shared.setQueue(index, QueueWord.ANNOUNCED, idx);
    this.#host.notifyServer();
  }

  // --- Safe points

  /** Is there anything that safePoint() would do now? For halt polling; cheap. */
  get hasWork(): boolean {
    return this.#shared.completions.length > 0 || this.#configChanged;
  }

  /** Are requests under way? Then a short wait may be worth more than going idle. */
  get ioInFlight(): boolean {
    if (this.#resetting) return true;
    if (!this.#isServing) return false;
    const shared = this.#shared;
    for (let index = 0; index < this.#queues.length; index++) {
      if (shared.getQueue(index, QueueWord.ENABLED) === 0) continue;
      if (shared.inFlight(index) > 0) return true;
      const idx = this.#eventIdx ? this.#queues[index].availIdx : shared.getQueue(index, QueueWord.ANNOUNCED);
      if (idx !== shared.getQueue(index, QueueWord.LAST_AVAIL)) return true;
    }
    return false;
  }

  get #isServing(): boolean {
    return this.#isLive && (this.#status & DeviceStatus.DEVICE_NEEDS_RESET) === 0;
  }

  /**
   * The vCPU thread stands between two stretches of guest code: memory may be written and interrupts raised.
   * `idle` says that the guest is about to halt, so that nothing it has made available may be left unannounced.
   */
  safePoint(idle: boolean): void {
    const shared = this.#shared;
    // An atomic add is a full fence: what the guest has stored is visible before we look at who sleeps (rule 2, 3).
    shared.addControl(Control.SAFE_POINTS);
    this.#takeAcknowledgement();
    if (shared.getControl(Control.BROKEN) === shared.getControl(Control.EPOCH) + 1 && this.#isLive) {
      this.#needReset();
    }
    this.#takeCompletions();
    if (this.#eventIdx && this.#isServing) this.#sweep(idle);
    this.#interrupt();
  }

  /** Moves completions from the ring into the used rings. */
  #takeCompletions(): void {
    const { completions, dmaRanges } = this.#shared;
    if (completions.length === 0) return;
    const epoch = this.#shared.getControl(Control.EPOCH);
    let left = completions.length;
    // Ranges first: those of a completion are published before it.
    dmaRanges.take(this.#memory.byteLength, this.#memoryWritten);
    for (; left > 0; left--) {
      const record = completions.peek();
      const { words } = completions;
      if (words[record + CompletionWord.EPOCH] === epoch && !this.#resetting) {
        this.#post(
          words[record + CompletionWord.QUEUE],
          words[record + CompletionWord.HEAD],
          words[record + CompletionWord.WRITTEN],
        );
      }
      completions.release();
    }
  }

  #post(index: number, head: number, written: number): void {
    const shared = this.#shared;
    this.#queues[index].post(head, written);
    shared.setQueue(index, QueueWord.POSTED, (shared.getQueue(index, QueueWord.POSTED) + 1) | 0);
  }

  /**
   * Hands over buffers that the serving side has not fetched (rule 2 of the design). A driver's mb() is no fence for
   * the other thread, so "write avail.idx, read avail_event" may miss a serving side that is just falling asleep. Only
   * this thread sees the guest's stores in order.
   *
   * An index is handed over when it is still unfetched at a second safe point, because at the first one the guest may
   * be about to kick by itself; or at once, when the guest goes idle.
   */
  #sweep(idle: boolean): void {
    const shared = this.#shared;
    for (let index = 0; index < this.#queues.length; index++) {
      if (shared.getQueue(index, QueueWord.ENABLED) === 0) continue;
      const queue = this.#queues[index];
      const idx = queue.availIdx;
      if (idx === shared.getQueue(index, QueueWord.LAST_AVAIL)) {
        queue.unfetched = -1;
        continue;
      }
      // Kicked and not yet looked at.
      if (shared.serverNotifier.isSet) continue;
      if (!idle && queue.unfetched !== idx) {
        queue.unfetched = idx;
        continue;
      }
      queue.unfetched = -1;
      shared.setQueue(index, QueueWord.ANNOUNCED, idx);
      // An awake server finds it by itself; one that sleeps has missed it.
      if (shared.serverNotifier.ownerIsAsleep) addCounter(shared.counters, Counter.doorbellsSwept);
      this.#host.notifyServer();
    }
  }

  // --- Snapshots

  /** What is under way that cannot be saved, as the end of "it is busy with …". */
  get busyWith(): string | undefined {
    if (this.#resetting) return "a reset of the virtio device";
    if ((this.#status & DeviceStatus.DEVICE_NEEDS_RESET) !== 0) return "a virtqueue that is broken";
    return this.hasWork || this.ioInFlight ? "I/O requests" : undefined;
  }

  /** The device as plain data, while it is busy with nothing. */
  save(): VirtioState {
    return {
      version: VIRTIO_STATE_VERSION,
      pciDeviceId: this.#type.pciDeviceId,
      status: this.#status,
      featureSelect: this.#featureSelect,
      driverFeatureSelect: this.#driverFeatureSelect,
      driverFeatures: [...this.#driverFeatures],
      configVector: this.#configVector,
      queueSelect: this.#queueSelect,
      isr: this.#isr,
      pin: this.#pin,
      configuration: [...new Uint8Array(this.#configuration.buffer)],
      queues: this.#queues.map((queue, index) =>
        queue.save(this.#shared.getQueue(index, QueueWord.LAST_AVAIL)),
      ),
    };
  }

  /**
   * Puts a state into a device that is as new, before its serving side has looked for work: until then this thread may write its
   * words too. The guest's memory must be as it was. Throws VirtioStateError, and then the device is as new.
   */
  restore(state: VirtioState): void {
    checkVirtioState(state, this.#type, this.#offered);
    if (!this.#queues.every((queue, index) => queue.restore(state.queues[index]))) {
      for (const queue of this.#queues) queue.reset();
      throw new VirtioStateError(
        "The saved state of the virtio device is damaged: a queue does not lie in memory.",
      );
    }
    this.#status = state.status;
    this.#featureSelect = state.featureSelect;
    this.#driverFeatureSelect = state.driverFeatureSelect;
    this.#driverFeatures.set(state.driverFeatures);
    this.#configVector = state.configVector;
    this.#queueSelect = state.queueSelect;
    this.#isr = state.isr;
    this.#pin = state.pin === true;
    this.#configuration = new DataView(Uint8Array.from(state.configuration).buffer);
    for (const [index, queue] of this.#queues.entries()) {
      if (!queue.enabled) continue;
      const { lastAvail } = state.queues[index];
      this.#shared.setQueue(index, QueueWord.LAST_AVAIL, lastAvail);
      this.#publishQueue(index, queue, lastAvail);
    }
    if ((this.#status & DeviceStatus.DRIVER_OK) !== 0) this.#goLive();
    this.#host.notifyServer();
  }

  // --- Interrupts (sections 2.3, 4.1.5.3, 4.1.5.4)

  #interrupt(): void {
    const msix = this.#host.msixEnabled();
    // Queues may share a vector: each is raised once.
    let vectors = 0;
    for (let index = 0; index < this.#queues.length; index++) {
      const queue = this.#queues[index];
      if (!queue.enabled || !this.#type.isServed(index) || !queue.takeInterrupt(this.#eventIdx)) continue;
      if (!msix) this.#isr |= Isr.QUEUE;
      else if (queue.vector < this.#vectors) vectors |= 1 << queue.vector;
    }
    if (this.#configChanged) {
      this.#configChanged = false;
      if (!msix) this.#isr |= Isr.CONFIG;
      else if (this.#configVector < this.#vectors) vectors |= 1 << this.#configVector;
    }
    for (let vector = 0; vectors !== 0; vector++, vectors >>>= 1) {
      if ((vectors & 1) === 0) continue;
      addCounter(this.#shared.counters, Counter.interrupts);
      this.#host.raiseVector(vector);
    }
    this.#updatePin(true);
  }

  /** Section 4.1.4.5: reading clears it, and lowers the pin. */
  #takeIsr(): number {
    const isr = this.#isr;
    this.#isr = 0;
    this.#updatePin(false);
    return isr;
  }

  #updatePin(mayRaise: boolean): void {
    const level = this.#isr !== 0 && !this.#host.msixEnabled();
    if (level === this.#pin || (level && !mayRaise)) return;
    this.#pin = level;
    if (level) addCounter(this.#shared.counters, Counter.interrupts);
    this.#host.setInterruptPin(level);
  }
}

/** 32-bit fields of the common configuration: a 32-bit write is one write. */
function isWholeWord(offset: number): boolean {
  return (
    offset <= CommonCfg.driver_feature || (offset >= CommonCfg.queue_desc && offset < CommonCfg.byteLength)
  );
}

/** The second byte of a 16-bit access: the access itself counts, and rings, once. */
function isUpperHalf(offset: number): boolean {
  return (offset & 1) === 1 && offset !== CommonCfg.config_generation;
}
