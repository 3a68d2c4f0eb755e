import type { BlockDevice } from "../../../storage/block_device.ts";
import { BlockCache, type BlockCacheOptions } from "../../../storage/cache/block_cache.ts";
import { FaultBackend, type Faults } from "../../../storage/fault_backend.ts";
import { MemoryBackend, type MemoryStore } from "../../../storage/memory_backend.ts";
import { ManualScheduler } from "../../../storage/testing/test_support.ts";
import { createGuestMemory, type GuestMemory } from "../../guest_memory.ts";
import type { ShadowExtension } from "../admin/shadow_extension.ts";
import { NvmeController } from "../controller.ts";
import { IoFaults } from "../faults/io_faults.ts";
import type { FaultRule } from "../faults/rules.ts";
import { type HealthRecord, restoreHealth } from "../health.ts";
import { IoServer } from "../io/io_server.ts";
import type { NamespaceInfo } from "../namespace.ts";
import { SharedState } from "../shared_state.ts";
import { MemoryNamespaces } from "./memory_namespaces.ts";

/**
 * A host-side NVMe driver in a fake guest RAM, for tests. It is written from the specification and shares no layout
 * with the device, so that a wrong offset on one side does not hide one on the other. Nothing runs by itself: a test
 * decides when the vCPU thread passes a safe point and when the serving side looks.
 */

export const PAGE = 4096;
const RAM_BYTES = 8 << 20;
/** Pages are handed out from here on: above the VGA window. */
const FIRST_PAGE = 1 << 20;
const CHUNK = 16384;

// Registers (NVMe 1.4, figure 68).
export const CAP = 0x00;
export const VS = 0x08;
export const INTMS = 0x0c;
export const INTMC = 0x10;
export const CC = 0x14;
export const CSTS = 0x1c;
export const AQA = 0x24;
export const ASQ = 0x28;
export const ACQ = 0x30;
export const CC_EN = 1;
export const CC_SHN_NORMAL = 1 << 14;
/** IOSQES 6 (64 bytes), IOCQES 4 (16 bytes). */
export const CC_ENTRY_SIZES = (6 << 16) | (4 << 20);
export const RDY = 1;
export const CFS = 2;
export const SHST = 3 << 2;
export const SHST_OCCURRING = 1 << 2;
export const SHST_COMPLETE = 2 << 2;
export const tailDoorbell = (qid: number): number => 0x1000 + qid * 8;
export const headDoorbell = (qid: number): number => 0x1000 + qid * 8 + 4;

/** Do Not Retry, as it stands in `Cqe.status`. */
export const DNR = 0x4000;

export interface Command {
  readonly opcode: number;
  /** CDW0 bits 15:8: FUSE in 1:0, PSDT in 7:6. */
  readonly flags?: number;
  readonly nsid?: number;
  readonly prp1?: number;
  readonly prp2?: number;
  /** In place of the PRPs; with flags 40h (PSDT 01b). */
  readonly sgl?: SglDescriptor;
  /** CDW10 to CDW15. */
  readonly cdw?: readonly number[];
}

/** An SGL descriptor; `type` is its last byte (figures 108 and 109). */
export interface SglDescriptor {
  readonly address: number;
  readonly length: number;
  readonly type: number;
}

export interface Cqe {
  readonly result: number;
  readonly sqHead: number;
  readonly sqid: number;
  readonly cid: number;
  /** Status field without the phase bit: code 7:0, type 10:8, More 13, Do Not Retry 14. */
  readonly status: number;
}

export interface DiskOptions {
  readonly nsid?: number;
  readonly lbaShift?: number;
  readonly blocks?: number;
  readonly cache?: BlockCacheOptions;
  /** In place of a cache over memory. */
  readonly device?: BlockDevice;
}

export interface RigOptions {
  readonly disks?: readonly DiskOptions[];
  readonly shadowDoorbells?: ShadowExtension;
  readonly msixVectors?: number;
  readonly stronglyOrderedHost?: boolean;
  readonly ramBytes?: number;
  /** NN. Default: that of the last of the disks. */
  readonly highestNsid?: number;
  /** What the drive has lived through before. */
  readonly health?: HealthRecord;
}

/** What a snapshot holds. */
export interface SavedRig {
  readonly controller: string;
  readonly ram: Uint8Array;
}

/** A disk of the rig: what is durable (`store`) and what goes wrong (`faults`). */
export interface RigDisk {
  readonly info: NamespaceInfo;
  readonly device: BlockDevice;
  readonly store: MemoryStore;
  readonly faults: Faults;
}

/** The standard rule: does a move of the tail from `old` to `now` pass `eventIdx`? (16-bit arithmetic) */
export function needEvent(eventIdx: number, now: number, old: number): boolean {
  return ((now - eventIdx - 1) & 0xffff) < ((now - old) & 0xffff);
}

/** A queue pair as a driver keeps it: SQ tail, CQ head and phase. */
export class QueuePair {
  readonly qid: number;
  readonly sqBase: number;
  readonly sqEntries: number;
  readonly cqBase: number;
  readonly cqEntries: number;
  readonly #rig: Rig;
  tail = 0;
  /** Tail as of the last ring(). */
  rung = 0;
  head = 0;
  phase = 1;
  nextCid = 0;
  /** SQ head as of the last completion: how far the device has fetched. */
  sqHead = 0;

  constructor(
    rig: Rig,
    qid: number,
    sqEntries: number,
    cqEntries: number,
    sqBase = rig.alloc(sqEntries * 64),
    cqBase = rig.alloc(cqEntries * 16),
  ) {
    this.#rig = rig;
    this.qid = qid;
    this.sqBase = sqBase;
    this.sqEntries = sqEntries;
    this.cqBase = cqBase;
    this.cqEntries = cqEntries;
  }

  /** Writes a command into the next slot, without a doorbell. Returns its command identifier. */
  push(command: Command, cid = this.nextCid++ & 0xffff): number {
    putCommand(this.#rig.memory.words, this.sqBase + this.tail * 64, command, cid);
    this.tail = (this.tail + 1) % this.sqEntries;
    return cid;
  }

  /** Tells the device of the tail: through the shadow buffer where there is one, with MMIO where it must. */
  ring(): void {
    const { rig, qid, tail, rung } = { rig: this.#rig, ...this };
    this.rung = tail;
    if (qid === 0 || !rig.shadowPage || rig.updateShadow(qid * 8, tail, rung)) {
      rig.controller.writeRegister(tailDoorbell(qid), tail);
    }
  }

  submit(command: Command): number {
    const cid = this.push(command);
    this.ring();
    return cid;
  }

  /** Takes the entries whose phase says that they are new; `most` of them. Tells the device unless `quietly`. */
  reap(most = Number.POSITIVE_INFINITY, quietly = false): Cqe[] {
    const taken: Cqe[] = [];
    const { words } = this.#rig.memory;
    const before = this.head;
    while (taken.length < most) {
      const w = (this.cqBase + this.head * 16) / 4;
      const last = Atomics.load(words, w + 3);
      if (((last >>> 16) & 1) !== this.phase) break;
      const sqHead = words[w + 2] & 0xffff;
      const sqid = words[w + 2] >>> 16;
      taken.push({ result: words[w] >>> 0, sqHead, sqid, cid: last & 0xffff, status: last >>> 17 });
      this.sqHead = sqHead;
      this.head += 1;
      if (this.head === this.cqEntries) {
        this.head = 0;
        this.phase ^= 1;
      }
    }
    if (taken.length > 0 && !quietly) this.ringHead(before);
    return taken;
  }

  ringHead(before = -1): void {
    const rig = this.#rig;
    if (
      this.qid === 0 ||
      !rig.shadowPage ||
      rig.updateShadow(this.qid * 8 + 4, this.head, before < 0 ? this.head - 1 : before)
    ) {
      rig.controller.writeRegister(headDoorbell(this.qid), this.head);
    }
  }
}

/** Controller, serving side, disks, RAM and driver in one thread. */
export class Rig {
  readonly memory: GuestMemory;
  shared = new SharedState();
  controller: NvmeController;
  server: IoServer;
  readonly #options: RigOptions;
  readonly scheduler: ManualScheduler;
  readonly disks: readonly RigDisk[];
  readonly namespaces: MemoryNamespaces;
  /** Disks of namespaces that the host has created. */
  readonly created: RigDisk[] = [];
  /** Exceptions that the device should not have had. */
  readonly bugs: unknown[] = [];
  /** The interrupt pin and all its changes. */
  pin = false;
  pinChanges: boolean[] = [];
  /** Whether the guest has switched MSI-X on, and the vectors of the messages sent. */
  msixEnabled = false;
  messages: number[] = [];
  /** memoryWritten() calls. */
  dirtied: [start: number, end: number][] = [];
  /** A register write is going on. */
  inRegisterWrite = false;
  admin!: QueuePair;
  /** Doorbell Buffer Config, or Google's opcode for the same. */
  readonly #shadowOpcode: number;
  /** Guest pages of the shadow doorbells; 0 while there are none. */
  shadowPage = 0;
  eventIdxPage = 0;
  nowMs = 0;
  /** Is the function on its bus? */
  present = true;
  readonly ioFaults: IoFaults;
  readonly #ruleIds = new Map<FaultRule, number>();
  /** Milliseconds for which the serving side was held up. */
  stalls: number[] = [];
  #nextPage = FIRST_PAGE;

  static async create(options: RigOptions = {}): Promise<Rig> {
    const scheduler = new ManualScheduler();
    const disks = await Promise.all(
      (options.disks ?? [{}]).map((disk, i) => openDisk(disk, i + 1, scheduler)),
    );
    return new Rig(options, scheduler, disks);
  }

  private constructor(options: RigOptions, scheduler: ManualScheduler, disks: readonly RigDisk[]) {
    this.scheduler = scheduler;
    this.disks = disks;
    const bytes = options.ramBytes ?? RAM_BYTES;
    this.memory = createGuestMemory(new SharedArrayBuffer(bytes), 0, bytes);
    this.#options = options;
    if (options.health) restoreHealth(this.shared, options.health);
    this.#shadowOpcode = options.shadowDoorbells === "google" ? 0xc0 : 0x7c;
    this.controller = this.#newController();
    const highestNsid = options.highestNsid ?? Math.max(...disks.map(({ info }) => info.nsid));
    this.namespaces = new MemoryNamespaces(disks, highestNsid, async info => {
      const disk = await openDisk(info, info.nsid, scheduler);
      this.created.push(disk);
      return { ...disk, info };
    });
    this.server = this.#newServer();
    this.ioFaults = new IoFaults({
      counters: this.shared.counters,
      trace: this.shared.serverTrace,
      clock: () => this.nowMs,
      after: (ms, callback) => scheduler.after(ms, callback),
      stall: ms => this.stalls.push(ms),
      use: faults => {
        this.server.faults = faults;
      },
    });
  }

  #newController(): NvmeController {
    const { memory, shared } = this;
    const options = this.#options;
    const controller = new NvmeController({
      memory,
      shared,
      identity: {
        vendorId: 0x1234,
        serialNumber: "SN-1",
        modelNumber: "Test disk",
        firmwareRevision: "7.5",
        subsystemNqn: "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555",
      },
      shadowDoorbells: options.shadowDoorbells ?? "dbbuf",
      clock: () => this.nowMs,
      msixVectors: options.msixVectors ?? 0,
      host: {
        setInterruptPin: level => {
          if (level && this.inRegisterWrite) throw new Error("interrupt raised within a register write");
          this.pin = level;
          this.pinChanges.push(level);
        },
        notifyServer: () => shared.serverNotifier.set(),
        msixEnabled: () => this.msixEnabled,
        raiseVector: vector => {
          if (this.inRegisterWrite) throw new Error("message sent within a register write");
          this.messages.push(vector);
        },
        memoryWritten: (start, end) => this.dirtied.push([start, end]),
        now: () => this.nowMs,
        setPresent: present => {
          this.present = present;
        },
      },
    });
    const { writeRegister } = controller;
    controller.writeRegister = (offset, value) => {
      this.inRegisterWrite = true;
      writeRegister.call(controller, offset, value);
      this.inRegisterWrite = false;
    };
    return controller;
  }

  #newServer(): IoServer {
    return new IoServer({
      memory: this.memory,
      shared: this.shared,
      store: this.namespaces,
      stronglyOrderedHost: this.#options.stronglyOrderedHost ?? true,
      reportBug: error => this.bugs.push(error),
      now: () => this.nowMs,
    });
  }

  // --- Snapshots

  /** Stands still until the controller has come to rest, and takes its state with the guest's memory, as plain data. */
  async save(turns = 64): Promise<SavedRig> {
    for (let turn = 0; this.controller.busyWith !== undefined; turn++) {
      if (turn === turns) throw new Error(`still busy with ${this.controller.busyWith}`);
      this.controller.safePoint(true);
      this.shared.serverNotifier.testAndClear();
      while (this.server.ready());
      this.controller.safePoint(true);
      await this.scheduler.advance(0);
    }
    return { controller: JSON.stringify(this.controller.save()), ram: this.memory.bytes.slice() };
  }

  /** Another machine goes on in place of this one, which may have done anything since. */
  restore(saved: SavedRig): void {
    this.memory.bytes.set(saved.ram);
    this.shared = new SharedState();
    this.controller = this.#newController();
    this.controller.restore(JSON.parse(saved.controller));
    this.server = this.#newServer();
  }

  // --- Faults

  /** Arms these rules in place of those before, on both sides. One that was armed before is the same object. */
  armFaults(...rules: FaultRule[]): void {
    const ids = this.#ruleIds;
    for (const rule of rules) if (!ids.has(rule)) ids.set(rule, ids.size);
    const armed = rules.map(rule => ({ id: ids.get(rule) ?? 0, rule }));
    this.ioFaults.set(armed);
    this.controller.faults.set(armed);
  }

  // --- Guest memory

  /** Zeroed, page-aligned guest memory. */
  alloc(bytes: number): number {
    const at = this.#nextPage;
    this.#nextPage += Math.ceil(bytes / PAGE) * PAGE;
    if (this.#nextPage > this.memory.byteLength) throw new Error("guest RAM is used up");
    this.memory.bytes.fill(0, at, this.#nextPage);
    return at;
  }

  slice(at: number, length: number): Uint8Array {
    return this.memory.bytes.slice(at, at + length);
  }

  view(at: number, length: number): DataView {
    return new DataView(this.slice(at, length).buffer);
  }

  /** Stores a new shadow value; true if the EventIdx asks for a real doorbell. */
  updateShadow(offset: number, now: number, old: number): boolean {
    const { words } = this.memory;
    Atomics.store(words, (this.shadowPage + offset) / 4, now);
    return needEvent(Atomics.load(words, (this.eventIdxPage + offset) / 4) & 0xffff, now, old);
  }

  // --- Registers

  read(offset: number): number {
    return this.controller.readRegister(offset) >>> 0;
  }

  write(offset: number, value: number): void {
    this.controller.writeRegister(offset, value);
  }

  get csts(): number {
    return this.read(CSTS);
  }

  // --- Time

  /** The vCPU thread, then the serving side, then the vCPU thread again. Promises make no progress. */
  pump(): void {
    this.controller.safePoint(false);
    this.shared.serverNotifier.testAndClear();
    while (this.server.ready());
    this.controller.safePoint(false);
  }

  /** As pump(), with storage getting on in between, until neither side has anything left to do. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) {
      this.pump();
      await this.scheduler.advance(0);
    }
    this.pump();
  }

  // --- What every driver does

  /** Section 7.6.1, without waiting for RDY. */
  startEnable(entries = 32, cqEntries = entries): void {
    this.admin = new QueuePair(this, 0, entries, cqEntries);
    this.shadowPage = 0;
    this.write(AQA, (entries - 1) | ((cqEntries - 1) << 16));
    this.write(ASQ, this.admin.sqBase);
    this.write(ASQ + 4, 0);
    this.write(ACQ, this.admin.cqBase);
    this.write(ACQ + 4, 0);
    this.write(CC, CC_ENTRY_SIZES | CC_EN);
  }

  enable(entries = 32, cqEntries = entries): void {
    this.startEnable(entries, cqEntries);
    if ((this.csts & (RDY | CFS)) !== RDY) throw new Error("the controller did not get ready");
  }

  /** CC.EN 1 → 0, and waits until RDY has fallen. */
  disable(): void {
    this.write(CC, CC_ENTRY_SIZES);
    this.pump();
    if ((this.csts & RDY) !== 0) throw new Error("the controller did not reset");
  }

  /** Runs one admin command to its end. */
  async command(command: Command): Promise<Cqe> {
    const cid = this.admin.submit(command);
    for (let turn = 0; turn < 4; turn++) {
      this.pump();
      const found = this.admin.reap().find(cqe => cqe.cid === cid);
      if (found) return found;
      await this.scheduler.advance(0);
    }
    throw new Error(`admin command ${command.opcode} was not answered`);
  }

  createCq(queue: QueuePair, qid = queue.qid): Promise<Cqe> {
    const cdw = [qid | ((queue.cqEntries - 1) << 16), 3];
    return this.command({ opcode: 0x05, prp1: queue.cqBase, cdw });
  }

  createSq(queue: QueuePair, cqid = queue.qid): Promise<Cqe> {
    const cdw = [queue.qid | ((queue.sqEntries - 1) << 16), 1 | (cqid << 16)];
    return this.command({ opcode: 0x01, prp1: queue.sqBase, cdw });
  }

  async createQueues(qid = 1, sqEntries = 16, cqEntries = sqEntries): Promise<QueuePair> {
    const queue = new QueuePair(this, qid, sqEntries, cqEntries);
    for (const { status } of [await this.createCq(queue), await this.createSq(queue)]) {
      if (status !== 0) throw new Error(`queue ${qid} was refused: ${status.toString(16)}h`);
    }
    return queue;
  }

  deleteSq(qid: number): Promise<Cqe> {
    return this.command({ opcode: 0x00, cdw: [qid] });
  }

  deleteCq(qid: number): Promise<Cqe> {
    return this.command({ opcode: 0x04, cdw: [qid] });
  }

  /** Doorbell Buffer Config with fresh pages; the driver uses them from then on. */
  async configureShadow(): Promise<void> {
    const shadow = this.alloc(PAGE);
    const eventIdx = this.alloc(PAGE);
    const { status } = await this.command({ opcode: this.#shadowOpcode, prp1: shadow, prp2: eventIdx });
    if (status !== 0) throw new Error(`Doorbell Buffer Config: ${status.toString(16)}h`);
    this.shadowPage = shadow;
    this.eventIdxPage = eventIdx;
  }

  /** Enabled, with one I/O queue pair. */
  static async withQueue(options: RigOptions = {}, entries = 16): Promise<{ rig: Rig; io: QueuePair }> {
    const rig = await Rig.create(options);
    rig.enable();
    return { rig, io: await rig.createQueues(1, entries) };
  }

  /** … and with shadow doorbells. */
  static async withShadow(options: RigOptions = {}, entries = 16): Promise<{ rig: Rig; io: QueuePair }> {
    const made = await Rig.withQueue(options, entries);
    await made.rig.configureShadow();
    return made;
  }

  /** Runs one I/O command to its end. */
  async io(queue: QueuePair, command: Command): Promise<Cqe> {
    const cid = queue.submit(command);
    for (let turn = 0; turn < 8; turn++) {
      this.pump();
      const found = queue.reap().find(cqe => cqe.cid === cid);
      if (found) return found;
      await this.scheduler.advance(0);
    }
    throw new Error(`I/O command ${command.opcode} was not answered`);
  }
}

// --- Commands

/** Read (02h) or Write (01h) of `blocks` at `lba`. */
export function transfer(
  opcode: 1 | 2,
  lba: number,
  blocks: number,
  prps: { readonly prp1: number; readonly prp2?: number },
  options: { readonly nsid?: number; readonly fua?: boolean } = {},
): Command {
  const { nsid = 1, fua = false } = options;
  const cdw = [lba % 2 ** 32, Math.floor(lba / 2 ** 32), (blocks - 1) | (fua ? 1 << 30 : 0)];
  return { opcode, nsid, ...prps, cdw };
}

/** Writes a submission queue entry at an address. */
export function putCommand(words: Int32Array, at: number, command: Command, cid: number): void {
  const { opcode, flags = 0, nsid = 0, prp1 = 0, prp2 = 0, sgl, cdw = [] } = command;
  const w = at / 4;
  words.fill(0, w, w + 16);
  words[w] = opcode | (flags << 8) | (cid << 16);
  words[w + 1] = nsid;
  words[w + 6] = prp1 % 2 ** 32;
  words[w + 7] = Math.floor(prp1 / 2 ** 32);
  words[w + 8] = prp2 % 2 ** 32;
  words[w + 9] = Math.floor(prp2 / 2 ** 32);
  if (sgl) putSgl(words, w + 6, sgl);
  for (let i = 0; i < cdw.length; i++) words[w + 10 + i] = cdw[i];
}

/** Writes an SGL descriptor at a word index. */
export function putSgl(words: Int32Array, w: number, { address, length, type }: SglDescriptor): void {
  words[w] = address % 2 ** 32;
  words[w + 1] = Math.floor(address / 2 ** 32);
  words[w + 2] = length;
  words[w + 3] = type << 24;
}

export const FLUSH: Command = { opcode: 0x00, nsid: 1 };

/**
 * PRPs of `bytes` that start at `offset` in the first of freshly taken pages, which do not follow each other. Lists go
 * into pages of their own, chained where one does not suffice; the first starts `listOffset` bytes into its page.
 */
export function buildPrps(
  rig: Rig,
  bytes: number,
  offset = 0,
  listOffset = 0,
): { prp1: number; prp2: number; segments: { at: number; length: number }[] } {
  const segments: { at: number; length: number }[] = [];
  for (let left = bytes, start = offset; left > 0; start = 0) {
    const length = Math.min(left, PAGE - start);
    const page = rig.alloc(PAGE);
    // Leaves a page out every now and then, so that neighbours in the list are not neighbours in memory.
    if (segments.length % 3 === 1) rig.alloc(PAGE);
    segments.push({ at: page + start, length });
    left -= length;
  }
  const [first, ...rest] = segments;
  if (rest.length === 0) return { prp1: first.at, prp2: 0, segments };
  if (rest.length === 1) return { prp1: first.at, prp2: rest[0].at, segments };
  const { words } = rig.memory;
  let page = rig.alloc(PAGE);
  const prp2 = page + listOffset;
  let at = prp2;
  for (const [i, { at: address }] of rest.entries()) {
    if (at === page + PAGE - 8 && i < rest.length - 1) {
      page = rig.alloc(PAGE);
      words[at / 4] = page;
      words[at / 4 + 1] = 0;
      at = page;
    }
    words[at / 4] = address;
    words[at / 4 + 1] = 0;
    at += 8;
  }
  return { prp1: first.at, prp2, segments };
}

export function scatter(
  rig: Rig,
  segments: readonly { at: number; length: number }[],
  data: Uint8Array,
): void {
  let from = 0;
  for (const { at, length } of segments) {
    rig.memory.bytes.set(data.subarray(from, from + length), at);
    from += length;
  }
}

export function gather(rig: Rig, segments: readonly { at: number; length: number }[]): Uint8Array {
  const total = segments.reduce((sum, { length }) => sum + length, 0);
  const data = new Uint8Array(total);
  let to = 0;
  for (const { at, length } of segments) {
    data.set(rig.memory.bytes.subarray(at, at + length), to);
    to += length;
  }
  return data;
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

async function openDisk(options: DiskOptions, nsid: number, scheduler: ManualScheduler): Promise<RigDisk> {
  const { lbaShift = 9, blocks = 2048 } = options;
  const info: NamespaceInfo = {
    nsid: options.nsid ?? nsid,
    lbaShift,
    blocks,
    nguid: `00112233445566778899aabbccddee${(options.nsid ?? nsid).toString(16).padStart(2, "0")}`,
  };
  const store: MemoryStore = new Map();
  const faults: Faults = {};
  if (options.device) return { info, device: options.device, store, faults };
  const chunks = Math.ceil((blocks * 2 ** lbaShift) / CHUNK);
  const backend = new FaultBackend(new MemoryBackend(CHUNK, chunks, store), faults);
  // Large enough for any transfer, with nothing written back before the test says so.
  const device = await BlockCache.open(backend, {
    cacheBytes: 16 << 20,
    dirtyBytes: 8 << 20,
    writeBackBytes: 8 << 20,
    scheduler,
    ...options.cache,
  });
  return { info, device, store, faults };
}
