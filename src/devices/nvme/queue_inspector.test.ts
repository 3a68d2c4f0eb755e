import { describe, expect, it } from "vitest";
import { TraceKind, type TraceRecord } from "../../trace/trace_ring.ts";
import { QueueInspector } from "./queue_inspector.ts";
import { FLUSH, PAGE, Rig, transfer } from "./testing/driver.ts";

/** The guest halts: then its queues are written down. */
const halt = (rig: Rig) => rig.controller.safePoint(true);

describe("QueueInspector", () => {
  it("shows the queues as driver and device know them, the admin queue included", async () => {
    const { rig, io } = await Rig.withQueue({}, 16);
    rig.shared.signals.observed = true;
    const inspector = new QueueInspector(rig.shared, rig.memory);
    await rig.io(io, FLUSH);
    io.push(FLUSH); // written, not announced
    halt(rig);
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

  it("follows a guest that never halts, within sixteen safe points", async () => {
    const { rig, io } = await Rig.withQueue();
    const inspector = new QueueInspector(rig.shared, rig.memory);
    rig.shared.signals.observed = true;
    halt(rig);
    await rig.io(io, FLUSH);
    for (let i = 0; i < 16; i++) rig.controller.safePoint(false);
    expect(inspector.queuePairs()[1].cq).toMatchObject({ head: io.head, tail: 1 });
  });

  it("shows shadow doorbells and EventIdx", async () => {
    const { rig, io } = await Rig.withShadow({ msixVectors: 2 });
    rig.shared.signals.observed = true;
    const inspector = new QueueInspector(rig.shared, rig.memory);
    halt(rig);
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
    halt(rig);
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
    halt(rig);
    expect(inspector.queuePairs()).toHaveLength(2);
    rig.disable();
    halt(rig);
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
    const records: TraceRecord[] = [];
    for (const reader of readers) reader.read(record => records.push({ ...record }));
    return records;
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

  it("is not written while nobody looks", async () => {
    expect(await traceOf(false)).toEqual([]);
  });
});
