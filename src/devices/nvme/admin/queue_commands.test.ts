import { describe, expect, it } from "vitest";
import { type Command, DNR, FLUSH, PAGE, QueuePair, Rig, tailDoorbell, transfer } from "../testing/driver.ts";

/** Creation and deletion of I/O queues: NVMe 1.4, sections 5.3 to 5.6. */

const CQ_INVALID = 0x100 | DNR;
const ID_INVALID = 0x101 | DNR;
const SIZE_INVALID = 0x102 | DNR;
const VECTOR_INVALID = 0x108 | DNR;
const DELETION_INVALID = 0x10c | DNR;
const FIELD_INVALID = 0x002 | DNR;
const OFFSET_INVALID = 0x013 | DNR;

const cq = (prp1: number, { id = 1, size = 15, flags = 3, vector = 0 } = {}): Command => ({
  opcode: 0x05,
  prp1,
  cdw: [id | (size << 16), flags | (vector << 16)],
});
const sq = (prp1: number, { id = 1, size = 15, flags = 1, cqid = 1 } = {}): Command => ({
  opcode: 0x01,
  prp1,
  cdw: [id | (size << 16), flags | (cqid << 16)],
});

async function enabled() {
  const rig = await Rig.create();
  rig.enable();
  const run = async (command: Command) => (await rig.command(command)).status;
  return { rig, run, page: rig.alloc(16 * PAGE) };
}

describe("Create I/O Completion Queue (5.3)", () => {
  it.each<[string, Parameters<typeof cq>[1], number]>([
    ["id 0", { id: 0 }, ID_INVALID],
    ["an id beyond those there are", { id: 17 }, ID_INVALID],
    ["id FFFFh", { id: 0xffff }, ID_INVALID],
    ["one entry", { size: 0 }, SIZE_INVALID],
    ["more entries than CAP.MQES", { size: 1024 }, SIZE_INVALID],
    ["not contiguous, which CAP.CQR demands", { flags: 2 }, FIELD_INVALID],
    ["a vector that a pin has not", { vector: 1 }, VECTOR_INVALID],
  ])("%s is refused", async (_name, options, status) => {
    const { run, page } = await enabled();
    expect(await run(cq(page, options))).toBe(status);
    expect(await run(cq(page))).toBe(0);
  });

  it("refuses an id in use, an address with an offset, and one outside RAM", async () => {
    const { rig, run, page } = await enabled();
    expect(await run(cq(page + 16))).toBe(OFFSET_INVALID);
    for (const address of [rig.memory.byteLength, 0xa0000, 2 ** 32 + page, 2 ** 63]) {
      expect(await run(cq(address))).toBe(FIELD_INVALID);
    }
    expect(await run(cq(rig.memory.byteLength - PAGE, { size: 256 }))).toBe(FIELD_INVALID);
    expect(await run(cq(rig.memory.byteLength - PAGE, { size: 255 }))).toBe(0);
    expect(await run(cq(page))).toBe(ID_INVALID);
  });
});

describe("Create I/O Submission Queue (5.4)", () => {
  it.each<[string, Parameters<typeof sq>[1], number]>([
    ["id 0", { id: 0 }, ID_INVALID],
    ["an id beyond those there are", { id: 17 }, ID_INVALID],
    ["completion queue 0", { cqid: 0 }, ID_INVALID],
    ["a completion queue id beyond those there are", { cqid: 17 }, ID_INVALID],
    ["a completion queue that does not exist", { cqid: 2 }, CQ_INVALID],
    ["one entry", { size: 0 }, SIZE_INVALID],
    ["more entries than CAP.MQES", { size: 1024 }, SIZE_INVALID],
    ["not contiguous", { flags: 0 }, FIELD_INVALID],
  ])("%s is refused", async (_name, options, status) => {
    const { run, page } = await enabled();
    expect(await run(cq(page))).toBe(0);
    expect(await run(sq(page + PAGE, options))).toBe(status);
    expect(await run(sq(page + PAGE))).toBe(0);
    expect(await run(sq(page + PAGE))).toBe(ID_INVALID);
  });

  it("takes queues of MQES entries, and several queues on one completion queue", async () => {
    const { rig } = await enabled();
    const big = await rig.createQueues(1, 1024);
    const second = new QueuePair(rig, 2, 4, 4);
    expect((await rig.createSq(second, 1)).status).toBe(0);
    second.submit(FLUSH);
    big.submit(FLUSH);
    await rig.settle();
    expect(
      big
        .reap()
        .map(cqe => cqe.sqid)
        .sort(),
    ).toEqual([1, 2]);
  });
});

describe("Number of Queues (5.21.1.7)", () => {
  it("grants what there is, and bounds the ids", async () => {
    const { rig, run, page } = await enabled();
    expect((await rig.command({ opcode: 0x0a, cdw: [7] })).result).toBe(0x000f000f);
    expect(await rig.command({ opcode: 0x09, cdw: [7, 0x00ff00ff] })).toMatchObject({
      status: 0,
      result: 0x000f000f,
    });
    expect(await rig.command({ opcode: 0x09, cdw: [7, 0x00020001] })).toMatchObject({
      status: 0,
      result: 0x00020001,
    });
    expect(await run(cq(page, { id: 3 }))).toBe(0);
    expect(await run(cq(page, { id: 4 }))).toBe(ID_INVALID);
    expect(await run(sq(page, { id: 2, cqid: 3 }))).toBe(0);
    expect(await run(sq(page, { id: 3, cqid: 3 }))).toBe(ID_INVALID);
  });

  it("refuses 65535, and any change once queues exist", async () => {
    const { run, page } = await enabled();
    expect(await run({ opcode: 0x09, cdw: [7, 0xffff] })).toBe(FIELD_INVALID);
    expect(await run({ opcode: 0x09, cdw: [7, 0xffff0000 | 0] })).toBe(FIELD_INVALID);
    await run(cq(page));
    expect(await run({ opcode: 0x09, cdw: [7, 0] })).toBe(0x00c | DNR);
  });
});

describe("Delete I/O Submission Queue (5.6)", () => {
  it("refuses ids that are not there", async () => {
    const { rig } = await enabled();
    for (const id of [0, 1, 17, 0xffff]) expect((await rig.deleteSq(id)).status).toBe(ID_INVALID);
  });

  it("waits for commands in flight, whose completions come first", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    await rig.io(io, transfer(1, 0, 1, { prp1: page }));
    let commit = () => {};
    rig.disks[0].faults.commit = () =>
      new Promise<void>(resolve => {
        commit = resolve;
      });
    io.submit(FLUSH);
    rig.pump();
    const deletion = rig.admin.submit({ opcode: 0x00, cdw: [1] });
    const again = rig.admin.submit({ opcode: 0x00, cdw: [1] });
    await rig.settle();
    expect(rig.admin.reap()).toMatchObject([{ cid: again, status: ID_INVALID }]);
    // The id is taken until the deletion is over.
    expect((await rig.createSq(new QueuePair(rig, 1, 4, 4))).status).toBe(ID_INVALID);
    commit();
    await rig.scheduler.advance(0);
    rig.pump();
    expect(io.reap().map(cqe => cqe.status)).toEqual([0]);
    rig.pump();
    expect(rig.admin.reap()).toMatchObject([{ cid: deletion, status: 0 }]);
    expect((await rig.deleteCq(1)).status).toBe(0);
  });

  it("drops what was not fetched, and answers it never", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    rig.memory.bytes.fill(7, page, page + 512);
    const deletion = rig.admin.submit({ opcode: 0x00, cdw: [1] });
    rig.controller.safePoint(false);
    io.submit(transfer(1, 0, 1, { prp1: page }));
    rig.pump();
    rig.pump();
    expect(rig.admin.reap()).toMatchObject([{ cid: deletion, status: 0 }]);
    expect(io.reap()).toEqual([]);
    rig.write(tailDoorbell(1), 3);
    await rig.settle();
    expect(io.reap()).toEqual([]);
  });

  // Was a bug here: the deletion completed while completions still waited for room, and those came after it.
  it("does not complete while completions wait for room in a full queue", async () => {
    const rig = await Rig.create();
    rig.enable();
    const io = await rig.createQueues(1, 16, 3);
    for (let i = 0; i < 5; i++) io.push({ opcode: 0x02, nsid: 9 });
    io.ring();
    rig.pump();
    const deletion = rig.admin.submit({ opcode: 0x00, cdw: [1] });
    rig.pump();
    rig.pump();
    expect(rig.admin.reap()).toEqual([]);
    const answered = [...io.reap()];
    rig.pump();
    answered.push(...io.reap());
    rig.pump();
    answered.push(...io.reap());
    expect(answered.map(cqe => cqe.cid)).toEqual([0, 1, 2, 3, 4]);
    rig.pump();
    expect(rig.admin.reap()).toMatchObject([{ cid: deletion, status: 0 }]);
  });

  // Was a bug here: a queue created between the two sides' steps took the place of the deletion, never answered.
  it("keeps the id taken until its own completion is posted", async () => {
    const { rig } = await Rig.withQueue();
    const deletion = rig.admin.submit({ opcode: 0x00, cdw: [1] });
    rig.controller.safePoint(false);
    rig.admin.submit({ opcode: 0x01, prp1: rig.alloc(PAGE), cdw: [1 | (3 << 16), 1 | (1 << 16)] });
    // The serving side finishes between the vCPU thread's look at deletions and its look at commands.
    const fetch = rig.shared.getSq.bind(rig.shared);
    let looks = 0;
    rig.shared.getSq = (qid, word) => {
      const value = fetch(qid, word);
      if (word === 0 && ++looks === 1) rig.server.ready();
      return value;
    };
    rig.controller.safePoint(false);
    rig.shared.getSq = fetch;
    rig.pump();
    const answers = rig.admin.reap();
    expect(answers.find(cqe => cqe.cid === deletion)?.status).toBe(0);
    expect(answers).toHaveLength(2);
  });
});

describe("Delete I/O Completion Queue (5.5)", () => {
  it("comes after its submission queues", async () => {
    const { rig } = await Rig.withQueue();
    expect((await rig.deleteCq(0)).status).toBe(ID_INVALID);
    expect((await rig.deleteCq(2)).status).toBe(ID_INVALID);
    expect((await rig.deleteCq(1)).status).toBe(DELETION_INVALID);
    expect((await rig.deleteSq(1)).status).toBe(0);
    expect((await rig.deleteCq(1)).status).toBe(0);
    expect((await rig.deleteCq(1)).status).toBe(ID_INVALID);
  });

  it("lowers the pin that its entries held up", async () => {
    const { rig, io } = await Rig.withQueue();
    io.submit({ opcode: 0x02, nsid: 9 });
    rig.pump();
    await rig.deleteSq(1);
    rig.pump();
    expect(rig.pin).toBe(true);
    await rig.deleteCq(1);
    rig.pump();
    expect(rig.pin).toBe(false);
  });
});
