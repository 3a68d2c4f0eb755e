import { CompletionRing } from "../eventloop/completion_ring.ts";
import type { EventNotifier } from "../eventloop/event_notifier.ts";
import { counterBytes } from "../trace/counters.ts";
import type { Tracer } from "../trace/trace_ring.ts";
import { DmaRanges } from "./dma_ranges.ts";
import { MachineSignals } from "./machine_signals.ts";
import { allocateShared } from "./shared_buffer.ts";

/**
 * The state of a device that two threads share, in one SharedArrayBuffer: the vCPU side (registers, posting of
 * completions, interrupts) and the serving side (fetching, DMA, storage). Every word has ONE writer, named where the
 * word is. NVMe and virtio lay out their own words on this frame.
 */

/** Device-wide words that every device has (indices of 32-bit words); a device's own begin at FIRST. */
export const CommonControl = {
  /** vCPU: the life of the device. Goes up by one at each reset; work of an older life must not touch the guest. */
  EPOCH: 0,
  /** Server: the epoch it has adopted. Equal to EPOCH means that nothing older can do DMA or complete any more. */
  EPOCH_ACK: 1,
  /** vCPU: number of safe points passed, added to atomically: a full fence after the guest's own stores. */
  SAFE_POINTS: 2,
  FIRST: 3,
} as const;

/**
 * Commands that one queue may have under way. A queue at its limit is not fetched from, so that the completion ring,
 * which has room for all of them, cannot overflow.
 */
export const MAX_IN_FLIGHT = 1024;

export interface SharedLayout {
  readonly controlWords: number;
  readonly queues: number;
  readonly queueWords: number;
  /** Words of the queue that count, wrapping, the commands fetched (server) and those posted (vCPU). */
  readonly fetched: number;
  readonly posted: number;
  readonly completionWords: number;
}

export class SharedDeviceState {
  readonly buffer: SharedArrayBuffer;
  readonly signals: MachineSignals;
  /** Device-wide words. */
  readonly control: Int32Array;
  readonly counters: Int32Array;
  readonly completions: CompletionRing;
  readonly dmaRanges: DmaRanges;
  readonly #queues: Int32Array;
  readonly #layout: SharedLayout;

  /** Takes a buffer that has been laid out before, or makes a new one. */
  constructor(layout: SharedLayout, signals = MachineSignals.create(), buffer = allocate(layout)) {
    const start = offsets(layout);
    this.buffer = buffer;
    this.signals = signals;
    this.#layout = layout;
    this.control = new Int32Array(buffer, start.control, layout.controlWords);
    this.#queues = new Int32Array(buffer, start.queues, layout.queues * layout.queueWords);
    this.counters = new Int32Array(buffer, start.counters, counterBytes / 4);
    this.completions = new CompletionRing(buffer, start.completions, start.records, layout.completionWords);
    this.dmaRanges = new DmaRanges(buffer, start.dmaRanges);
  }

  get serverNotifier(): EventNotifier {
    return this.signals.serverNotifier;
  }

  get vcpuNotifier(): EventNotifier {
    return this.signals.vcpuNotifier;
  }

  get serverTrace(): Tracer {
    return this.signals.serverTrace;
  }

  get vcpuTrace(): Tracer {
    return this.signals.vcpuTrace;
  }

  getControl(word: number): number {
    return Atomics.load(this.control, word);
  }

  setControl(word: number, value: number): void {
    Atomics.store(this.control, word, value);
  }

  addControl(word: number, amount = 1): number {
    return Atomics.add(this.control, word, amount) + amount;
  }

  getQueue(queue: number, word: number): number {
    return Atomics.load(this.#queues, queue * this.#layout.queueWords + word);
  }

  setQueue(queue: number, word: number, value: number): void {
    Atomics.store(this.#queues, queue * this.#layout.queueWords + word, value);
  }

  /** Commands fetched and not yet posted. */
  inFlight(queue: number): number {
    const { fetched, posted } = this.#layout;
    return (this.getQueue(queue, fetched) - this.getQueue(queue, posted)) | 0;
  }
}

/** Byte offsets of the parts, and how many records the completion ring has: a power of two. */
function offsets({ controlWords, queues, queueWords, completionWords }: SharedLayout) {
  const records = 2 ** Math.ceil(Math.log2(queues * MAX_IN_FLIGHT));
  const control = 0;
  const queueWordsStart = control + controlWords * 4;
  const counters = queueWordsStart + queues * queueWords * 4;
  const completions = align64(counters + counterBytes);
  const dmaRanges = align64(completions + CompletionRing.byteLength(records, completionWords));
  const end = dmaRanges + DmaRanges.byteLength;
  return { control, queues: queueWordsStart, counters, completions, records, dmaRanges, end };
}

function allocate(layout: SharedLayout): SharedArrayBuffer {
  return allocateShared(offsets(layout).end);
}

function align64(bytes: number): number {
  return (bytes + 63) & ~63;
}
