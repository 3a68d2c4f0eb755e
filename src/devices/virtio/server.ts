import type { AioHandler } from "../../eventloop/aio_context.ts";
import type { BlockDevice } from "../../storage/block_device.ts";
import type { IoVector } from "../../storage/io_vector.ts";
import { addCounter, Counter } from "../../trace/counters.ts";
import type { GuestMemory } from "../guest_memory.ts";
import { MAX_IN_FLIGHT } from "../shared_device_state.ts";
import { TailWatch } from "../tail_watch.ts";
import { BlockHandler } from "./block/block_handler.ts";
import { DescriptorChain } from "./descriptor_chain.ts";
import type { VirtioDiskInfo } from "./disk_info.ts";
import { type GuestView, guestView, load16, store16 } from "./guest_view.ts";
import { VirtioRequest } from "./request.ts";
import { ScsiHandler } from "./scsi/scsi_handler.ts";
import { BROKEN, type RequestHandler, type VirtioServices, type Written } from "./services.ts";
import { CompletionWord, Control, MAX_QUEUES, QueueWord, type VirtioSharedState } from "./shared_state.ts";
import { Avail, Used } from "./spec/split_queue.ts";
import { RingFeature } from "./spec/transport.ts";

/** Chains taken from one queue before the next one has its turn. As the NVMe controller's. */
const ARBITRATION_BURST = 32;

export interface VirtioServerOptions {
  readonly memory: GuestMemory;
  readonly shared: VirtioSharedState;
  readonly info: VirtioDiskInfo;
  readonly disk: BlockDevice;
  /** See TailWatch. */
  readonly stronglyOrderedHost: boolean;
  /** Told of exceptions that no request should throw; the request then ends with an error. */
  readonly reportBug: (error: unknown) => void;
}

/**
 * The serving side of the virtqueues: takes available buffers, moves data, puts completions on the ring. Runs in the
 * iothread. It never writes the used ring, save for avail_event, and never raises interrupts: the vCPU thread does.
 */
export class VirtioServer implements AioHandler, VirtioServices {
  readonly info: VirtioDiskInfo;
  readonly disk: BlockDevice;
  readonly waiting = new Set<VirtioRequest>();
  readonly #memory: GuestView;
  readonly #shared: VirtioSharedState;
  readonly #reportBug: (error: unknown) => void;
  readonly #chain: DescriptorChain;
  readonly #handler: RequestHandler;
  readonly #freeRequests: VirtioRequest[] = [];
  readonly #tails: TailWatch;
  #epoch = 0;
  /** A virtqueue is broken: nothing is fetched until the reset. */
  #broken = false;
  /** A queue was at its limit at the last look: look again before long. */
  #stalled = false;

  constructor(options: VirtioServerOptions) {
    this.info = options.info;
    this.disk = options.disk;
    this.#memory = guestView(options.memory);
    this.#shared = options.shared;
    this.#tails = new TailWatch(options.shared, MAX_QUEUES, options.stronglyOrderedHost);
    this.#reportBug = options.reportBug;
    this.#chain = new DescriptorChain(this.#memory);
    this.#handler = options.info.type === "block" ? new BlockHandler(this) : new ScsiHandler(this);
    this.#epoch = this.#shared.getControl(Control.EPOCH);
    this.#shared.setControl(Control.EPOCH_ACK, this.#epoch);
    this.resume();
  }

  /** Takes up queues that are there before this server has looked at any: those of a machine that goes on (a snapshot). */
  resume(): void {
    const shared = this.#shared;
    for (let queue = 0; queue < MAX_QUEUES; queue++) {
      if (shared.getQueue(queue, QueueWord.ENABLED) !== 0)
        this.#tails.forget(queue, shared.getQueue(queue, QueueWord.LAST_AVAIL));
    }
  }

  // --- AioHandler

  get pending(): boolean {
    return this.waiting.size > 0 || this.#stalled;
  }

  poll(): boolean {
    // Kicks and control changes set the notifier, which the event loop looks at itself: only avail.idx is left.
    const shared = this.#shared;
    if (!this.#polls || this.#broken) return false;
    for (let queue = 0; queue < MAX_QUEUES; queue++) {
      if (shared.getQueue(queue, QueueWord.ENABLED) === 0) continue;
      const idx = this.#availIdx(queue);
      if (idx === shared.getQueue(queue, QueueWord.LAST_AVAIL)) continue;
      // What ready() would not take up is no work: an index that waits for a safe point.
      if (!this.#tails.isHeld(queue, idx)) return true;
    }
    return false;
  }

  pollBegin(): void {
    // Nothing to switch off: avail_event of the last sleep lies behind, so the driver kicks no more.
  }

  pollEnd(): void {
    const shared = this.#shared;
    if (!this.#polls || this.#broken || this.#resetRequested) return;
    for (let queue = 0; queue < MAX_QUEUES; queue++) {
      if (shared.getQueue(queue, QueueWord.ENABLED) === 0) continue;
      const at =
        (shared.getQueue(queue, QueueWord.USED) >>> 0) +
        Used.availEvent(shared.getQueue(queue, QueueWord.SIZE));
      // "Kick me when avail.idx moves on from here" (2.6.7.2). A sequentially consistent store, because ready() reads
      // avail.idx right after.
      store16(this.#memory, at, shared.getQueue(queue, QueueWord.LAST_AVAIL));
    }
  }

  ready(): boolean {
    let progress = this.#adoptReset();
    this.#stalled = false;
    if (this.#shared.getControl(Control.LIVE) === 0) return progress;
    const ringBefore = this.#shared.completions.words[0];
    for (let queue = 0; queue < MAX_QUEUES && !this.#broken; queue++) {
      progress = this.#serveQueue(queue) || progress;
    }
    if (this.#shared.completions.words[0] !== ringBefore) this.#shared.vcpuNotifier.set();
    return progress;
  }

  // --- VirtioServices

  get readable(): IoVector {
    return this.#chain.readable;
  }

  get writable(): IoVector {
    return this.#chain.writable;
  }

  get features(): number {
    return this.#shared.control[Control.FEATURES];
  }

  get senseSize(): number {
    return this.#shared.control[Control.SENSE_SIZE];
  }

  get cdbSize(): number {
    return this.#shared.control[Control.CDB_SIZE];
  }

  remap(request: VirtioRequest): boolean {
    return (
      this.#map(request) &&
      this.readable.byteLength === request.readableBytes &&
      this.writable.byteLength === request.writableBytes
    );
  }

  isCurrent(request: VirtioRequest): boolean {
    return !request.aborted && request.epoch === this.#shared.getControl(Control.EPOCH);
  }

  finishEarly(request: VirtioRequest, written: Written): void {
    if (!this.isCurrent(request)) return;
    if (written === BROKEN) this.#break();
    else this.#complete(request, written);
    request.aborted = true;
  }

  dmaWrote(vector: IoVector): void {
    this.#shared.dmaRanges.addVector(vector);
  }

  dmaWroteRange(start: number, end: number): void {
    this.#shared.dmaRanges.add(start, end);
  }

  writeByte(address: number, value: number): void {
    this.#memory.bytes[address] = value;
    this.dmaWroteRange(address, address + 1);
  }

  writeBytes(address: number, bytes: Uint8Array): void {
    this.#memory.bytes.set(bytes, address);
    this.dmaWroteRange(address, address + bytes.length);
  }

  countRead(bytes: number): void {
    addCounter(this.#shared.counters, Counter.reads);
    addCounter(this.#shared.counters, Counter.sectorsRead, bytes >>> 9);
  }

  countWrite(bytes: number): void {
    addCounter(this.#shared.counters, Counter.writes);
    addCounter(this.#shared.counters, Counter.sectorsWritten, bytes >>> 9);
  }

  countCommand(kind: "io" | "flush" | "admin", failed: boolean): void {
    const { counters } = this.#shared;
    addCounter(counters, kind === "admin" ? Counter.adminCommands : Counter.commands);
    if (kind === "flush") addCounter(counters, Counter.flushes);
    if (failed) addCounter(counters, Counter.errors);
  }

  // --- Queues

  /** May avail.idx be read from guest memory? Only with event indices: without them each move of it is a kick. */
  get #polls(): boolean {
    const { control } = this.#shared;
    return control[Control.LIVE] !== 0 && (control[Control.FEATURES] & RingFeature.EVENT_IDX) !== 0;
  }

  #availIdx(queue: number): number {
    return load16(this.#memory, (this.#shared.getQueue(queue, QueueWord.AVAIL) >>> 0) + Avail.IDX);
  }

  #serveQueue(queue: number): boolean {
    const shared = this.#shared;
    if (shared.getQueue(queue, QueueWord.ENABLED) === 0) return false;
    const size = shared.getQueue(queue, QueueWord.SIZE);
    let last = shared.getQueue(queue, QueueWord.LAST_AVAIL);
    const idx = this.#acceptedIdx(queue, last);
    if (idx === last || this.#resetRequested) return false;
    // Section 2.6.13.1: no more buffers than the ring has entries.
    if (((idx - last) & 0xffff) > size) return this.#break();

    this.#tails.countElided(queue, idx, shared.getQueue(queue, QueueWord.KICKED));
    const ring = (shared.getQueue(queue, QueueWord.AVAIL) >>> 0) + Avail.RING;
    let fetched = 0;
    while (last !== idx && fetched < ARBITRATION_BURST && !this.#broken) {
      if (shared.inFlight(queue) >= MAX_IN_FLIGHT) {
        this.#stalled = true;
        break;
      }
      const request = this.#freeRequests.pop() ?? new VirtioRequest();
      request.epoch = this.#epoch;
      request.queue = queue;
      request.head = load16(this.#memory, ring + 2 * (last & (size - 1)));
      request.aborted = false;
      request.flushing = false;
      last = (last + 1) & 0xffff;
      fetched += 1;
      shared.setQueue(queue, QueueWord.LAST_AVAIL, last);
      shared.setQueue(queue, QueueWord.FETCHED, (shared.getQueue(queue, QueueWord.FETCHED) + 1) | 0);
      this.#execute(request);
    }
    return fetched > 0;
  }

  /** The index up to which entries may be fetched now; `last` if there is nothing new. */
  #acceptedIdx(queue: number, last: number): number {
    const announced = this.#shared.getQueue(queue, QueueWord.ANNOUNCED);
    return this.#polls
      ? this.#tails.accept(queue, last, announced, this.#availIdx(queue), 0x10000)
      : this.#tails.rung(queue, announced);
  }

  /** Section 2.1.2: an error that only a reset can mend. */
  #break(): boolean {
    this.#broken = true;
    this.#shared.setControl(Control.BROKEN, this.#epoch + 1);
    this.#shared.vcpuNotifier.set();
    return true;
  }

  // --- Requests

  #map(request: VirtioRequest): boolean {
    const shared = this.#shared;
    return this.#chain.map(
      shared.getQueue(request.queue, QueueWord.DESC) >>> 0,
      shared.getQueue(request.queue, QueueWord.SIZE),
      request.head,
      (this.features & RingFeature.INDIRECT_DESC) !== 0,
    );
  }

  #execute(request: VirtioRequest): void {
    if (!this.#map(request)) {
      this.#freeRequests.push(request);
      this.#break();
      return;
    }
    request.readableBytes = this.readable.byteLength;
    request.writableBytes = this.writable.byteLength;
    const result = this.#run(request);
    if (typeof result === "number") {
      this.#finish(request, result);
      return;
    }
    if (request.flushing) addCounter(this.#shared.counters, Counter.flushesInProgress);
    this.waiting.add(request);
    result.then(
      written => this.#finishLater(request, written),
      error => {
        // A bug of ours, not of the storage (its errors are StorageErrors): the guest still gets its answer.
        this.#reportBug(error);
        this.#finishLater(request, this.#failed(request));
      },
    );
  }

  /** No guest input may throw out of the device; if it does, that is a bug to report and an error for the guest. */
  #run(request: VirtioRequest): Written | Promise<Written> {
    try {
      return this.#handler.execute(request);
    } catch (error) {
      this.#reportBug(error);
      return this.#failed(request);
    }
  }

  #failed(request: VirtioRequest): Written {
    return this.isCurrent(request) && this.remap(request) ? this.#handler.fail(request) : BROKEN;
  }

  #finishLater(request: VirtioRequest, written: Written): void {
    if (request.flushing) addCounter(this.#shared.counters, Counter.flushesInProgress, -1);
    this.waiting.delete(request);
    this.#finish(request, written);
    this.#shared.vcpuNotifier.set();
  }

  #finish(request: VirtioRequest, written: Written): void {
    if (this.isCurrent(request)) {
      if (written === BROKEN) this.#break();
      else this.#complete(request, written);
    }
    this.#freeRequests.push(request);
  }

  #complete(request: VirtioRequest, written: Written): void {
    const { completions } = this.#shared;
    const record = completions.reserve();
    // Cannot be full: see MAX_IN_FLIGHT.
    if (record < 0) throw new Error("completion ring overflow");
    const { words } = completions;
    words[record + CompletionWord.EPOCH] = request.epoch;
    words[record + CompletionWord.QUEUE] = request.queue;
    words[record + CompletionWord.HEAD] = request.head;
    words[record + CompletionWord.WRITTEN] = written;
    completions.publish();
  }

  // --- Reset

  get #resetRequested(): boolean {
    return this.#shared.getControl(Control.EPOCH) !== this.#epoch;
  }

  /**
   * Device reset (rule 4 of the design): from the acknowledgement on, no older request touches guest memory or
   * completes. Those that still wait for storage find out by their epoch.
   */
  #adoptReset(): boolean {
    if (!this.#resetRequested) return false;
    const shared = this.#shared;
    this.#epoch = shared.getControl(Control.EPOCH);
    this.#broken = false;
    this.#handler.reset();
    for (let queue = 0; queue < MAX_QUEUES; queue++) {
      this.#tails.forget(queue);
      shared.setQueue(queue, QueueWord.LAST_AVAIL, 0);
    }
    shared.setControl(Control.EPOCH_ACK, this.#epoch);
    shared.vcpuNotifier.set();
    return true;
  }
}
