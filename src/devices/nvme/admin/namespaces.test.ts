import { describe, expect, it, vi } from "vitest";
import { StorageError } from "../../../storage/block_backend.ts";
import { type Command, DNR, FLUSH, PAGE, type QueuePair, Rig, transfer } from "../testing/driver.ts";

const INVALID_FIELD = 0x002 | DNR;
const INVALID_NAMESPACE = 0x00b | DNR;
const OPERATION_DENIED = 0x015 | DNR;
const INVALID_FORMAT = 0x10a | DNR;
const INSUFFICIENT_CAPACITY = 0x115 | DNR;
const ID_UNAVAILABLE = 0x116 | DNR;
const ALREADY_ATTACHED = 0x118 | DNR;
const NOT_ATTACHED = 0x11a | DNR;
const THIN_NOT_SUPPORTED = 0x11b | DNR;
const CONTROLLER_LIST_INVALID = 0x11c | DNR;
const FORMAT_IN_PROGRESS = 0x084;
const ALL = 0xffffffff;
const NN = 8;

const rigged = (options = {}) => Rig.withQueue({ highestNsid: NN, ...options });

interface Fields {
  readonly size?: bigint;
  readonly capacity?: bigint;
  readonly format?: number;
  readonly protection?: number;
  readonly shared?: number;
  readonly anaGroup?: number;
  readonly nvmSet?: number;
}

/** Namespace Management, create: the data structure is written as figure 245 says. */
function create(rig: Rig, { size = 2048n, capacity = size, ...fields }: Fields = {}): Command {
  const at = rig.alloc(PAGE);
  const view = new DataView(rig.memory.bytes.buffer, rig.memory.bytes.byteOffset + at, PAGE);
  view.setBigUint64(0, size, true);
  view.setBigUint64(8, capacity, true);
  view.setUint8(26, fields.format ?? 0);
  view.setUint8(29, fields.protection ?? 0);
  view.setUint8(30, fields.shared ?? 0);
  view.setUint32(92, fields.anaGroup ?? 0, true);
  view.setUint16(100, fields.nvmSet ?? 0, true);
  return { opcode: 0x0d, prp1: at, cdw: [0] };
}

const remove = (nsid: number): Command => ({ opcode: 0x0d, nsid, cdw: [1] });

/** Namespace Attachment with a list of controllers. */
function attachment(rig: Rig, select: number, nsid: number, controllers = [0], count = controllers.length) {
  const at = rig.alloc(PAGE);
  const view = new DataView(rig.memory.bytes.buffer, rig.memory.bytes.byteOffset + at, PAGE);
  view.setUint16(0, count, true);
  for (const [i, id] of controllers.entries()) view.setUint16(2 + i * 2, id, true);
  return { opcode: 0x15, nsid, prp1: at, cdw: [select] };
}
const attach = (rig: Rig, nsid: number) => attachment(rig, 0, nsid);
const detach = (rig: Rig, nsid: number) => attachment(rig, 1, nsid);

async function status(rig: Rig, command: Command): Promise<number> {
  return (await rig.command(command)).status;
}

async function identify(rig: Rig, cns: number, nsid = 0, controller = 0) {
  const page = rig.alloc(PAGE);
  const { status } = await rig.command({ opcode: 0x06, nsid, prp1: page, cdw: [cns | (controller << 16)] });
  return { status, data: rig.view(page, PAGE) };
}

/** A list of namespaces, up to the first zero. */
async function listed(rig: Rig, cns: number): Promise<number[]> {
  const { data } = await identify(rig, cns);
  const words = Array.from({ length: 1024 }, (_, i) => data.getUint32(i * 4, true));
  return words.slice(0, words.indexOf(0));
}

async function changedList(rig: Rig, retain = false): Promise<number[]> {
  const page = rig.alloc(PAGE);
  const cdw = [4 | (retain ? 1 << 15 : 0) | (1023 << 16)];
  expect(await status(rig, { opcode: 0x02, nsid: ALL, prp1: page, cdw })).toBe(0);
  const data = rig.view(page, PAGE);
  const words = Array.from({ length: 1024 }, (_, i) => data.getUint32(i * 4, true));
  return words.slice(0, words.indexOf(0));
}

/** A namespace that was created and attached: its id. */
async function added(rig: Rig, fields: Fields = {}): Promise<number> {
  const created = await rig.command(create(rig, fields));
  expect(created.status).toBe(0);
  expect(await status(rig, attach(rig, created.result))).toBe(0);
  return created.result;
}

async function writePage(rig: Rig, io: QueuePair, nsid: number, value: number) {
  const page = rig.alloc(PAGE);
  rig.memory.bytes.fill(value, page, page + PAGE);
  expect((await rig.io(io, transfer(1, 8, 8, { prp1: page }, { nsid }))).status).toBe(0);
}

async function readByte(rig: Rig, io: QueuePair, nsid: number, lba = 8): Promise<number> {
  const page = rig.alloc(PAGE);
  rig.memory.bytes.fill(0xcc, page, page + PAGE);
  expect((await rig.io(io, transfer(2, lba, 1, { prp1: page }, { nsid }))).status).toBe(0);
  return rig.memory.bytes[page];
}

describe("Namespace Management (5.20)", () => {
  it("creates a namespace that is allocated, not attached, and says so everywhere", async () => {
    const { rig, io } = await rigged();
    const before = (await identify(rig, 1)).data;
    const { status: created, result: nsid } = await rig.command(create(rig, { size: 4096n, format: 1 }));
    expect([created, nsid]).toEqual([0, 2]);
    expect(await listed(rig, 0x10)).toEqual([1, 2]);
    expect(await listed(rig, 0x02)).toEqual([1]);
    const { data } = await identify(rig, 0x11, nsid);
    expect([0, 8, 48].map(at => Number(data.getBigUint64(at, true)))).toEqual([4096, 4096, 4096 * 4096]);
    expect(data.getUint8(26)).toBe(1);
    expect(new Uint8Array((await identify(rig, 0x00, nsid)).data.buffer)).toEqual(new Uint8Array(PAGE));
    const io2 = transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }, { nsid });
    expect((await rig.io(io, io2)).status).toBe(INVALID_FIELD);
    // What is promised to it is no more unallocated; the total is the same.
    const after = (await identify(rig, 1)).data;
    const capacities = (view: DataView) => [280, 296].map(at => Number(view.getBigUint64(at, true)));
    expect(capacities(before)[0]).toBe(64 << 20);
    expect(capacities(after)).toEqual([64 << 20, capacities(before)[1] - 4096 * 4096]);
    expect([after.getUint32(516, true), after.getUint32(540, true)]).toEqual([NN, NN]); // NN, MNAN
  });

  it("deletes one with what is on it; its id is free for a new and empty one", async () => {
    const { rig, io } = await rigged();
    const nsid = await added(rig);
    await writePage(rig, io, nsid, 0x5a);
    expect(await status(rig, remove(nsid))).toBe(0);
    expect(await listed(rig, 0x10)).toEqual([1]);
    expect((await rig.io(io, { ...FLUSH, nsid })).status).toBe(INVALID_FIELD);
    expect(await added(rig)).toBe(nsid);
    expect(await readByte(rig, io, nsid)).toBe(0);
    expect(rig.bugs).toEqual([]);
  });

  it("deletes all, attached or not, when NSID is FFFFFFFFh", async () => {
    const { rig, io } = await rigged();
    await added(rig);
    await rig.command(create(rig));
    expect(await status(rig, remove(ALL))).toBe(0);
    expect(await listed(rig, 0x10)).toEqual([]);
    expect((await rig.io(io, FLUSH)).status).toBe(INVALID_FIELD);
  });

  it("refuses what cannot be", async () => {
    const { rig } = await rigged();
    for (const [fields, expected] of [
      [{ size: 0n }, INVALID_FIELD],
      [{ size: 100n, capacity: 200n }, INVALID_FIELD],
      [{ size: 200n, capacity: 100n }, THIN_NOT_SUPPORTED],
      [{ size: 200n, capacity: 0n }, THIN_NOT_SUPPORTED],
      [{ format: 2 }, INVALID_FORMAT],
      [{ format: 0x10 }, INVALID_FORMAT],
      [{ protection: 1 }, INVALID_FORMAT],
      [{ shared: 1 }, INVALID_FIELD],
      [{ anaGroup: 1 }, INVALID_FIELD],
      [{ nvmSet: 1 }, INVALID_FIELD],
      [{ size: 1n << 30n }, INSUFFICIENT_CAPACITY],
      [{ size: (1n << 64n) - 1n }, INSUFFICIENT_CAPACITY],
    ] as const) {
      expect(await status(rig, create(rig, fields)), `${JSON.stringify(Object.keys(fields))}`).toBe(expected);
    }
    expect(await status(rig, { ...create(rig), cdw: [2] })).toBe(INVALID_FIELD); // SEL
    expect(await status(rig, { ...create(rig), cdw: [0, 2 << 24] })).toBe(INVALID_FIELD); // CSI
    expect(await status(rig, { ...create(rig), prp1: rig.memory.byteLength })).toBe(0x004);
    expect(await status(rig, remove(2))).toBe(INVALID_FIELD);
    for (const nsid of [0, NN + 1, 0xfffffffe])
      expect(await status(rig, remove(nsid))).toBe(INVALID_NAMESPACE);
    expect(await listed(rig, 0x10)).toEqual([1]);
  });

  it("tells when there are no ids left, when the store refuses, and when it fails", async () => {
    const { rig } = await rigged({ highestNsid: 2 });
    expect(await status(rig, create(rig))).toBe(0);
    expect(await status(rig, create(rig))).toBe(ID_UNAVAILABLE);
    rig.namespaces.refusal = "protected";
    expect(await status(rig, remove(2))).toBe(OPERATION_DENIED);
    rig.namespaces.refusal = "too-small";
    expect(await status(rig, create(rig))).toBe(INVALID_FIELD);
    rig.namespaces.create = () => Promise.reject(new StorageError("no-space", "injected"));
    expect(await status(rig, create(rig))).toBe(INSUFFICIENT_CAPACITY);
    rig.namespaces.create = () => Promise.reject(new StorageError("io", "injected"));
    expect(await status(rig, create(rig))).toBe(0x006);
    expect(rig.bugs).toEqual([]);
  });

  it("runs commands that were queued together in order", async () => {
    const { rig } = await rigged();
    const commands = [create(rig), attach(rig, 2), create(rig), remove(2)];
    // The attach is checked when it is fetched: namespace 2 is not there yet.
    const cids = commands.map(command => rig.admin.submit(command));
    await rig.settle();
    const ended = rig.admin.reap();
    expect(ended.map(({ cid }) => cid).sort()).toEqual([...cids].sort());
    const of = (i: number) => ended.find(({ cid }) => cid === cids[i]);
    expect([of(0)?.result, of(2)?.result]).toEqual([2, 3]);
    expect([of(1)?.status, of(3)?.status]).toEqual([INVALID_FIELD, INVALID_FIELD]);
    expect(await listed(rig, 0x10)).toEqual([1, 2, 3]);
  });

  it("a reset takes the answer away, not the namespace; the next one waits for it", async () => {
    const { rig } = await rigged();
    rig.admin.submit(create(rig));
    rig.controller.safePoint(false);
    rig.disable();
    rig.enable();
    await rig.settle();
    expect(rig.admin.reap()).toEqual([]);
    expect((await rig.command(create(rig))).result).toBe(3);
    expect(await listed(rig, 0x10)).toEqual([1, 2, 3]);
  });
});

describe("Namespace Attachment (5.19)", () => {
  it("what was written is there again after it was detached and attached", async () => {
    const { rig, io } = await rigged();
    const nsid = await added(rig);
    await writePage(rig, io, nsid, 0x5a);
    expect(await status(rig, detach(rig, nsid))).toBe(0);
    expect(rig.created[0].store.size).toBe(1); // flushed
    expect(await listed(rig, 0x02)).toEqual([1]);
    expect(await status(rig, attach(rig, nsid))).toBe(0);
    expect(await readByte(rig, io, nsid)).toBe(0x5a);
  });

  it("refuses what is so already, ids that are not allocated, and other controllers", async () => {
    const { rig } = await rigged();
    expect(await status(rig, attach(rig, 1))).toBe(ALREADY_ATTACHED);
    const { result: nsid } = await rig.command(create(rig));
    expect(await status(rig, detach(rig, nsid))).toBe(NOT_ATTACHED);
    expect(await status(rig, attach(rig, 5))).toBe(INVALID_FIELD);
    for (const none of [0, NN + 1, ALL]) expect(await status(rig, attach(rig, none))).toBe(INVALID_NAMESPACE);
    for (const [controllers, count] of [
      [[1]],
      [[0, 1]],
      [[], 0],
      [[0], 0],
      [[0, 0]],
      [[0], 65535],
    ] as const) {
      const command = attachment(rig, 0, nsid, [...controllers], count);
      expect(await status(rig, command), `${controllers} ${count}`).toBe(CONTROLLER_LIST_INVALID);
    }
    expect(await status(rig, attachment(rig, 2, nsid))).toBe(INVALID_FIELD); // SEL
    expect(await status(rig, { ...attach(rig, nsid), prp1: rig.memory.byteLength })).toBe(0x004);
    expect(await listed(rig, 0x02)).toEqual([1]);
  });

  it("controller lists say who has it (CNS 12h, 13h)", async () => {
    const { rig } = await rigged();
    const { result: nsid } = await rig.command(create(rig));
    const ids = async (cns: number, id: number, from = 0) => {
      const { status, data } = await identify(rig, cns, id, from);
      expect(status).toBe(0);
      return Array.from({ length: data.getUint16(0, true) }, (_, i) => data.getUint16(2 + i * 2, true));
    };
    expect(await ids(0x12, 1)).toEqual([0]);
    expect(await ids(0x12, 1, 1)).toEqual([]);
    expect(await ids(0x12, nsid)).toEqual([]);
    expect(await ids(0x13, 0)).toEqual([0]);
    expect(await ids(0x13, 0, 1)).toEqual([]);
    expect((await identify(rig, 0x12, ALL)).status).toBe(INVALID_FIELD);
    expect((await identify(rig, 0x12, NN + 1)).status).toBe(INVALID_NAMESPACE);
    expect((await identify(rig, 0x11, NN + 1)).status).toBe(INVALID_NAMESPACE);
    expect((await identify(rig, 0x10, 0xfffffffe)).status).toBe(INVALID_NAMESPACE);
  });

  it("commands under way end before the disk goes, those behind are refused, and nothing is lost", async () => {
    const { rig, io } = await rigged();
    const nsid = await added(rig);
    let release = () => {};
    rig.created[0].faults.commit = () =>
      new Promise<void>(resolve => {
        release = resolve;
      });
    const page = rig.alloc(PAGE);
    rig.memory.bytes.fill(0x77, page, page + PAGE);
    const underWay = io.submit(transfer(1, 8, 8, { prp1: page }, { nsid, fua: true }));
    await rig.settle();
    const detaching = rig.admin.submit(detach(rig, nsid));
    await rig.settle();
    expect([rig.admin.reap(), io.reap()]).toEqual([[], []]);
    expect((await rig.io(io, transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }, { nsid }))).status).toBe(
      INVALID_FIELD,
    );
    // Others go on.
    await writePage(rig, io, 1, 1);
    delete rig.created[0].faults.commit;
    release();
    await rig.settle();
    expect(io.reap()).toEqual([expect.objectContaining({ cid: underWay, status: 0 })]);
    expect(rig.admin.reap()).toEqual([expect.objectContaining({ cid: detaching, status: 0 })]);
    expect(await status(rig, attach(rig, nsid))).toBe(0);
    expect(await readByte(rig, io, nsid)).toBe(0x77);
  });

  it("stays attached when what was written cannot be saved", async () => {
    const { rig, io } = await rigged();
    const nsid = await added(rig);
    await writePage(rig, io, nsid, 0x5a);
    rig.created[0].faults.commit = () => {
      throw new StorageError("io", "injected");
    };
    expect(await status(rig, detach(rig, nsid))).toBe(0x280);
    expect(await listed(rig, 0x02)).toEqual([1, nsid]);
    expect(await readByte(rig, io, nsid)).toBe(0x5a);
  });
});

describe("changes that the host is told of (5.2, 5.14.1.4)", () => {
  const NOTICES = 1 << 8;
  /** Notice, Namespace Attribute Changed, log page 04h. */
  const EVENT = 2 | (4 << 16);

  it("an event for what changed, once until the list was read", async () => {
    const { rig } = await rigged();
    expect((await identify(rig, 1)).data.getUint32(92, true) & NOTICES).toBe(NOTICES); // OAES
    await rig.command({ opcode: 0x09, cdw: [0x0b, NOTICES] });
    const aer = rig.admin.submit({ opcode: 0x0c });
    await rig.settle();
    const { result: nsid } = await rig.command(create(rig));
    // Created, not attached: nothing that the host sees has changed.
    await rig.settle();
    expect(await changedList(rig, true)).toEqual([]);
    const attaching = rig.admin.submit(attach(rig, nsid));
    await rig.settle();
    expect(rig.admin.reap().map(({ cid, status, result }) => [cid, status, result])).toEqual([
      [aer, 0, EVENT],
      [attaching, 0, 0],
    ]);
    const second = rig.admin.submit({ opcode: 0x0c });
    expect(await status(rig, remove(nsid))).toBe(0);
    expect(await changedList(rig, true)).toEqual([nsid]); // retained: nothing is forgotten, no event follows
    expect(await changedList(rig)).toEqual([nsid]);
    expect(await changedList(rig)).toEqual([]);
    await rig.settle();
    expect(rig.admin.reap().filter(({ cid }) => cid === second)).toHaveLength(0);
    await added(rig);
    await rig.settle();
    expect(await changedList(rig)).toEqual([nsid]);
  });

  it("no event unless Asynchronous Event Configuration asks for it, but the list", async () => {
    const { rig } = await rigged();
    rig.admin.submit({ opcode: 0x0c });
    const nsid = await added(rig);
    expect(await status(rig, detach(rig, nsid))).toBe(0);
    await rig.settle();
    expect(rig.admin.reap()).toEqual([]);
    expect(await changedList(rig)).toEqual([nsid]);
  });

  it("a disk that somebody else puts in or takes out is told of in the same way", async () => {
    const { rig, io } = await rigged();
    await rig.command({ opcode: 0x09, cdw: [0x0b, NOTICES] });
    const aer = rig.admin.submit({ opcode: 0x0c });
    await rig.settle();
    const nsid = await rig.namespaces.create({ lbaShift: 9, blocks: 2048 });
    await rig.namespaces.attach(nsid);
    await rig.settle();
    expect(rig.admin.reap()).toEqual([expect.objectContaining({ cid: aer, result: EVENT })]);
    expect(await changedList(rig)).toEqual([nsid]);
    await writePage(rig, io, nsid, 3);
    await rig.namespaces.detach(nsid);
    await rig.settle();
    expect(await changedList(rig)).toEqual([nsid]);
    expect((await rig.io(io, { ...FLUSH, nsid })).status).toBe(INVALID_FIELD);
  });

  it("a reset forgets the list", async () => {
    const { rig } = await rigged();
    await added(rig);
    rig.disable();
    rig.enable();
    expect(await changedList(rig)).toEqual([]);
  });
});

describe("Format NVM to another block size (5.23)", () => {
  const format = (nsid: number, lbaf: number) => ({ opcode: 0x80, nsid, cdw: [lbaf] });

  it("deletes the data, and Identify and the LBA checks follow", async () => {
    const { rig, io } = await rigged();
    await writePage(rig, io, 1, 0x5a);
    await rig.io(io, FLUSH);
    expect(await status(rig, format(1, 1))).toBe(0);
    expect(rig.disks[0].store.size).toBe(0);
    const { data } = await identify(rig, 0, 1);
    expect([data.getUint8(26), Number(data.getBigUint64(0, true))]).toEqual([1, 2048 / 8]);
    expect(await readByte(rig, io, 1, 1)).toBe(0);
    const beyond = transfer(2, 256, 1, { prp1: rig.alloc(PAGE) });
    expect((await rig.io(io, beyond)).status).toBe(0x080 | DNR);
    expect(await changedList(rig)).toEqual([1]);
    // And back.
    expect(await status(rig, format(ALL, 0))).toBe(0);
    expect(Number((await identify(rig, 0, 1)).data.getBigUint64(0, true))).toBe(2048);
  });

  it("refuses commands meanwhile, and keeps the format when the deletion fails", async () => {
    const { rig, io } = await rigged();
    await writePage(rig, io, 1, 0x5a);
    await rig.io(io, FLUSH);
    let fail = () => {};
    rig.disks[0].faults.commit = () =>
      new Promise<void>((_, reject) => {
        fail = () => reject(new StorageError("io", "injected"));
      });
    const cid = rig.admin.submit(format(1, 1));
    await rig.settle();
    expect((await rig.io(io, FLUSH)).status).toBe(FORMAT_IN_PROGRESS);
    expect(await status(rig, format(1, 0))).toBe(FORMAT_IN_PROGRESS);
    fail();
    await rig.settle();
    expect(rig.admin.reap()).toEqual([expect.objectContaining({ cid, status: 0x280 })]);
    expect((await identify(rig, 0, 1)).data.getUint8(26)).toBe(0);
    expect((await rig.io(io, transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }))).status).toBe(0);
  });

  it("that fails does not bring back a namespace that somebody else takes out meanwhile", async () => {
    const { rig, io } = await rigged({ disks: [{}, {}] });
    await writePage(rig, io, 1, 0x5a);
    await rig.io(io, FLUSH);
    rig.disks[0].faults.commit = () => {
      throw new StorageError("io", "injected");
    };
    await writePage(rig, io, 2, 0x5a);
    let release = () => {};
    rig.disks[1].faults.commit = () =>
      new Promise<void>(resolve => {
        release = resolve;
      });
    let isOut = false;
    const takingOut = rig.namespaces.detach(2).then(() => {
      isOut = true;
    });
    const cid = rig.admin.submit(format(1, 1));
    await rig.settle();
    expect(rig.admin.reap()).toEqual([expect.objectContaining({ cid, status: 0x280 })]);
    // What was written to the other one is still being saved.
    expect(isOut).toBe(false);
    const read = transfer(2, 8, 1, { prp1: rig.alloc(PAGE) }, { nsid: 2 });
    expect((await rig.io(io, read)).status).toBe(INVALID_FIELD);
    release();
    await takingOut;
    expect(await listed(rig, 0x02)).toEqual([1]);
  });

  it("a namespace is not taken out in the middle of it", async () => {
    const { rig, io } = await rigged();
    await writePage(rig, io, 1, 0x5a);
    await rig.io(io, FLUSH);
    let release = () => {};
    rig.disks[0].faults.commit = () =>
      new Promise<void>(resolve => {
        release = resolve;
      });
    const cid = rig.admin.submit(format(1, 1));
    await rig.settle();
    const flush = vi.spyOn(rig.disks[0].device, "flush");
    const takingOut = rig.namespaces.detach(1);
    await rig.settle();
    // It has not come to that of the detaching.
    expect(flush).not.toHaveBeenCalled();
    delete rig.disks[0].faults.commit;
    release();
    await rig.settle();
    await takingOut;
    await rig.settle();
    expect(rig.admin.reap()).toEqual([expect.objectContaining({ cid })]);
    expect(rig.disks[0].store.size).toBe(0);
    expect(rig.bugs).toEqual([]);
  });

  it("an inactive namespace is not formatted", async () => {
    const { rig } = await rigged();
    const { result: nsid } = await rig.command(create(rig));
    expect(await status(rig, format(nsid, 1))).toBe(INVALID_FIELD);
    expect(await status(rig, format(NN + 1, 1))).toBe(INVALID_NAMESPACE);
  });
});

describe("blocks that Write Uncorrectable has marked (6.16)", () => {
  const WRITE_UNCORRECTABLE = { opcode: 0x04, nsid: 1, cdw: [8, 0, 0] };
  const UNRECOVERED = 0x281;

  async function marked() {
    const { rig, io } = await rigged({ disks: [{}, {}] });
    expect((await rig.io(io, WRITE_UNCORRECTABLE)).status).toBe(0);
    const read = async (lba = 8) => (await rig.io(io, transfer(2, lba, 1, { prp1: rig.alloc(PAGE) }))).status;
    expect(await read()).toBe(UNRECOVERED);
    return { rig, io, read };
  }

  it("stay marked while the namespace is detached, and those of others as they are", async () => {
    const { rig, read } = await marked();
    expect(await status(rig, remove(2))).toBe(0);
    expect(await status(rig, detach(rig, 1))).toBe(0);
    expect(await status(rig, attach(rig, 1))).toBe(0);
    expect(await read()).toBe(UNRECOVERED);
  });

  it("can be read after a format to other blocks, and after Sanitize while it was detached", async () => {
    const formatted = await marked();
    expect(await status(formatted.rig, { opcode: 0x80, nsid: 1, cdw: [1] })).toBe(0);
    expect(await formatted.read(1)).toBe(0);

    const { rig, read } = await marked();
    expect(await status(rig, detach(rig, 1))).toBe(0);
    expect(await status(rig, { opcode: 0x84, cdw: [2] })).toBe(0);
    await rig.settle();
    expect(await status(rig, attach(rig, 1))).toBe(0);
    expect(await read()).toBe(0);
  });

  it("go with a namespace that is deleted", async () => {
    const { rig, io, read } = await marked();
    expect(await status(rig, remove(1))).toBe(0);
    // The same id and NGUID again.
    for (const _ of ["", ""]) {
      expect(await status(rig, create(rig))).toBe(0);
      expect(await status(rig, attach(rig, 1))).toBe(0);
      expect(await read()).toBe(0);
      expect((await rig.io(io, WRITE_UNCORRECTABLE)).status).toBe(0);
      expect(await read()).toBe(UNRECOVERED);
      expect(await status(rig, remove(1))).toBe(0);
    }
  });
});

it("Identify of NSID FFFFFFFFh tells what all namespaces have in common (5.15.2.1)", async () => {
  const { rig } = await rigged();
  const { status: answered, data } = await identify(rig, 0, ALL);
  expect(answered).toBe(0);
  expect([data.getUint8(25), data.getUint8(130), data.getUint8(134)]).toEqual([1, 9, 12]);
  expect(Number(data.getBigUint64(0, true))).toBe(0);
});

it("Sanitize erases namespaces that are not attached as well, and nothing is managed meanwhile (8.15)", async () => {
  const { rig, io } = await rigged();
  const nsid = await added(rig);
  await writePage(rig, io, nsid, 0x5a);
  expect(await status(rig, detach(rig, nsid))).toBe(0);
  expect(rig.created[0].store.size).toBe(1);
  expect(await status(rig, { opcode: 0x84, cdw: [2] })).toBe(0);
  for (const command of [create(rig), remove(nsid), attach(rig, nsid)]) {
    rig.admin.submit(command);
  }
  rig.controller.safePoint(false);
  const inProgress = 0x01d;
  expect(rig.admin.reap().map(each => each.status)).toEqual([inProgress, inProgress, inProgress]);
  await rig.settle();
  expect(rig.created[0].store.size).toBe(0);
  expect(await status(rig, attach(rig, nsid))).toBe(0);
  expect(await readByte(rig, io, nsid)).toBe(0);
});
