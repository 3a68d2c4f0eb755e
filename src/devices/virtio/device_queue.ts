import { isRam } from "../guest_memory.ts";
import type { VirtioQueueState } from "./device_state.ts";
import { type GuestView, load16, store16 } from "./guest_view.ts";
import { AVAIL_F_NO_INTERRUPT, Avail, DESC_BYTES, needEvent, Used } from "./spec/split_queue.ts";
import { NO_VECTOR } from "./spec/transport.ts";

/** A virtqueue as the vCPU thread keeps it: its registers (virtio 1.1, section 4.1.4.3), and its used ring. */
export class DeviceQueue {
  /** The 32-bit halves of queue_desc, queue_driver and queue_device, as written. */
  readonly addresses = new Uint32Array(6);
  size: number;
  vector: number = NO_VECTOR;
  enabled = false;
  /** avail.idx as of the last safe point, where it was not fetched then; -1 where it was. */
  unfetched = -1;
  readonly #memory: GuestView;
  readonly #maxSize: number;
  #usedIdx = 0;
  /** used.idx as of the last decision on an interrupt. */
  #signalledIdx = 0;

  constructor(memory: GuestView, maxSize: number) {
    this.#memory = memory;
    this.#maxSize = maxSize;
    this.size = maxSize;
  }

  reset(): void {
    this.addresses.fill(0);
    this.size = this.#maxSize;
    this.vector = NO_VECTOR;
    this.enabled = false;
    this.unfetched = -1;
    this.#usedIdx = 0;
    this.#signalledIdx = 0;
  }

  /** For a snapshot; `lastAvail` is the serving side's to know. */
  save(lastAvail: number): VirtioQueueState {
    const { addresses, size, vector, enabled } = this;
    const [usedIdx, signalledIdx] = [this.#usedIdx, this.#signalledIdx];
    return { addresses: [...addresses], size, vector, enabled, lastAvail, usedIdx, signalledIdx };
  }

  /** False, and the queue is as after a reset, when its rings cannot be where the state says. */
  restore({ addresses, size, vector, enabled, usedIdx, signalledIdx }: VirtioQueueState): boolean {
    this.addresses.set(addresses);
    this.size = size;
    this.vector = vector;
    this.enabled = enabled === true;
    this.#usedIdx = usedIdx;
    this.#signalledIdx = signalledIdx;
    if (!this.enabled || this.isUsable) return true;
    this.reset();
    return false;
  }

  get desc(): number {
    return this.addresses[0];
  }

  get avail(): number {
    return this.addresses[2];
  }

  get used(): number {
    return this.addresses[4];
  }

  /** Section 2.6: a power of two, aligned, in RAM. */
  get isUsable(): boolean {
    const { size, addresses } = this;
    return (
      size > 0 &&
      size <= this.#maxSize &&
      (size & (size - 1)) === 0 &&
      addresses[1] === 0 &&
      addresses[3] === 0 &&
      addresses[5] === 0 &&
      this.desc % 16 === 0 &&
      this.avail % 2 === 0 &&
      this.used % 4 === 0 &&
      isRam(this.#memory, this.desc, size * DESC_BYTES) &&
      isRam(this.#memory, this.avail, Avail.byteLength(size)) &&
      isRam(this.#memory, this.used, Used.byteLength(size))
    );
  }

  /** avail.idx: the index behind the last buffer that the driver has made available. */
  get availIdx(): number {
    return load16(this.#memory, this.avail + Avail.IDX);
  }

  /** Section 2.6.8: the element first, the index that shows it last. Not yet an interrupt. */
  post(head: number, written: number): void {
    const { words } = this.#memory;
    const at = (this.used + Used.RING + 8 * (this.#usedIdx & (this.size - 1))) >>> 2;
    words[at] = head;
    words[at + 1] = written;
    this.#usedIdx = (this.#usedIdx + 1) & 0xffff;
    store16(this.#memory, this.used + Used.IDX, this.#usedIdx);
  }

  /** Must the driver be told of what was posted since the last call? Section 2.6.7. */
  takeInterrupt(eventIdx: boolean): boolean {
    const old = this.#signalledIdx;
    const now = this.#usedIdx;
    if (old === now) return false;
    this.#signalledIdx = now;
    if (!eventIdx) return (load16(this.#memory, this.avail + Avail.FLAGS) & AVAIL_F_NO_INTERRUPT) === 0;
    return needEvent(load16(this.#memory, this.avail + Avail.usedEvent(this.size)), now, old);
  }
}
