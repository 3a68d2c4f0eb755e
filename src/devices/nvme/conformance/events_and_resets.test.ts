import { describe, expect, it } from "vitest";
import {
  CC,
  CC_EN,
  CC_ENTRY_SIZES,
  CFS,
  FLUSH,
  PAGE,
  RDY,
  Rig,
  SHST,
  tailDoorbell,
  transfer,
} from "../testing/driver.ts";
import { code, enabled, errorLog, identify, logPage, Opcode, Sc } from "../testing/host.ts";

const request = { opcode: Opcode.asyncEvent };
/** The tail of a queue that is not there: event 00h of type 0, an error. */
const provoke = (rig: Rig, qid = 9) => rig.write(tailDoorbell(qid), 1);

describe("Asynchronous Event Request (tnvme: GrpAdminAsyncCmd)", () => {
  it("5.2: as many as AERL says are held, one more is refused at once, and none is answered without an event", async () => {
    const rig = await enabled();
    const limit = (await identify(rig, 0x01)).getUint8(259) + 1;
    for (let i = 0; i < limit; i++) rig.admin.submit(request);
    await rig.settle();
    expect(rig.admin.reap()).toEqual([]);
    expect(code(await rig.command(request))).toBe(Sc.aerLimit);
    await rig.settle();
    expect(rig.admin.reap()).toEqual([]);
  });

  it("5.2: other commands go on while requests are held", async () => {
    const rig = await enabled();
    rig.admin.submit(request);
    for (let i = 0; i < 70; i++)
      expect(code(await rig.command({ opcode: Opcode.getFeatures, cdw: [6] }))).toBe(Sc.success);
  });

  it("5.2: the result names a log page, and reading it tells of what happened", async () => {
    const rig = await enabled();
    rig.admin.submit(request);
    rig.pump();
    provoke(rig, 9);
    rig.pump();
    const [{ result, status }] = rig.admin.reap();
    expect([result & 7, (result >>> 8) & 0xff, status]).toEqual([0, 0, 0]);
    expect((result >>> 16) & 0xff).toBe(0x01);
    expect((await errorLog(rig))[0]).toMatchObject({ sqid: 9, cid: 0xffff });
  });

  it("5.2: RAE keeps the type masked; only without it the next event of the type is sent (tnvme: verifyMasking)", async () => {
    const rig = await enabled();
    const first = rig.admin.submit(request);
    const second = rig.admin.submit(request);
    rig.pump();
    provoke(rig);
    await rig.settle();
    expect(rig.admin.reap().map(({ cid }) => cid)).toEqual([first]);
    provoke(rig);
    await logPage(rig, 0x01, { retain: true });
    await logPage(rig, 0x02);
    await rig.settle();
    expect(rig.admin.reap()).toEqual([]);
    // logPage() takes completions away: the event's is the one that it does not wait for.
    const page = rig.alloc(PAGE);
    rig.admin.submit({ opcode: Opcode.getLogPage, nsid: 0xffffffff, prp1: page, cdw: [1 | (15 << 16)] });
    await rig.settle();
    expect(rig.admin.reap().map(({ cid }) => cid)).toContain(second);
  });

  it("5.2, 7.3.2: a reset takes requests and events; the slots are free again (tnvme: abortByReset)", async () => {
    const rig = await enabled();
    provoke(rig);
    for (let i = 0; i < 4; i++) rig.admin.submit(request);
    rig.pump();
    rig.disable();
    rig.enable();
    for (let i = 0; i < 4; i++) rig.admin.submit(request);
    await rig.settle();
    expect(rig.admin.reap()).toEqual([]);
  });

  it("5.1, 5.2: Abort of a request that is held: it is aborted, or the Abort says that it was not", async () => {
    const rig = await enabled();
    const cid = rig.admin.submit(request);
    rig.pump();
    const { result, status } = await rig.command({ opcode: Opcode.abort, cdw: [(cid << 16) >>> 0] });
    expect(status).toBe(0);
    provoke(rig);
    await rig.settle();
    const held = rig.admin.reap().find(cqe => cqe.cid === cid);
    // Bit 0 set: not aborted, and so it still answers.
    if ((result & 1) === 1) expect(held?.status).toBe(0);
    else expect(held).toBeUndefined();
  });
});

describe("resets (tnvme: GrpResets)", () => {
  it("7.3.2: I/O queues are gone: their doorbells are those of queues that are not there, and their ids are free", async () => {
    const { rig } = await Rig.withQueue();
    rig.disable();
    rig.enable();
    rig.admin.submit(request);
    rig.pump();
    rig.write(tailDoorbell(1), 1);
    rig.pump();
    expect(rig.admin.reap()[0].result).toBe(0x010000);
    await rig.createQueues(1);
  });

  it("7.3.2: commands that were under way are not answered afterwards, and their slots are not written", async () => {
    const { rig, io } = await Rig.withQueue({}, 8);
    for (let i = 0; i < 7; i++) io.push(transfer(2, i * 64, 1, { prp1: rig.alloc(PAGE) }));
    io.ring();
    rig.controller.safePoint(false);
    rig.server.ready();
    rig.write(CC, CC_ENTRY_SIZES);
    const before = rig.slice(io.cqBase, 128);
    await rig.settle();
    expect(rig.csts & RDY).toBe(0);
    await rig.settle();
    expect(rig.slice(io.cqBase, 128)).toEqual(before);
  });

  it("7.3.2: a hundred resets in a row, with commands under way, and the controller is as on the first day", async () => {
    const rig = await Rig.create({ ramBytes: 32 << 20 });
    for (let i = 0; i < 100; i++) {
      rig.enable(4);
      const io = await rig.createQueues(1 + (i % 16), 4);
      io.submit(transfer(2, i, 1, { prp1: rig.admin.sqBase }));
      if (i % 2 === 0) rig.pump();
      rig.write(CC, CC_ENTRY_SIZES);
      await rig.settle();
      expect(rig.csts & (RDY | CFS | SHST)).toBe(0);
    }
    rig.enable();
    const io = await rig.createQueues(1);
    expect(code(await rig.io(io, FLUSH))).toBe(Sc.success);
    expect(rig.bugs).toEqual([]);
  });

  it("7.3.2: error log and SMART counters outlive a reset (5.14.1.1, 5.14.1.2)", async () => {
    const rig = await enabled();
    const { cid, status } = await rig.command({ opcode: 0xff });
    rig.disable();
    rig.enable();
    expect((await errorLog(rig))[0]).toMatchObject({ count: 1, cid, status });
    expect((await logPage(rig, 0x02)).getBigUint64(176, true)).toBe(1n);
  });

  it("3.1.5: EN cleared without a shutdown loses nothing that a Flush has covered, nor what was written since", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    rig.memory.bytes.fill(0x5a, page, page + PAGE);
    await rig.io(io, transfer(1, 8, 8, { prp1: page }));
    rig.disable();
    rig.enable();
    const again = await rig.createQueues(1);
    rig.memory.bytes.fill(0, page, page + PAGE);
    expect(code(await rig.io(again, transfer(2, 8, 8, { prp1: page })))).toBe(Sc.success);
    expect(rig.memory.bytes[page + 100]).toBe(0x5a);
  });

  it("3.1.6, 7.6.1: CFS of a configuration that cannot work is cleared by a reset, and the next enable works", async () => {
    const rig = await Rig.create();
    rig.startEnable();
    rig.write(CC, 0);
    rig.pump();
    rig.write(CC, CC_ENTRY_SIZES | (5 << 7) | CC_EN); // MPS beyond MPSMAX
    rig.pump();
    expect(rig.csts & (RDY | CFS)).toBe(CFS);
    rig.write(CC, 0);
    rig.pump();
    expect(rig.csts & (RDY | CFS)).toBe(0);
    rig.enable();
  });
});
