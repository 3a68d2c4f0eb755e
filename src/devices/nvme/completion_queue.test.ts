import { describe, expect, it } from "vitest";
import { type Cqe, headDoorbell, PAGE, Rig, tailDoorbell } from "./testing/driver.ts";

/** Completion queues: NVMe 1.4, sections 4.1 and 4.6, and doorbells 3.1.24 and 3.1.25. */

const fail = { opcode: 0x02, nsid: 9 };

describe("phase tag (4.6) and SQ head", () => {
  it("changes with each lap of the completion queue, whatever its size", async () => {
    const rig = await Rig.create();
    rig.enable();
    const io = await rig.createQueues(1, 5, 3);
    for (let i = 0; i < 20; i++) {
      const cqe = await rig.io(io, fail);
      expect(cqe).toMatchObject({ sqid: 1, sqHead: (i + 1) % 5, status: 0x400b });
      expect(io.phase).toBe(Math.floor((i + 1) / 3) % 2 === 0 ? 1 : 0);
    }
  });

  it("holds for the admin queue too", async () => {
    const rig = await Rig.create();
    rig.enable(3, 2);
    for (let i = 0; i < 9; i++) {
      expect(await rig.command({ opcode: 0xff })).toMatchObject({
        sqid: 0,
        sqHead: (i + 1) % 3,
        status: 0x4001,
      });
    }
  });
});

describe("a full completion queue (4.1.2.1)", () => {
  it("holds completions back: none is lost, none overtakes, nothing is overwritten", async () => {
    const rig = await Rig.create();
    rig.enable();
    const io = await rig.createQueues(1, 32, 4);
    for (let i = 0; i < 30; i++) io.push(fail);
    io.ring();
    const got: Cqe[] = [];
    for (let i = 0; got.length < 30 && i < 60; i++) {
      rig.pump();
      const before = rig.slice(io.cqBase, 64);
      rig.pump();
      expect(rig.slice(io.cqBase, 64)).toEqual(before);
      got.push(...io.reap(1 + (i % 3)));
    }
    expect(got.map(cqe => cqe.cid)).toEqual(Array.from({ length: 30 }, (_, i) => i));
    expect(io.reap()).toEqual([]);
    expect(rig.shared.inFlight(1)).toBe(0);
    rig.pump();
    expect(rig.pin).toBe(false);
  });

  it("of the admin queue stops commands from being taken", async () => {
    const rig = await Rig.create();
    rig.enable(16, 3);
    for (let i = 0; i < 9; i++) rig.admin.push({ opcode: 0xff });
    rig.admin.ring();
    const cids: number[] = [];
    for (let i = 0; i < 12; i++) {
      rig.pump();
      cids.push(...rig.admin.reap(2).map(cqe => cqe.cid));
    }
    expect(cids).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe("invalid doorbell writes", () => {
  /** Writes, and returns how an Asynchronous Event Request was answered. */
  async function report(write: (rig: Rig) => void) {
    const { rig, io } = await Rig.withQueue();
    rig.admin.submit({ opcode: 0x0c });
    io.submit(fail);
    rig.pump();
    rig.pump();
    write(rig);
    rig.pump();
    const [event] = rig.admin.reap();
    const page = rig.alloc(PAGE);
    await rig.command({ opcode: 0x02, prp1: page, cdw: [1 | (31 << 16)] });
    const log = rig.view(page, 64);
    expect(io.reap()).toHaveLength(1);
    expect((await rig.io(io, fail)).status).toBe(0x400b);
    return { result: event?.result, sqid: log.getUint16(8, true), cid: log.getUint16(10, true) };
  }
  const VALUE = 0x010100;
  const REGISTER = 0x010000;

  it.each<[string, (rig: Rig) => void, number, number]>([
    ["an SQ tail that is the queue's size", rig => rig.write(tailDoorbell(1), 16), VALUE, 1],
    ["an SQ tail far out", rig => rig.write(tailDoorbell(1), 0xffff), VALUE, 1],
    ["an admin SQ tail out of range", rig => rig.write(tailDoorbell(0), 32), VALUE, 0],
    ["a CQ head out of range", rig => rig.write(headDoorbell(1), 16), VALUE, 1],
    ["a CQ head beyond the entries posted", rig => rig.write(headDoorbell(1), 2), VALUE, 1],
    ["an admin CQ head out of range", rig => rig.write(headDoorbell(0), 32), VALUE, 0],
    ["the tail of a queue that does not exist", rig => rig.write(tailDoorbell(2), 1), REGISTER, 2],
    ["the head of a queue that does not exist", rig => rig.write(headDoorbell(2), 1), REGISTER, 2],
    ["the tail of a queue that cannot exist", rig => rig.write(tailDoorbell(400), 1), REGISTER, 400],
  ])("%s is reported and ignored", async (_name, write, result, sqid) => {
    expect(await report(write)).toEqual({ result, sqid, cid: 0xffff });
  });
});
