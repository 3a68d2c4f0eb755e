import type { BlockDevice } from "../../../storage/block_device.ts";
import { createGuestMemory, type GuestMemory } from "../../guest_memory.ts";
import type { VirtioDiskInfo } from "../disk_info.ts";
import { VirtioPciDevice } from "../pci_device.ts";
import { VirtioServer } from "../server.ts";
import { VirtioSharedState } from "../shared_state.ts";
import { TestDisk } from "./disk.ts";

/**
 * A virtio driver in a fake guest RAM, for tests. It is written from the specification and shares no layout with the
 * device, so that a wrong offset on one side does not hide one on the other. Nothing runs by itself: a test decides
 * when the vCPU thread passes a safe point and when the serving side looks.
 */

const FIRST_FREE = 1 << 20;

// Device status (virtio 1.1, section 2.1).
export const ACKNOWLEDGE = 1;
export const DRIVER = 2;
export const DRIVER_OK = 4;
export const FEATURES_OK = 8;
export const NEEDS_RESET = 64;

// Feature bits.
export const F_INDIRECT = 28;
export const F_EVENT_IDX = 29;
export const F_VERSION_1 = 32;
export const F_FLUSH = 9;
export const F_DISCARD = 13;
export const F_WRITE_ZEROES = 14;

export interface Segment {
  readonly at: number;
  readonly length: number;
}

export interface Used {
  readonly head: number;
  readonly written: number;
}

export interface RigOptions {
  readonly type?: "block" | "scsi";
  readonly blocks?: number;
  readonly lbaShift?: number;
  readonly ramBytes?: number;
  readonly eventIdx?: boolean;
  readonly queueSize?: number;
  readonly requestQueues?: number;
  readonly msix?: boolean;
  readonly stronglyOrderedHost?: boolean;
  /** Feature bits not to be accepted. */
  readonly without?: readonly number[];
  /** In place of the rig's own. */
  readonly disk?: BlockDevice;
}

/** A split virtqueue as a driver keeps it (section 2.6). */
export class DriverQueue {
  readonly index: number;
  readonly size: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  readonly #rig: Rig;
  readonly #free: number[];
  readonly #chains = new Map<number, number[]>();
  availIdx = 0;
  /** avail.idx as of the last kick(). */
  kickedIdx = 0;
  usedIdx = 0;
  notifyAt = 0;

  constructor(rig: Rig, index: number, size: number) {
    this.#rig = rig;
    this.index = index;
    this.size = size;
    this.desc = rig.alloc(16 * size, 16);
    // As badly aligned as is allowed.
    this.avail = rig.alloc(6 + 2 * size + 2, 4) + 2;
    this.used = rig.alloc(6 + 8 * size, 4);
    this.#free = Array.from({ length: size }, (_, i) => size - 1 - i);
  }

  get freeDescriptors(): number {
    return this.#free.length;
  }

  writeDescriptor(
    table: number,
    index: number,
    at: number,
    length: number,
    flags: number,
    next: number,
  ): void {
    const { view } = this.#rig;
    view.setBigUint64(table + 16 * index, BigInt(at), true);
    view.setUint32(table + 16 * index + 8, length, true);
    view.setUint16(table + 16 * index + 12, flags, true);
    view.setUint16(table + 16 * index + 14, next, true);
  }

  /** Makes a chain available, without a kick. Returns its head. */
  push(out: readonly Segment[], into: readonly Segment[], indirect = false): number {
    const segments = [...out.map(s => ({ ...s, flags: 0 })), ...into.map(s => ({ ...s, flags: 2 }))];
    const needed = indirect ? 1 : segments.length;
    if (needed > this.#free.length) throw new Error("no free descriptors");
    const taken = Array.from({ length: needed }, () => this.#free.pop()!);
    if (indirect) {
      const table = this.#rig.alloc(16 * segments.length, 8);
      segments.forEach(({ at, length, flags }, i) => {
        const last = i === segments.length - 1;
        this.writeDescriptor(table, i, at, length, flags | (last ? 0 : 1), i + 1);
      });
      this.writeDescriptor(this.desc, taken[0], table, 16 * segments.length, 4, 0);
    } else {
      segments.forEach(({ at, length, flags }, i) => {
        const last = i === segments.length - 1;
        this.writeDescriptor(
          this.desc,
          taken[i],
          at,
          length,
          flags | (last ? 0 : 1),
          last ? 0 : taken[i + 1],
        );
      });
    }
    this.#chains.set(taken[0], taken);
    this.publish(taken[0]);
    return taken[0];
  }

  /** Puts a head, whatever it is, on the available ring. */
  publish(head: number): void {
    const { view } = this.#rig;
    view.setUint16(this.avail + 4 + 2 * (this.availIdx % this.size), head, true);
    this.availIdx = (this.availIdx + 1) & 0xffff;
    view.setUint16(this.avail + 2, this.availIdx, true);
  }

  get availEvent(): number {
    return this.#rig.view.getUint16(this.used + 4 + 8 * this.size, true);
  }

  set usedEvent(value: number) {
    this.#rig.view.setUint16(this.avail + 4 + 2 * this.size, value, true);
  }

  set noInterrupt(value: boolean) {
    this.#rig.view.setUint16(this.avail, value ? 1 : 0, true);
  }

  /** Would a driver kick? Section 2.6.7.2. */
  get wantsKick(): boolean {
    if (!this.#rig.eventIdx) return this.kickedIdx !== this.availIdx;
    const moved = (this.availIdx - this.kickedIdx) & 0xffff;
    return ((this.availIdx - this.availEvent - 1) & 0xffff) < moved;
  }

  /** Kicks if the device asks for it. True if it did. */
  kick(): boolean {
    const wanted = this.wantsKick;
    this.kickedIdx = this.availIdx;
    if (wanted) this.#rig.write16(this.notifyAt, this.index);
    return wanted;
  }

  /** Takes what is on the used ring. */
  reap(): Used[] {
    const { view } = this.#rig;
    const taken: Used[] = [];
    while (this.usedIdx !== view.getUint16(this.used + 2, true)) {
      const at = this.used + 4 + 8 * (this.usedIdx % this.size);
      const head = view.getUint32(at, true);
      taken.push({ head, written: view.getUint32(at + 4, true) });
      this.#free.push(...(this.#chains.get(head) ?? []));
      this.#chains.delete(head);
      this.usedIdx = (this.usedIdx + 1) & 0xffff;
    }
    if (this.#rig.eventIdx) this.usedEvent = this.usedIdx;
    return taken;
  }
}

/** As it goes into a file. */
export interface SavedRig {
  readonly device: string;
  readonly ram: Uint8Array;
}

/** Device, serving side, disk, RAM and driver in one thread. */
export class Rig {
  readonly memory: GuestMemory;
  readonly view: DataView;
  shared = new VirtioSharedState();
  device: VirtioPciDevice;
  server: VirtioServer;
  readonly disk: TestDisk;
  readonly info: VirtioDiskInfo;
  /** Exceptions that the device should not have had. */
  readonly bugs: unknown[] = [];
  /** MSI-X messages, the interrupt pin and its changes. */
  raised: number[] = [];
  pin = false;
  pinChanges: boolean[] = [];
  msixEnabled: boolean;
  /** memoryWritten() calls. */
  dirtied: [start: number, end: number][] = [];
  /** Where the capabilities say that the structures are. */
  readonly common: number;
  readonly isr: number;
  readonly config: number;
  readonly notify: number;
  readonly notifyMultiplier: number;
  queues: DriverQueue[] = [];
  /** Was VIRTIO_F_EVENT_IDX negotiated? */
  eventIdx = false;
  readonly #options: RigOptions;
  #inAccess = false;
  #free = FIRST_FREE;

  constructor(options: RigOptions = {}) {
    const { type = "block", lbaShift = 9, blocks = 2048, ramBytes = 8 << 20 } = options;
    this.#options = options;
    this.memory = createGuestMemory(new SharedArrayBuffer(ramBytes), 0, ramBytes);
    this.view = new DataView(this.memory.bytes.buffer);
    this.info = { type, lbaShift, blocks, serialNumber: "SN-1", wwn: "5002538e4f5a6b7c" };
    this.disk = new TestDisk(blocks << lbaShift);
    this.msixEnabled = options.msix ?? true;
    this.device = this.#newDevice();
    this.server = this.#newServer();
    // Section 4.1.4: cfg_type is byte 3, offset at 8, length at 12, notify_off_multiplier at 16.
    const caps = new Map(this.device.pciCapabilities(0).map(cap => [cap[3], new DataView(cap.buffer)]));
    const offset = (cfgType: number) => caps.get(cfgType)!.getUint32(8, true);
    this.common = offset(1);
    this.notify = offset(2);
    this.isr = offset(3);
    this.config = offset(4);
    this.notifyMultiplier = caps.get(2)!.getUint32(16, true);
  }

  #newDevice(): VirtioPciDevice {
    const { queueSize = 16, requestQueues = 1, msix = true, eventIdx = true } = this.#options;
    const { memory, shared, info } = this;
    const safely = (action: () => void) => {
      if (this.#inAccess) throw new Error("interrupt raised within a register access");
      action();
    };
    return new VirtioPciDevice({
      memory,
      shared,
      info,
      eventIdx,
      queueSize,
      requestQueues,
      msixVectors: msix ? 4 : 0,
      host: {
        notifyServer: () => shared.serverNotifier.set(),
        raiseVector: vector => safely(() => this.raised.push(vector)),
        setInterruptPin: level => {
          if (level) safely(() => {});
          this.pin = level;
          this.pinChanges.push(level);
        },
        msixEnabled: () => this.msixEnabled,
        memoryWritten: (start, end) => this.dirtied.push([start, end]),
      },
    });
  }

  #newServer(): VirtioServer {
    const { disk = this.disk, stronglyOrderedHost = true } = this.#options;
    const { memory, shared, info } = this;
    const reportBug = (error: unknown) => void this.bugs.push(error);
    return new VirtioServer({ memory, shared, info, disk, stronglyOrderedHost, reportBug });
  }

  // --- Snapshots

  /** The machine stands still, and what is under way ends. */
  async save(): Promise<SavedRig> {
    for (let i = 0; i < 40 && this.device.busyWith !== undefined; i++) {
      this.device.safePoint(true);
      await this.settle();
    }
    if (this.device.busyWith !== undefined) throw new Error(`still busy with ${this.device.busyWith}`);
    return { device: JSON.stringify(this.device.save()), ram: this.memory.bytes.slice() };
  }

  /** Another machine goes on in place of this one, which may have done anything since. */
  restore(saved: SavedRig, serverIsFirst = false): void {
    this.memory.bytes.set(saved.ram);
    this.shared = new VirtioSharedState();
    this.device = this.#newDevice();
    // Where the vCPU thread serves the I/O itself, the serving side is there before the state is.
    if (serverIsFirst) this.server = this.#newServer();
    this.device.restore(JSON.parse(saved.device));
    if (serverIsFirst) this.server.resume();
    else this.server = this.#newServer();
  }

  // --- Guest memory

  /** Zeroed guest memory. */
  alloc(bytes: number, alignment = 16): number {
    const at = Math.ceil(this.#free / alignment) * alignment;
    this.#free = at + bytes;
    if (this.#free > this.memory.byteLength) throw new Error("guest RAM is used up");
    return at;
  }

  slice(at: number, length: number): Uint8Array {
    return this.memory.bytes.slice(at, at + length);
  }

  // --- Registers

  #access<T>(access: () => T): T {
    this.#inAccess = true;
    try {
      return access();
    } finally {
      this.#inAccess = false;
    }
  }

  read8(at: number): number {
    return this.#access(() => this.device.readByte(at));
  }

  /** v86 makes two of it. */
  read16(at: number): number {
    return this.read8(at) | (this.read8(at + 1) << 8);
  }

  read32(at: number): number {
    return this.#access(() => this.device.readRegister(at)) >>> 0;
  }

  write8(at: number, value: number): void {
    this.#access(() => this.device.writeByte(at, value));
  }

  write16(at: number, value: number): void {
    this.write8(at, value & 0xff);
    this.write8(at + 1, value >>> 8);
  }

  write32(at: number, value: number): void {
    this.#access(() => this.device.writeRegister(at, value | 0));
  }

  get status(): number {
    return this.read8(this.common + 20);
  }

  set status(value: number) {
    this.write8(this.common + 20, value);
  }

  features(): bigint {
    this.write32(this.common, 0);
    const low = this.read32(this.common + 4);
    this.write32(this.common, 1);
    return (BigInt(this.read32(this.common + 4)) << 32n) | BigInt(low);
  }

  accept(features: bigint): void {
    this.write32(this.common + 8, 0);
    this.write32(this.common + 12, Number(features & 0xffffffffn));
    this.write32(this.common + 8, 1);
    this.write32(this.common + 12, Number(features >> 32n));
  }

  // --- What every driver does

  /** Section 3.1.1, as far as FEATURES_OK. */
  negotiate(without: readonly number[] = []): void {
    this.status = ACKNOWLEDGE;
    this.status |= DRIVER;
    let features = this.features();
    for (const bit of without) features &= ~(1n << BigInt(bit));
    this.accept(features);
    this.eventIdx = (features & (1n << BigInt(F_EVENT_IDX))) !== 0n;
    this.status |= FEATURES_OK;
    if ((this.status & FEATURES_OK) === 0) throw new Error("features were not accepted");
  }

  /** Section 4.1.5.1.3: vector 0 is the configuration's, 1 + n that of queue n. */
  setUpQueues(size?: number): void {
    this.write16(this.common + 16, 0);
    const count = this.read16(this.common + 18);
    this.queues = Array.from({ length: count }, (_, index) => {
      this.write16(this.common + 22, index);
      const queue = new DriverQueue(this, index, size ?? this.read16(this.common + 24));
      if (size) this.write16(this.common + 24, size);
      this.write16(this.common + 26, index + 1);
      for (const [i, at] of [queue.desc, queue.avail, queue.used].entries()) {
        this.write32(this.common + 32 + 8 * i, at);
        this.write32(this.common + 36 + 8 * i, 0);
      }
      queue.notifyAt = this.notify + this.read16(this.common + 30) * this.notifyMultiplier;
      this.write16(this.common + 28, 1);
      return queue;
    });
  }

  start(without: readonly number[] = []): void {
    this.negotiate(without);
    this.setUpQueues();
    this.status |= DRIVER_OK;
    this.pump();
  }

  static started(options: RigOptions = {}): Rig {
    const rig = new Rig(options);
    rig.start(options.without);
    return rig;
  }

  /** The queue for I/O. */
  get io(): DriverQueue {
    return this.queues[this.info.type === "block" ? 0 : 2];
  }

  // --- Time

  /** The serving side, as its event loop: works until there is nothing to do, asks to be kicked, looks again. */
  serve(): void {
    do {
      this.shared.serverNotifier.testAndClear();
      while (this.server.ready());
      this.server.pollEnd();
    } while (this.server.ready());
  }

  pump(): void {
    this.device.safePoint(false);
    this.serve();
    this.device.safePoint(false);
  }

  /** As pump(), with promises getting on in between. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 6; turn++) {
      this.pump();
      await new Promise<void>(resolve => void Promise.resolve().then(() => resolve()));
      for (let i = 0; i < 50; i++) await Promise.resolve();
    }
    this.pump();
  }

  // --- Requests

  /** Places `data`, cut at the given lengths, in guest memory; or as much zeroed memory. */
  segments(data: Uint8Array | number, cuts: readonly number[] = []): Segment[] {
    const total = typeof data === "number" ? data : data.length;
    const segments: Segment[] = [];
    let done = 0;
    for (const cut of [...cuts, total]) {
      const length = Math.min(cut, total - done);
      if (length === 0) continue;
      // A gap, so that neighbours in the chain are none in memory.
      const at = this.alloc(length + 1, 1);
      if (typeof data !== "number") this.memory.bytes.set(data.subarray(done, done + length), at);
      segments.push({ at, length });
      done += length;
    }
    return segments;
  }

  gather(segments: readonly Segment[]): Uint8Array {
    const data = new Uint8Array(segments.reduce((sum, { length }) => sum + length, 0));
    let to = 0;
    for (const { at, length } of segments) {
      data.set(this.memory.bytes.subarray(at, at + length), to);
      to += length;
    }
    return data;
  }
}

/** struct virtio_blk_req's header (section 5.2.6). */
export function blockHeader(type: number, sector: number): Uint8Array {
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setUint32(0, type, true);
  view.setBigUint64(8, BigInt(sector), true);
  return header;
}

/** Bytes that differ from place to place and from seed to seed. */
export function pattern(length: number, seed: number): Uint8Array {
  const data = new Uint8Array(length);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state >>> 24;
  }
  return data;
}
