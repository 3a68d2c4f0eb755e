import { describe, expect, it } from "vitest";
import { takeRecords } from "../../trace/testing/records.ts";
import { TraceKind, type TraceRecord } from "../../trace/trace_ring.ts";
import { QueueInspector } from "./queue_inspector.ts";
import { Control, cqShadowOffset } from "./shared_state.ts";
import { FLUSH, PAGE, Rig, transfer } from "./testing/driver.ts";

/** Asks for the queues; the vCPU thread writes them down at its next safe point. */
function refresh(rig: Rig, inspector: QueueInspector): void {
  inspector.refresh();
  rig.controller.safePoint(false);
}

describe("QueueInspector", () => {
  it("shows the queues as driver and device know them, the admin queue included", async () => {
    const { rig, io } = await Rig.withQueue({}, 16);
    rig.shared.signals.observed = true;
    const inspector = new QueueInspector(rig.shared, rig.memory);
    await rig.io(io, FLUSH);
    io.push(FLUSH); // written, not announced
    refresh(rig, inspector);
    const [admin, first, ...others] = inspector.queuePairs();
    expect(others).toEqual([]);
    expect(admin).toMatchObject({
      qid: 0,
      sq: { base: rig.admin.sqBase, entries: 32, head: rig.admin.tail, tail: rig.admin.tail },
      cq: { id: 0, base: rig.admin.cqBase, entries: 32, head: rig.admin.head, tail: rig.admin.head },
    });
    expect(first).toEqual({
      qid: 1,
      sq: { base: io.sqBase, entries: 16, head: 1, tail: 1, rungTail: 1, shadow: undefined, inFlight: 0 },
      cq: { id: 1, base: io.cqBase, entries: 16, head: 1, tail: 1, phase: 1, shadow: undefined, waiting: 0 },
    });
  });

  it("is up to date at the safe point after each look", async () => {
    const { rig, io } = await Rig.withQueue();
    const inspector = new QueueInspector(rig.shared, rig.memory);
    refresh(rig, inspector);
    await rig.io(io, FLUSH);
    await rig.io(io, FLUSH);
    expect(inspector.queuePairs()[1].cq).toMatchObject({ head: 0, tail: 0 });
    rig.controller.safePoint(false);
    expect(inspector.queuePairs()[1].cq).toMatchObject({ head: 2, tail: 2 });
  });

  it("wakes a guest that is halted", async () => {
    const { rig } = await Rig.withQueue();
    const { vcpuNotifier } = rig.shared;
    vcpuNotifier.testAndClear();
    new QueueInspector(rig.shared, rig.memory).refresh();
    expect(vcpuNotifier.isSet).toBe(true);
  });

  it("has a completion queue's head, tail and shadow of one moment", async () => {
    const { rig, io } = await Rig.withShadow({ msixVectors: 2 });
    const inspector = new QueueInspector(rig.shared, rig.memory);
    await rig.io(io, FLUSH);
    refresh(rig, inspector);
    // The guest goes on, and what belongs together has not been written down anew.
    rig.memory.words[(rig.shared.getControl(Control.SHADOW_PAGE) + cqShadowOffset(1)) >>> 2] = 9;
    expect(inspector.queuePairs()[1].cq).toMatchObject({ head: 1, tail: 1, shadow: { doorbell: 1 } });
    rig.controller.safePoint(false);
    expect(inspector.queuePairs()[1].cq).toMatchObject({ head: 1, tail: 1, shadow: { doorbell: 9 } });
  });

  it("shows shadow doorbells and EventIdx", async () => {
    const { rig, io } = await Rig.withShadow({ msixVectors: 2 });
    rig.shared.signals.observed = true;
    const inspector = new QueueInspector(rig.shared, rig.memory);
    refresh(rig, inspector);
    rig.server.pollEnd();
    io.submit(FLUSH);
    const sq = inspector.queuePairs()[1].sq;
    expect(sq).toMatchObject({ tail: 1, head: 0, rungTail: 1, shadow: { doorbell: 1, eventIdx: 0 } });
  });

  it("copies entries out of guest memory, and knows which there are", async () => {
    const { rig, io } = await Rig.withQueue({}, 16);
    rig.shared.signals.observed = true;
    const inspector = new QueueInspector(rig.shared, rig.memory);
    const cid = io.submit(transfer(2, 5, 1, { prp1: rig.alloc(PAGE) }));
    await rig.settle();
    refresh(rig, inspector);
    const sqe = inspector.sqe(1, 0);
    expect(sqe).toHaveLength(16);
    expect([sqe![0] & 0xff, sqe![0] >>> 16, sqe![10]]).toEqual([2, cid, 5]);
    const cqe = inspector.cqe(1, 0);
    expect(cqe).toHaveLength(4);
    expect([cqe![3] & 0xffff, (cqe![3] >>> 16) & 1]).toEqual([cid, 1]);
    for (const [qid, index] of [
      [1, 16],
      [1, -1],
      [9, 0],
      [-1, 0],
      [17, 0],
    ]) {
      expect(inspector.sqe(qid, index)).toBeUndefined();
      expect(inspector.cqe(qid, index)).toBeUndefined();
    }
  });

  it("shows no queue any more after a reset", async () => {
    const { rig } = await Rig.withQueue();
    rig.shared.signals.observed = true;
    const inspector = new QueueInspector(rig.shared, rig.memory);
    refresh(rig, inspector);
    expect(inspector.queuePairs()).toHaveLength(2);
    rig.disable();
    refresh(rig, inspector);
    expect(inspector.queuePairs()).toEqual([]);
  });
});

describe("the trace of a command", () => {
  async function traceOf(observed: boolean): Promise<TraceRecord[]> {
    const { rig, io } = await Rig.withQueue({ msixVectors: 2 });
    rig.msixEnabled = true;
    rig.pump();
    rig.shared.signals.observed = observed;
    const readers = rig.shared.signals.readTraces();
    await rig.io(io, transfer(2, 7, 1, { prp1: rig.alloc(PAGE) }));
    return readers.flatMap(takeRecords);
  }

  it("has the doorbell, the fetch, its end, the CQE, the interrupt and the head doorbell", async () => {
    const records = (await traceOf(true)).map(({ kind, a, b, c, d, e }) => [kind, a, b, c, d, e]);
    expect(records).toEqual([
      [TraceKind.fetched, 1, 0, 2, 1, 7],
      [TraceKind.done, 1, 0, 0, 0, 0],
      [TraceKind.tailRung, 1, 1, 0, 0, 0],
      [TraceKind.posted, 1, 0, 1, 0, 0],
      [TraceKind.interrupt, expect.any(Number), 0, 0, 0, 0],
      [TraceKind.headRung, 1, 1, 0, 0, 0],
    ]);
  });

  it("has the wait for storage, and with shadow doorbells the head that the guest has written", async () => {
    const { rig, io } = await Rig.withShadow({
      msixVectors: 2,
      disks: [{ cache: { cacheBytes: 4 * 16384, dirtyBytes: 2 * 16384 } }],
    });
    rig.msixEnabled = true;
    const prp1 = rig.alloc(PAGE);
    // Chunks of 32 blocks, of which four stay in memory: the first one does not.
    for (let chunk = 0; chunk < 6; chunk++) {
      await rig.io(io, transfer(1, chunk * 32, 8, { prp1 }));
      await rig.io(io, FLUSH);
    }
    rig.controller.safePoint(false);
    rig.shared.signals.observed = true;
    const readers = rig.shared.signals.readTraces();
    await rig.io(io, transfer(2, 0, 8, { prp1 }));
    rig.controller.safePoint(false);
    const [server, vcpu] = readers.map(reader => takeRecords(reader).map(({ kind, a, b }) => [kind, a, b]));
    expect(server).toEqual([
      [TraceKind.fetched, 1, 12],
      [TraceKind.ready, 1, 0],
      [TraceKind.done, 1, 0],
    ]);
    expect(vcpu.filter(([kind]) => kind === TraceKind.headSeen)).toEqual([[TraceKind.headSeen, 1, 13]]);
  });

  it("is not written while nobody looks", async () => {
    expect(await traceOf(false)).toEqual([]);
  });
});
