import { describe, expect, it } from "vitest";
import { Control } from "../shared_state.ts";
import { type Command, DNR, FLUSH, PAGE, pattern, type QueuePair, Rig, transfer } from "../testing/driver.ts";

/** Abort: NVMe 1.4, section 5.1. */

const ABORTED = 0x007;
const FAILED_FUSED = 0x009;
const LIMIT_EXCEEDED = 0x103;

const abort = (qid: number, cid: number): Command => ({ opcode: 0x08, cdw: [qid | (cid << 16)] });

/** A queue, a buffer, and reads that wait for their delay to end. */
async function setUp() {
  const { rig, io } = await Rig.withQueue();
  const buffer = rig.alloc(PAGE);
  rig.memory.bytes.fill(0xaa, buffer, buffer + PAGE);
  rig.armFaults({ action: "delay", ms: 300, command: "read" });
  return { rig, io, buffer, read: transfer(2, 0, 1, { prp1: buffer }) };
}

const statuses = (queue: QueuePair) => queue.reap().map(({ cid, status }) => [cid, status]);

describe("Abort", () => {
  it("ends a command that waits for storage, once, and it moves no data any more", async () => {
    const { rig, io, buffer, read } = await setUp();
    const cids = [io.submit(read), io.submit(read)];
    await rig.settle();
    expect(await rig.command(abort(1, cids[1]))).toMatchObject({ status: 0, result: 0 });
    expect(statuses(io)).toEqual([[cids[1], ABORTED]]);
    // It is over: a second Abort does not find it.
    expect(await rig.command(abort(1, cids[1]))).toMatchObject({ status: 0, result: 1 });
    expect(await rig.command(abort(1, cids[0]))).toMatchObject({ status: 0, result: 0 });
    await rig.scheduler.advance(300);
    await rig.settle();
    expect(statuses(io)).toEqual([[cids[0], ABORTED]]);
    expect(rig.slice(buffer, PAGE).every(byte => byte === 0xaa)).toBe(true);
    expect([rig.shared.inFlight(1), rig.controller.ioInFlight, rig.bugs]).toEqual([0, false, []]);
  });

  it("what waits for a disk: the host may take the queue away at once, and make it anew", async () => {
    const { rig, io } = await Rig.withQueue();
    const prp1 = rig.alloc(PAGE);
    expect((await rig.io(io, transfer(1, 0, 1, { prp1 }))).status).toBe(0);
    let finish = () => {};
    rig.disks[0].faults.commit = () =>
      new Promise(resolve => {
        finish = resolve;
      });
    const cid = io.submit(FLUSH);
    await rig.settle();
    expect(io.reap()).toEqual([]);
    expect(await rig.command(abort(1, cid))).toMatchObject({ status: 0, result: 0 });
    expect(statuses(io)).toEqual([[cid, ABORTED]]);
    expect([(await rig.deleteSq(1)).status, (await rig.deleteCq(1)).status]).toEqual([0, 0]);
    const again = await rig.createQueues(1);
    rig.disks[0].faults.commit = undefined;
    finish();
    await rig.settle();
    expect(again.reap()).toEqual([]);
    expect((await rig.io(again, FLUSH)).status).toBe(0);
    expect(rig.bugs).toEqual([]);
  });

  it("the command's completion is there before that of its Abort, however the threads interleave", async () => {
    const { rig, io, read } = await setUp();
    // With a Keep Alive timer the clock is asked between the taking of completions and the admin queue.
    expect((await rig.command({ opcode: 0x09, cdw: [0x0f, 60_000] })).status).toBe(0);
    const cid = io.submit(read);
    await rig.settle();
    rig.admin.submit(abort(1, cid));
    rig.controller.safePoint(false);
    let answered = false;
    Object.defineProperty(rig, "nowMs", {
      get: () => {
        if (!answered) answered = rig.server.ready();
        return 0;
      },
    });
    rig.controller.safePoint(false);
    expect(answered).toBe(true);
    expect([statuses(io), rig.admin.reap().map(cqe => cqe.result)]).toEqual([[[cid, ABORTED]], [0]]);
  });

  it("says that it did not where there is nothing to abort", async () => {
    const { rig, io, read } = await setUp();
    const cid = io.submit(read);
    await rig.settle();
    const event = rig.admin.submit({ opcode: 0x0c });
    const others = [abort(1, cid + 1), abort(2, cid), abort(0, event), abort(0xffff, cid), abort(17, 0xffff)];
    for (const other of others) expect(await rig.command(other)).toMatchObject({ status: 0, result: 1 });
    await rig.scheduler.advance(300);
    await rig.settle();
    expect(statuses(io)).toEqual([[cid, 0]]);
    expect(await rig.command(abort(1, cid))).toMatchObject({ status: 0, result: 1 });
  });

  it("half of a Compare and Write takes the other with it", async () => {
    const { rig, io, buffer } = await setUp();
    const zeroes = rig.alloc(PAGE);
    rig.memory.bytes.set(pattern(512, 1), buffer);
    rig.armFaults({ action: "delay", ms: 300, command: "compare" });
    const compare: Command = { ...transfer(2, 0, 1, { prp1: zeroes }), opcode: 0x05, flags: 1 };
    const cids = [io.push(compare), io.push({ ...transfer(1, 0, 1, { prp1: buffer }), flags: 2 })];
    io.ring();
    await rig.settle();
    expect(await rig.command(abort(1, cids[1]))).toMatchObject({ status: 0, result: 0 });
    expect(new Map(io.reap().map(({ cid, status }) => [cid, status]))).toEqual(
      new Map([
        [cids[1], ABORTED],
        [cids[0], FAILED_FUSED],
      ]),
    );
    rig.armFaults();
    await rig.settle();
    const to = rig.alloc(PAGE);
    expect((await rig.io(io, transfer(2, 0, 1, { prp1: to }))).status).toBe(0);
    expect(rig.slice(to, 512).every(byte => byte === 0)).toBe(true);
  });

  it("four may be outstanding (ACL); they are answered in order", async () => {
    const { rig, io, read } = await setUp();
    const cids = Array.from({ length: 5 }, () => io.submit(read));
    await rig.settle();
    const aborts = cids.map(cid => rig.admin.push(abort(1, cid)));
    rig.admin.ring();
    rig.controller.safePoint(false);
    expect(statuses(rig.admin)).toEqual([[aborts[4], LIMIT_EXCEEDED]]);
    expect(LIMIT_EXCEEDED & DNR).toBe(0);
    await rig.settle();
    expect(rig.admin.reap().map(({ cid, result }) => [cid, result])).toEqual(
      aborts.slice(0, 4).map(cid => [cid, 0]),
    );
    expect(statuses(io)).toEqual(cids.slice(0, 4).map(cid => [cid, ABORTED]));
  });

  it("a reset takes it away: a command of the next life with the same name is not its own", async () => {
    const { rig, io, read } = await setUp();
    const cid = io.submit(read);
    await rig.settle();
    rig.admin.submit(abort(1, cid));
    rig.controller.safePoint(false);
    // From the acknowledgement of the reset on the host may use the name again.
    const { shared } = rig;
    const pending: boolean[] = [];
    const { set } = shared.vcpuNotifier;
    shared.vcpuNotifier.set = () => {
      pending.push(shared.getControl(Control.ABORT) !== shared.getControl(Control.ABORT_ACK));
      return set.call(shared.vcpuNotifier);
    };
    rig.disable();
    expect(pending[0]).toBe(false);
    shared.vcpuNotifier.set = set;
    rig.enable();
    const next = await rig.createQueues(1);
    next.push(read, cid);
    next.ring();
    await rig.settle();
    expect([rig.admin.reap(), next.reap()]).toEqual([[], []]);
    await rig.scheduler.advance(300);
    await rig.settle();
    expect(statuses(next)).toEqual([[cid, 0]]);
  });
});
