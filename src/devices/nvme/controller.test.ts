import { describe, expect, it } from "vitest";
import { StorageError } from "../../storage/block_backend.ts";
import { hang } from "../../storage/fault_backend.ts";
import {
  ACQ,
  AQA,
  ASQ,
  CAP,
  CC,
  CC_EN,
  CC_ENTRY_SIZES,
  CC_SHN_NORMAL,
  CFS,
  CSTS,
  DNR,
  FLUSH,
  headDoorbell,
  INTMC,
  INTMS,
  PAGE,
  pattern,
  RDY,
  Rig,
  SHST,
  SHST_COMPLETE,
  SHST_OCCURRING,
  tailDoorbell,
  transfer,
  VS,
} from "./testing/driver.ts";

describe("registers (NVMe 1.4, section 3.1)", () => {
  it("CAP and VS say what this controller can do (3.1.1, 3.1.2)", async () => {
    const rig = await Rig.create();
    const low = rig.read(CAP);
    const high = rig.read(CAP + 4);
    expect((low & 0xffff) + 1).toBe(1024); // MQES
    expect((low >>> 16) & 1).toBe(1); // CQR
    expect(low >>> 24).toBeGreaterThan(0); // TO
    expect(high & 0xf).toBe(0); // DSTRD
    expect((high >>> 4) & 1).toBe(1); // NSSRS
    expect((high >>> 5) & 1).toBe(1); // CSS: NVM command set
    expect((high >>> 16) & 0xff).toBe(0); // MPSMIN and MPSMAX: 4 KiB
    expect(rig.read(VS)).toBe(0x00010400);
  });

  it("AQA, ASQ and ACQ keep what is written, less reserved bits (3.1.8 to 3.1.10)", async () => {
    const rig = await Rig.create();
    rig.write(AQA, 0xffffffff);
    rig.write(ASQ, 0x12345fff);
    rig.write(ASQ + 4, 0xdeadbeef);
    rig.write(ACQ, -1);
    rig.write(ACQ + 4, 7);
    expect(rig.read(AQA)).toBe(0x0fff0fff);
    expect([rig.read(ASQ), rig.read(ASQ + 4)]).toEqual([0x12345000, 0xdeadbeef]);
    expect([rig.read(ACQ), rig.read(ACQ + 4)]).toEqual([0xfffff000, 7]);
  });

  it("reserved registers and doorbells read as zero and take writes in silence", async () => {
    const rig = await Rig.create();
    for (const offset of [0x18, 0x38, 0x0ffc, 0x1000, 0x1ffc, 0x2001, 0x1fffc]) {
      rig.write(offset, -1);
      expect(rig.read(offset)).toBe(0);
    }
    expect(rig.csts).toBe(0);
  });
});

describe("enable and disable (section 7.6.1, 3.1.5, 3.1.6)", () => {
  it("RDY follows EN", async () => {
    const rig = await Rig.create();
    expect(rig.csts).toBe(0);
    rig.enable();
    expect(rig.csts).toBe(RDY);
    rig.disable();
    expect(rig.csts).toBe(0);
  });

  it.each([
    ["memory page size 8 KiB", (rig: Rig) => rig.write(CC, CC_ENTRY_SIZES | (1 << 7) | CC_EN)],
    ["an unsupported command set", (rig: Rig) => rig.write(CC, CC_ENTRY_SIZES | (6 << 4) | CC_EN)],
    ["weighted round robin", (rig: Rig) => rig.write(CC, CC_ENTRY_SIZES | (1 << 11) | CC_EN)],
    ["an admin SQ of one entry", (rig: Rig) => rig.write(AQA, 31 << 16)],
    ["an admin CQ of one entry", (rig: Rig) => rig.write(AQA, 31)],
    ["an admin SQ outside RAM", (rig: Rig) => rig.write(ASQ, 0xf0000000)],
    ["an admin SQ above 4 GiB", (rig: Rig) => rig.write(ASQ + 4, 1)],
    ["an admin CQ in the VGA window", (rig: Rig) => rig.write(ACQ, 0xa0000)],
    [
      "an admin CQ that ends outside RAM",
      (rig: Rig) => {
        rig.write(AQA, 31 | (1023 << 16));
        rig.write(ACQ, rig.memory.byteLength - PAGE);
      },
    ],
  ])("%s is a fatal status, which a reset clears", async (_name, spoil) => {
    const rig = await Rig.create();
    rig.enable();
    rig.disable();
    spoil(rig);
    if ((rig.read(CC) & CC_EN) === 0) rig.write(CC, CC_ENTRY_SIZES | CC_EN);
    expect(rig.csts & (CFS | RDY)).toBe(CFS);
    rig.write(tailDoorbell(0), 1);
    rig.pump();
    rig.write(CC, 0);
    rig.pump();
    expect(rig.csts).toBe(0);
    rig.enable();
    expect(await rig.createQueues()).toBeDefined();
  });

  it("an AQA that says 4096 entries is taken where RAM has room for them", async () => {
    const rig = await Rig.create();
    rig.enable(4096);
    expect(rig.csts).toBe(RDY);
  });
});

/** A read that storage does not answer: the chunk exists, but is not in the cache. */
async function withHangingRead() {
  const made = await Rig.withQueue({ disks: [{ cache: { cacheBytes: 4 * 16384, dirtyBytes: 2 * 16384 } }] });
  const { rig, io } = made;
  const page = rig.alloc(PAGE);
  rig.memory.bytes.fill(0x5a, page, page + PAGE);
  for (let lba = 0; lba < 6 * 32; lba += 32) {
    expect((await rig.io(io, transfer(1, lba, 8, { prp1: page }, { fua: true }))).status).toBe(0);
  }
  const held: (() => void)[] = [];
  rig.disks[0].faults.read = () => new Promise<void>(resolve => void held.push(resolve));
  rig.memory.bytes.fill(0xee, page, page + PAGE);
  io.submit(transfer(2, 0, 8, { prp1: page }));
  rig.pump();
  await rig.scheduler.advance(0);
  expect(rig.server.pending).toBe(true);
  const release = () => {
    rig.disks[0].faults.read = undefined;
    for (const resolve of held) resolve();
  };
  return { ...made, page, release };
}

describe("controller reset (section 7.3.2)", () => {
  it("RDY falls only when the serving side has acknowledged", async () => {
    const { rig } = await Rig.withQueue();
    rig.write(CC, 0);
    rig.controller.safePoint(false);
    expect(rig.csts & RDY).toBe(RDY);
    rig.server.ready();
    expect(rig.csts & RDY).toBe(0);
  });

  it("a read that hangs in storage neither moves data nor completes after the reset", async () => {
    const { rig, io, page, release } = await withHangingRead();
    rig.disable();
    const before = rig.memory.bytes.slice();
    release();
    await rig.settle();
    await rig.settle();
    expect(Buffer.compare(rig.memory.bytes, before)).toBe(0);
    expect(rig.memory.bytes[page]).toBe(0xee);
    expect(io.reap(9, true)).toEqual([]);
    expect(rig.server.pending).toBe(false);
    expect(rig.bugs).toEqual([]);
  });

  it("a write that hangs in storage changes neither disk nor guest after the reset", async () => {
    const { rig, io, page, release } = await withHangingRead();
    rig.memory.bytes.fill(0x77, page, page + 512);
    io.submit(transfer(1, 33, 1, { prp1: page })); // part of a chunk that is not in memory
    rig.pump();
    await rig.scheduler.advance(0);
    rig.disable();
    release();
    await rig.settle();
    rig.enable();
    const again = await rig.createQueues();
    const to = rig.alloc(PAGE);
    expect((await rig.io(again, transfer(2, 33, 1, { prp1: to }))).status).toBe(0);
    expect(rig.slice(to, 512)).toEqual(new Uint8Array(512).fill(0x5a));
  });

  it("a completion that is on the ring when the reset comes is not posted", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    io.submit(transfer(2, 0, 8, { prp1: page }));
    rig.server.ready();
    expect(rig.shared.completions.length).toBe(1);
    rig.write(CC, 0);
    const before = rig.memory.bytes.slice(io.cqBase, io.cqBase + PAGE);
    rig.pump();
    expect(rig.slice(io.cqBase, PAGE)).toEqual(before);
    expect(rig.shared.completions.length).toBe(0);
    expect(rig.pin).toBe(false);
  });

  it("a command that was rung but not fetched when the reset comes is never executed", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    rig.memory.bytes.fill(0x11, page, page + 512);
    io.submit(transfer(1, 5, 1, { prp1: page }));
    rig.disable();
    rig.enable();
    const again = await rig.createQueues();
    rig.pump();
    expect(again.reap()).toEqual([]);
    const to = rig.alloc(PAGE);
    await rig.io(again, transfer(2, 5, 1, { prp1: to }));
    expect(rig.slice(to, 512)).toEqual(new Uint8Array(512));
  });

  it("EN set again before the reset is over enables when it is", async () => {
    const { rig, io } = await Rig.withQueue();
    rig.write(CC, 0);
    rig.startEnable();
    rig.admin.submit({ opcode: 0x06, prp1: rig.alloc(PAGE), cdw: [1] });
    rig.controller.safePoint(false);
    expect(rig.admin.reap()).toEqual([]);
    rig.server.ready();
    expect(rig.csts).toBe(RDY);
    rig.write(tailDoorbell(0), rig.admin.tail);
    rig.pump();
    expect(rig.admin.reap().map(({ status }) => status)).toEqual([0]);
    expect(io.reap()).toEqual([]);
  });

  it("EN set and cleared again before the reset is over leaves the controller disabled", async () => {
    const { rig } = await Rig.withQueue();
    rig.write(CC, 0);
    rig.startEnable();
    rig.write(CC, 0);
    rig.pump();
    expect(rig.csts).toBe(0);
  });

  it("brings features, queues and the interrupt mask back to their first values", async () => {
    const { rig, io } = await Rig.withQueue();
    await rig.command({ opcode: 0x09, cdw: [0x06, 0] });
    rig.write(INTMS, 1);
    rig.disable();
    expect(rig.read(INTMS)).toBe(0);
    rig.enable();
    expect((await rig.command({ opcode: 0x0a, cdw: [0x06] })).result).toBe(1);
    rig.write(tailDoorbell(io.qid), 1);
    expect((await rig.deleteSq(1)).status).toBe(0x101 | DNR);
  });

  it("the machine's own reset also clears the registers", async () => {
    const { rig } = await Rig.withQueue();
    rig.controller.reset();
    expect([CC, CSTS, AQA, ASQ, ACQ].map(register => rig.read(register))).toEqual([0, 0, 0, 0, 0]);
    rig.startEnable();
    rig.pump();
    expect(rig.csts).toBe(RDY);
    await rig.createQueues();
  });
});

describe("shutdown notification (section 7.6.2)", () => {
  async function dirty() {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    rig.memory.bytes.set(pattern(PAGE, 1), page);
    await rig.io(io, transfer(1, 0, 8, { prp1: page }));
    expect(rig.disks[0].store.size).toBe(0);
    return { rig, io, disk: rig.disks[0] };
  }
  const shutDown = (rig: Rig) => rig.write(CC, CC_ENTRY_SIZES | CC_SHN_NORMAL | CC_EN);

  it("is complete only when the data is durable", async () => {
    const { rig, disk } = await dirty();
    let commit = () => {};
    disk.faults.commit = () =>
      new Promise<void>(resolve => {
        commit = resolve;
      });
    shutDown(rig);
    expect(rig.csts & SHST).toBe(SHST_OCCURRING);
    await rig.settle();
    expect(rig.csts & SHST).toBe(SHST_OCCURRING);
    expect(disk.store.size).toBe(0);
    commit();
    await rig.settle();
    expect(rig.csts & SHST).toBe(SHST_COMPLETE);
    expect(disk.store.get(0)?.subarray(0, PAGE)).toEqual(pattern(PAGE, 1));
  });

  it("covers all namespaces", async () => {
    const { rig, io } = await Rig.withQueue({ disks: [{}, {}] });
    const page = rig.alloc(PAGE);
    rig.memory.bytes.fill(9, page, page + 512);
    await rig.io(io, transfer(1, 0, 1, { prp1: page }, { nsid: 2 }));
    shutDown(rig);
    await rig.settle();
    expect(rig.csts & SHST).toBe(SHST_COMPLETE);
    expect(rig.disks[1].store.size).toBe(1);
  });

  it("is never complete, but a fatal status, when the data could not be saved", async () => {
    const { rig, disk } = await dirty();
    disk.faults.commit = () => Promise.reject(new StorageError("io", "injected"));
    shutDown(rig);
    await rig.settle();
    expect(rig.csts & SHST).toBe(SHST_OCCURRING);
    expect(rig.csts & CFS).toBe(CFS);
  });

  it("a reset takes the controller out of it (section 7.6.2: a reset must come before it is used again)", async () => {
    const { rig } = await dirty();
    shutDown(rig);
    await rig.settle();
    rig.disable();
    expect(rig.csts).toBe(0);
    rig.enable();
    expect(rig.csts).toBe(RDY);
    shutDown(rig);
    expect(rig.csts & SHST).toBe(SHST_OCCURRING);
    await rig.settle();
    expect(rig.csts & SHST).toBe(SHST_COMPLETE);
  });

  it("that is asked for while a reset goes on completes too", async () => {
    const { rig } = await dirty();
    rig.write(CC, CC_ENTRY_SIZES);
    rig.write(CC, CC_ENTRY_SIZES | CC_SHN_NORMAL);
    await rig.settle();
    expect(rig.csts).toBe(SHST_COMPLETE);
    expect(rig.disks[0].store.size).toBe(1);
  });

  it("waits as long as storage hangs", async () => {
    const { rig, disk } = await dirty();
    disk.faults.commit = hang;
    shutDown(rig);
    for (let i = 0; i < 5; i++) await rig.settle();
    expect(rig.csts & SHST).toBe(SHST_OCCURRING);
    expect(rig.server.pending).toBe(true);
  });
});

describe("interrupt pin (section 7.5.1)", () => {
  it("is asserted while a completion queue has entries, and falls with the head doorbell", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    expect(rig.pin).toBe(false);
    io.submit(transfer(2, 0, 1, { prp1: page }));
    io.submit(transfer(2, 0, 1, { prp1: page }));
    rig.server.ready();
    expect(rig.pin).toBe(false);
    rig.controller.safePoint(false);
    expect(rig.pin).toBe(true);
    io.reap(1);
    expect(rig.pin).toBe(true);
    io.reap(1);
    expect(rig.pin).toBe(false);
  });

  it("is never raised by a register write, whatever is written", async () => {
    // The rig throws if it is.
    const { rig, io } = await Rig.withQueue();
    rig.write(INTMS, 1);
    io.submit(transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }));
    rig.pump();
    expect(rig.pin).toBe(false);
    rig.write(INTMC, 1);
    expect(rig.pin).toBe(false);
    rig.controller.safePoint(false);
    expect(rig.pin).toBe(true);
  });

  it("INTMS lowers it at once and INTMC lets it come back (3.1.3, 3.1.4); both read as the mask", async () => {
    const { rig, io } = await Rig.withQueue();
    io.submit(transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }));
    rig.pump();
    expect(rig.pin).toBe(true);
    rig.write(INTMS, 1);
    expect([rig.pin, rig.read(INTMS), rig.read(INTMC)]).toEqual([false, 1, 1]);
    rig.write(INTMC, 0); // a 0 changes nothing
    rig.pump();
    expect([rig.pin, rig.read(INTMC)]).toEqual([false, 1]);
    rig.write(INTMC, 1);
    rig.pump();
    expect([rig.pin, rig.read(INTMC)]).toEqual([true, 0]);
    io.reap();
    rig.pump();
    expect(rig.pin).toBe(false);
  });

  it("stays low for a completion queue that was created without interrupts", async () => {
    const rig = await Rig.create();
    rig.enable();
    const queue = await rig.createQueues(2);
    const silent = { opcode: 0x05, prp1: rig.alloc(PAGE), cdw: [1 | (15 << 16), 1] };
    expect((await rig.command(silent)).status).toBe(0);
    expect(
      (await rig.command({ opcode: 0x01, prp1: rig.alloc(PAGE), cdw: [1 | (15 << 16), 1 | (1 << 16)] }))
        .status,
    ).toBe(0);
    rig.write(tailDoorbell(1), 1);
    rig.pump();
    expect(rig.pin).toBe(false);
    queue.submit(FLUSH);
    await rig.settle();
    expect(rig.pin).toBe(true);
  });

  it("falls with a reset", async () => {
    const { rig, io } = await Rig.withQueue();
    io.submit(transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }));
    rig.pump();
    rig.write(CC, 0);
    expect(rig.pin).toBe(false);
    rig.pump();
    expect(rig.pinChanges.at(-1)).toBe(false);
  });

  it("tells of every range that DMA wrote before the guest can see the completion", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(2 * PAGE);
    rig.dirtied = [];
    io.submit(transfer(2, 0, 9, { prp1: page + 512, prp2: page + PAGE }));
    rig.pump();
    expect(rig.dirtied).toEqual([[page + 512, page + 512 + 9 * 512]]);
  });

  it("a full range ring tells of all memory", async () => {
    const { rig, io } = await Rig.withQueue();
    for (let i = 0; i < 20_000; i++) rig.shared.dmaRanges.add(0, 1);
    rig.dirtied = [];
    io.submit(transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }));
    rig.pump();
    expect(rig.dirtied).toContainEqual([0, rig.memory.byteLength]);
    rig.dirtied = [];
    io.submit(transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }));
    rig.pump();
    expect(rig.dirtied).toHaveLength(1);
  });
});

describe("what the run loop asks", () => {
  it("hasWork while something waits for a safe point, ioInFlight while an answer is due", async () => {
    const { rig, io } = await Rig.withQueue();
    rig.pump();
    expect([rig.controller.hasWork, rig.controller.ioInFlight]).toEqual([false, false]);
    io.submit(transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }));
    expect([rig.controller.hasWork, rig.controller.ioInFlight]).toEqual([false, true]);
    rig.server.ready();
    expect([rig.controller.hasWork, rig.controller.ioInFlight]).toEqual([true, true]);
    rig.controller.safePoint(true);
    expect([rig.controller.hasWork, rig.controller.ioInFlight]).toEqual([false, false]);
  });

  it("commands of a life before the reset are not in flight", async () => {
    const { rig } = await withHangingRead();
    expect(rig.controller.ioInFlight).toBe(true);
    rig.disable();
    rig.enable();
    await rig.createQueues(2);
    expect(rig.controller.ioInFlight).toBe(false);
  });

  it("a head doorbell for a queue that does not exist harms nothing", async () => {
    const { rig } = await Rig.withQueue();
    rig.write(headDoorbell(9), 3);
    rig.pump();
    expect(rig.csts).toBe(RDY);
  });
});
