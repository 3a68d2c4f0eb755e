import { describe, expect, it } from "vitest";
import {
  ACQ,
  AQA,
  ASQ,
  CAP,
  CC,
  CC_EN,
  CC_ENTRY_SIZES,
  CFS,
  CSTS,
  FLUSH,
  headDoorbell,
  INTMC,
  INTMS,
  RDY,
  Rig,
  SHST,
  SHST_COMPLETE,
  tailDoorbell,
  VS,
} from "../testing/driver.ts";
import { code, enabled, errorLog, Opcode, Sc } from "../testing/host.ts";

describe("registers (tnvme: GrpCtrlRegisters)", () => {
  it("3.1: initial values after power on", async () => {
    const rig = await Rig.create();
    for (const offset of [INTMS, INTMC, CC, CSTS, 0x20, AQA, ASQ, ASQ + 4, ACQ, ACQ + 4]) {
      expect(rig.read(offset), offset.toString(16)).toBe(0);
    }
  });

  it("3.1.1: CAP makes sense: a queue of 2 at least, a timeout, the NVM command set, MPSMIN ≤ MPSMAX", async () => {
    const rig = await Rig.create();
    const [low, high] = [rig.read(CAP), rig.read(CAP + 4)];
    expect(low & 0xffff).toBeGreaterThanOrEqual(1);
    expect(low >>> 24).toBeGreaterThan(0);
    expect((high >>> 5) & 1).toBe(1);
    expect((high >>> 16) & 0xf).toBeLessThanOrEqual((high >>> 20) & 0xf);
    // Reserved: 23:19, 44:… below MPSMIN, 63:58.
    expect((low >>> 19) & 0x1f).toBe(0);
    expect(high >>> 26).toBe(0);
  });

  it("3.1: registers that are read only keep their values", async () => {
    const rig = await enabled();
    for (const offset of [CAP, CAP + 4, VS]) {
      const before = rig.read(offset);
      for (const value of [0, 0xffffffff, ~before >>> 0]) rig.write(offset, value);
      expect(rig.read(offset)).toBe(before);
    }
    rig.write(CSTS, 0xffffffff);
    expect(rig.csts).toBe(RDY);
    rig.write(CSTS, 0);
    expect(rig.csts).toBe(RDY);
  });

  it("3.1.3, 3.1.4: INTMS and INTMC read as the mask; zeroes written to them do nothing", async () => {
    const rig = await enabled();
    rig.write(INTMS, 1);
    for (const offset of [INTMS, INTMC]) {
      rig.write(offset, 0);
      expect([rig.read(INTMS), rig.read(INTMC)]).toEqual([1, 1]);
    }
    rig.write(INTMC, 1);
    expect([rig.read(INTMS), rig.read(INTMC)]).toEqual([0, 0]);
  });

  it("3.1.5, 7.3.2: a controller reset leaves AQA, ASQ and ACQ as they are", async () => {
    const rig = await enabled();
    const before = [AQA, ASQ, ASQ + 4, ACQ, ACQ + 4].map(offset => rig.read(offset));
    rig.disable();
    expect([AQA, ASQ, ASQ + 4, ACQ, ACQ + 4].map(offset => rig.read(offset))).toEqual(before);
    // They can therefore be used again without being written.
    rig.memory.bytes.fill(0, rig.admin.cqBase, rig.admin.cqBase + 512);
    rig.write(CC, CC_ENTRY_SIZES | CC_EN);
    rig.pump();
    rig.memory.words[rig.admin.sqBase / 4] = Opcode.getFeatures | (0x1234 << 16);
    rig.memory.words[rig.admin.sqBase / 4 + 10] = 6;
    rig.write(tailDoorbell(0), 1);
    rig.pump();
    expect(rig.view(rig.admin.cqBase, 16).getUint32(12, true)).toBe(0x1234 | (1 << 16));
  });

  it("3.1.8: queue sizes of AQA are 0's based; queues of its sizes wrap where it says", async () => {
    const rig = await Rig.create();
    rig.enable(3, 5);
    for (let i = 0; i < 12; i++) {
      expect((await rig.command({ opcode: Opcode.getFeatures, cdw: [6] })).sqHead).toBe((i + 1) % 3);
    }
  });

  it("3.1.24, 3.1.25: doorbells of a controller that is not enabled do nothing", async () => {
    const rig = await Rig.create();
    for (let qid = 0; qid < 20; qid++) {
      rig.write(tailDoorbell(qid), 1);
      rig.write(headDoorbell(qid), 1);
    }
    rig.pump();
    expect(rig.csts).toBe(0);
    rig.enable();
    rig.pump();
    expect(rig.admin.reap()).toEqual([]);
  });
});

describe("doorbells (figure 149)", () => {
  it("5.2: a tail that adds more than the queue has room for is an invalid value, and ignored", async () => {
    const { rig, io } = await Rig.withQueue({}, 8);
    for (let i = 0; i < 3; i++) await rig.io(io, FLUSH);
    rig.admin.submit({ opcode: Opcode.asyncEvent });
    rig.pump();
    // Head and tail are 3. With two commands announced, a tail of 4 would be seven more: one too many.
    io.push(FLUSH);
    io.push(FLUSH);
    io.ring();
    rig.write(tailDoorbell(1), 4);
    await rig.settle();
    expect(rig.admin.reap().map(({ result }) => result)).toEqual([0x010100]);
    const [entry] = await errorLog(rig);
    expect([entry.sqid, entry.cid]).toEqual([1, 0xffff]);
    expect(io.reap().map(({ cid }) => cid)).toEqual([3, 4]);
    expect(code(await rig.io(io, FLUSH))).toBe(Sc.success);
  });

  it("5.2: the same for the admin queue", async () => {
    const rig = await enabled();
    rig.admin.submit({ opcode: Opcode.asyncEvent });
    rig.pump();
    rig.admin.push({ opcode: Opcode.getFeatures, cdw: [6] });
    rig.admin.push({ opcode: Opcode.getFeatures, cdw: [6] });
    rig.admin.ring();
    rig.write(tailDoorbell(0), rig.admin.tail - 1);
    rig.pump();
    const answers = rig.admin.reap();
    expect(answers.map(({ cid, result }) => [cid, result])).toEqual([
      [0, 0x010100],
      [1, 1],
      [2, 1],
    ]);
  });

  it("3.1.24: bits 31:16 of a doorbell are reserved", async () => {
    const { rig, io } = await Rig.withQueue();
    io.push(FLUSH);
    rig.write(tailDoorbell(1), io.tail | 0xffff0000);
    await rig.settle();
    expect(io.reap()).toHaveLength(1);
  });
});

describe("controller configuration", () => {
  it("3.1.6: RDY is 0 until EN is set, and EN reads as it was written", async () => {
    const rig = await Rig.create();
    expect(rig.csts & RDY).toBe(0);
    rig.startEnable();
    expect(rig.read(CC) & CC_EN).toBe(1);
    expect(rig.csts & (RDY | CFS)).toBe(RDY);
    rig.write(CC, CC_ENTRY_SIZES);
    expect(rig.read(CC) & CC_EN).toBe(0);
  });

  it("7.6.2: after a shutdown, a reset makes the controller ready for use with SHST 00b", async () => {
    const { rig } = await Rig.withQueue();
    rig.write(CC, rig.read(CC) | (1 << 14));
    await rig.settle();
    expect(rig.csts & SHST).toBe(SHST_COMPLETE);
    expect(rig.csts & RDY).toBe(RDY);
    rig.disable();
    expect(rig.csts & SHST).toBe(0);
    rig.enable();
    const io = await rig.createQueues(1);
    expect(code(await rig.io(io, FLUSH))).toBe(Sc.success);
  });
});
