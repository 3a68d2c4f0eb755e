import { describe, expect, it } from "vitest";
import { CAP, CC_ENTRY_SIZES, FLUSH, PAGE, pattern, QueuePair, Rig, transfer } from "../testing/driver.ts";
import { code, enabled, Nvm, Opcode, Sc, setFeature } from "../testing/host.ts";

const QSIZE = (entries: number): number => (entries - 1) << 16;

describe("deletion (SPDK: delete_admin_queue, delete_io_sq_twice, delete_io_cq)", () => {
  it("5.5, 5.6: the admin queues cannot be deleted: Invalid Queue Identifier", async () => {
    const rig = await enabled();
    for (const opcode of [Opcode.deleteSq, Opcode.deleteCq]) {
      expect(code(await rig.command({ opcode, cdw: [0] }))).toBe(Sc.queueId);
    }
  });

  it("5.6: a submission queue is gone when its deletion completes, and can be made again at once", async () => {
    const { rig, io } = await Rig.withQueue();
    expect(code(await rig.deleteSq(1))).toBe(Sc.success);
    expect(code(await rig.deleteSq(1))).toBe(Sc.queueId);
    const mqes = (rig.read(CAP) & 0xffff) + 1;
    const again = new QueuePair(rig, 1, mqes, io.cqEntries, rig.alloc(mqes * 64), io.cqBase);
    again.head = io.head;
    again.phase = io.phase;
    expect(code(await rig.createSq(again))).toBe(Sc.success);
    expect(code(await rig.io(again, FLUSH))).toBe(Sc.success);
  });

  it("5.5: a completion queue goes after the last of its submission queues: Invalid Queue Deletion", async () => {
    const { rig, io } = await Rig.withQueue();
    const second = new QueuePair(rig, 2, 4, io.cqEntries, undefined, io.cqBase);
    expect(code(await rig.createSq(second, 1))).toBe(Sc.success);
    for (const sqid of [1, 2]) {
      expect(code(await rig.deleteCq(1))).toBe(Sc.queueDeletion);
      expect(code(await rig.deleteSq(sqid))).toBe(Sc.success);
    }
    expect(code(await rig.deleteCq(1))).toBe(Sc.success);
    expect(code(await rig.deleteCq(1))).toBe(Sc.queueId);
  });

  it("7.4.2: all queues deleted in one batch of commands, in any order of the pairs (tnvme: deleteAllAtOnce)", async () => {
    const rig = await enabled();
    for (const qid of [1, 2, 3, 4, 5]) await rig.createQueues(qid, 4);
    const sqs = [4, 2, 5, 1, 3].map(qid => rig.admin.push({ opcode: Opcode.deleteSq, cdw: [qid] }));
    rig.admin.ring();
    await rig.settle();
    const cqs = [1, 5, 2, 4, 3].map(qid => rig.admin.push({ opcode: Opcode.deleteCq, cdw: [qid] }));
    rig.admin.ring();
    await rig.settle();
    const answers = rig.admin.reap();
    expect(answers.map(({ cid }) => cid).sort()).toEqual([...sqs, ...cqs].sort());
    expect(answers.every(({ status }) => status === 0)).toBe(true);
  });

  it("5.6: a full submission queue can be deleted; nothing more is fetched or posted (tnvme: deleteFullQ)", async () => {
    const { rig, io } = await Rig.withQueue({}, 8);
    for (let i = 0; i < 7; i++) io.push(FLUSH);
    const guard = pattern(PAGE, 1);
    rig.memory.bytes.set(guard, io.cqBase);
    // The tail is announced after the deletion has begun.
    const cid = rig.admin.submit({ opcode: Opcode.deleteSq, cdw: [1] });
    rig.controller.safePoint(false);
    io.ring();
    await rig.settle();
    expect(rig.admin.reap()).toEqual([expect.objectContaining({ cid, status: 0 })]);
    expect(code(await rig.deleteCq(1))).toBe(Sc.success);
    await rig.settle();
    expect(rig.slice(io.cqBase, PAGE)).toEqual(guard);
  });

  it("4.1: the memory of deleted queues is the host's again", async () => {
    const { rig, io } = await Rig.withQueue({}, 4);
    for (let i = 0; i < 6; i++) await rig.io(io, FLUSH);
    expect(code(await rig.deleteSq(1))).toBe(Sc.success);
    expect(code(await rig.deleteCq(1))).toBe(Sc.success);
    const guard = pattern(PAGE, 2);
    for (const at of [io.sqBase, io.cqBase]) rig.memory.bytes.set(guard, at);
    const other = await rig.createQueues(2, 4);
    for (let i = 0; i < 6; i++) await rig.io(other, FLUSH);
    for (const at of [io.sqBase, io.cqBase]) expect(rig.slice(at, PAGE)).toEqual(guard);
  });
});

describe("creation (SPDK: delete_create_io_sq; tnvme: CreateIOCQ, CreateIOSQ)", () => {
  const cq = (rig: Rig, qid: number, entries: number, prp1 = rig.alloc(1025 * 16)) =>
    rig.command({ opcode: Opcode.createCq, prp1, cdw: [qid | QSIZE(entries), 1] });
  const sq = (rig: Rig, qid: number, entries: number, cqid: number, prp1 = rig.alloc(1025 * 64)) =>
    rig.command({ opcode: Opcode.createSq, prp1, cdw: [qid | QSIZE(entries), 1 | (cqid << 16)] });

  it("5.3, 5.4: sizes of one entry and of MQES + 2 are Invalid Queue Size; 2 and MQES + 1 are not", async () => {
    const rig = await enabled();
    const mqes = (rig.read(CAP) & 0xffff) + 1;
    expect(code(await cq(rig, 1, 2))).toBe(Sc.success);
    for (const [entries, expected] of [
      [1, Sc.queueSize],
      [mqes + 1, Sc.queueSize],
      [mqes, Sc.success],
    ]) {
      expect(code(await cq(rig, 2, entries))).toBe(expected);
      expect(code(await sq(rig, 2, entries, 1))).toBe(expected);
    }
  });

  it("5.3, 5.4, 5.21.1.7: every id that Number of Queues grants can be used at the same time, and no other", async () => {
    const rig = await enabled();
    const granted = await setFeature(rig, 0x07, 4 | (6 << 16));
    const [sqs, cqs] = [(granted.result & 0xffff) + 1, (granted.result >>> 16) + 1];
    expect(sqs).toBeLessThanOrEqual(5);
    for (let qid = 1; qid <= cqs; qid++) expect(code(await cq(rig, qid, 4))).toBe(Sc.success);
    for (let qid = 1; qid <= sqs; qid++) expect(code(await sq(rig, qid, 4, qid))).toBe(Sc.success);
    for (const qid of [0, cqs + 1, 0xffff]) expect(code(await cq(rig, qid, 4))).toBe(Sc.queueId);
    for (const qid of [0, sqs + 1, 0xffff]) expect(code(await sq(rig, qid, 4, 1))).toBe(Sc.queueId);
  });

  it("5.4: a completion queue that could be but is not is Completion Queue Invalid, others Invalid Queue Identifier", async () => {
    const rig = await enabled();
    expect(code(await cq(rig, 1, 4))).toBe(Sc.success);
    expect(code(await sq(rig, 1, 4, 2))).toBe(Sc.cqInvalid);
    for (const cqid of [0, 0xffff]) expect(code(await sq(rig, 1, 4, cqid))).toBe(Sc.queueId);
  });

  it("3.1.1, 5.3, 5.4: CAP.CQR demands queues that are physically contiguous", async () => {
    const rig = await enabled();
    expect((rig.read(CAP) >>> 16) & 1).toBe(1);
    expect(code(await cq(rig, 1, 4))).toBe(Sc.success);
    const cdw10 = 2 | QSIZE(4);
    const notContiguous = [
      { opcode: Opcode.createCq, prp1: rig.alloc(PAGE), cdw: [cdw10, 0] },
      { opcode: Opcode.createSq, prp1: rig.alloc(PAGE), cdw: [cdw10, 1 << 16] },
    ];
    for (const command of notContiguous) expect(code(await rig.command(command))).toBe(Sc.invalidField);
  });

  it("5.4: every queue priority is taken where there is but round robin (tnvme: acceptQPriority)", async () => {
    const rig = await enabled();
    for (const priority of [0, 1, 2, 3]) {
      const queue = new QueuePair(rig, priority + 1, 4, 4);
      expect(code(await rig.createCq(queue))).toBe(Sc.success);
      const cdw = [queue.qid | QSIZE(4), 1 | (priority << 1) | (queue.qid << 16)];
      expect(code(await rig.command({ opcode: Opcode.createSq, prp1: queue.sqBase, cdw }))).toBe(Sc.success);
      expect(code(await rig.io(queue, FLUSH))).toBe(Sc.success);
    }
  });

  it("3.1.5, 5.3, 5.4: I/O queues have the entry sizes in CC; where that has none, they are refused, and the host can mend it", async () => {
    const rig = await Rig.create();
    rig.startEnable();
    rig.write(0x14, 1); // IOSQES and IOCQES 0
    rig.pump();
    expect(code(await cq(rig, 1, 4))).toBe(Sc.queueSize);
    rig.write(0x14, 1 | CC_ENTRY_SIZES);
    expect(code(await cq(rig, 1, 4))).toBe(Sc.success);
  });

  it("7.4.1, 4.6: a queue made anew begins at slot 0 with phase 1, whatever the one before did", async () => {
    const rig = await enabled();
    for (const entries of [3, 5, 2]) {
      const queue = await rig.createQueues(1, entries);
      for (let i = 0; i < entries + 1; i++) {
        const cqe = await rig.io(queue, FLUSH);
        expect([cqe.status, cqe.sqHead, cqe.sqid]).toEqual([0, (i + 1) % entries, 1]);
      }
      expect(code(await rig.deleteSq(1))).toBe(Sc.success);
      expect(code(await rig.deleteCq(1))).toBe(Sc.success);
    }
  });
});

describe("use of queues", () => {
  it("4.1.3: the smallest admin queues work: one command at a time, for many laps", async () => {
    const rig = await Rig.create();
    rig.enable(2);
    for (let i = 0; i < 9; i++) {
      const cqe = await rig.command({ opcode: Opcode.getFeatures, cdw: [0x06] });
      expect([cqe.status, cqe.sqHead, cqe.sqid]).toEqual([0, (i + 1) % 2, 0]);
    }
  });

  it("4.2: any command identifier is taken, and the same one by two queues at once (tnvme: cidAccepted)", async () => {
    const { rig, io } = await Rig.withQueue();
    const second = await rig.createQueues(2);
    for (const cid of [0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff]) {
      for (const queue of [io, second, rig.admin]) {
        queue.push(queue === rig.admin ? { opcode: Opcode.getFeatures, cdw: [1] } : FLUSH, cid);
        queue.ring();
      }
      await rig.settle();
      for (const queue of [io, second, rig.admin]) {
        expect(queue.reap()).toEqual([expect.objectContaining({ cid, sqid: queue.qid, status: 0 })]);
      }
    }
  });

  it("4.6: dword 1 of a completion is reserved: zero; so is dword 0 of commands that say nothing in it", async () => {
    const { rig, io } = await Rig.withQueue();
    rig.memory.words.fill(-1, io.cqBase / 4, io.cqBase / 4 + 16 * 4);
    for (let i = 0; i < 16; i++) rig.memory.words[io.cqBase / 4 + i * 4 + 3] = 0;
    for (const opcode of [Nvm.flush, Nvm.read, 0x7f]) {
      const at = io.cqBase / 4 + io.head * 4;
      await rig.io(io, { opcode, nsid: 1, prp1: rig.alloc(PAGE) });
      expect([rig.memory.words[at], rig.memory.words[at + 1]]).toEqual([0, 0]);
    }
  });

  it("4.1: commands of one doorbell are all executed, and each answered once, from all queues", async () => {
    const rig = await enabled();
    const queues = [];
    for (let qid = 1; qid <= 16; qid++) queues.push(await rig.createQueues(qid, 4));
    for (const queue of queues) {
      for (let i = 0; i < 3; i++) queue.push(transfer(1, queue.qid * 3 + i, 1, { prp1: rig.alloc(PAGE) }));
    }
    for (const queue of queues) queue.ring();
    await rig.settle();
    for (const queue of queues) {
      const answers = queue.reap();
      expect(answers.map(({ cid }) => cid).sort()).toEqual([0, 1, 2]);
      expect(answers.every(({ status, sqid }) => status === 0 && sqid === queue.qid)).toBe(true);
    }
  });

  it("4.1: an entry that the host rewrites after the doorbell was seen is not read again", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    // Blocks that are not in the cache: the command waits for storage.
    io.submit(transfer(2, 1024, 1, { prp1: page }));
    rig.pump();
    rig.memory.words.fill(-1, io.sqBase / 4, io.sqBase / 4 + 16);
    await rig.settle();
    expect(io.reap()).toEqual([expect.objectContaining({ cid: 0, status: 0 })]);
  });
});
