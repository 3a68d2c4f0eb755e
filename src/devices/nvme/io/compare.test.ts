import { describe, expect, it } from "vitest";
import { StorageError } from "../../../storage/block_backend.ts";
import {
  buildPrps,
  type Command,
  DNR,
  PAGE,
  pattern,
  type QueuePair,
  Rig,
  type RigOptions,
  scatter,
  transfer,
} from "../testing/driver.ts";

const COMPARE_FAILURE = 0x285 | DNR;
const FAILED_FUSED = 0x009;
const MISSING_FUSED = 0x00a | DNR;

/** Blocks that are only on the backend: reading them takes a wait. */
const SMALL_CACHE: RigOptions = { disks: [{ cache: { cacheBytes: 4 * 16384, dirtyBytes: 2 * 16384 } }] };

function data(rig: Rig, bytes: Uint8Array): { prp1: number; prp2: number } {
  const { prp1, prp2, segments } = buildPrps(rig, bytes.length, 512);
  scatter(rig, segments, bytes);
  return { prp1, prp2 };
}

const command = (rig: Rig, opcode: number, lba: number, bytes: Uint8Array, flags = 0): Command => ({
  ...transfer(1, lba, bytes.length / 512, data(rig, bytes)),
  opcode,
  flags,
});

async function readBlock(rig: Rig, io: QueuePair, lba: number): Promise<Uint8Array> {
  const prp1 = rig.alloc(PAGE);
  expect((await rig.io(io, transfer(2, lba, 1, { prp1 }))).status).toBe(0);
  return rig.slice(prp1, 512);
}

/** Writes a block to each of several chunks, durably, so that the first ones leave a small cache. */
async function spread(rig: Rig, io: QueuePair): Promise<void> {
  for (let i = 0; i < 6; i++) {
    const write = command(rig, 1, i * 32, pattern(512, i));
    expect((await rig.io(io, { ...write, cdw: [i * 32, 0, 1 << 30] })).status).toBe(0);
  }
}

describe("Compare (6.6)", () => {
  it("succeeds when every byte is the same, and fails when one is not", async () => {
    const { rig, io } = await Rig.withQueue();
    const bytes = pattern(5120, 1);
    await rig.io(io, command(rig, 1, 8, bytes));
    expect((await rig.io(io, command(rig, 5, 8, bytes))).status).toBe(0);
    for (const at of [0, 2047, 5119]) {
      const other = bytes.slice();
      other[at] ^= 1;
      expect((await rig.io(io, command(rig, 5, 8, other))).status).toBe(COMPARE_FAILURE);
    }
    expect((await rig.io(io, command(rig, 5, 2000, new Uint8Array(1024)))).status).toBe(0);
    expect(rig.bugs).toEqual([]);
  });

  it("waits for blocks that are not in memory, and fails as a read does", async () => {
    const { rig, io } = await Rig.withQueue(SMALL_CACHE);
    await spread(rig, io);
    // Backwards: nothing is read ahead.
    expect((await rig.io(io, command(rig, 5, 64, pattern(512, 2)))).status).toBe(0);
    expect((await rig.io(io, command(rig, 5, 32, pattern(512, 0)))).status).toBe(COMPARE_FAILURE);
    rig.disks[0].faults.read = () => Promise.reject(new StorageError("io", "injected"));
    expect((await rig.io(io, command(rig, 5, 0, pattern(512, 0)))).status).toBe(0x281);
  });

  it("changes neither disk nor guest memory, and tells of no DMA", async () => {
    const { rig, io } = await Rig.withQueue();
    const compare = command(rig, 5, 0, pattern(512, 3));
    rig.dirtied = [];
    await rig.io(io, compare);
    expect(rig.dirtied).toEqual([]);
    expect(rig.slice(compare.prp1 ?? 0, 512)).toEqual(pattern(512, 3));
    expect(await readBlock(rig, io, 0)).toEqual(new Uint8Array(512));
  });

  it("has the limits of a read", async () => {
    const { rig, io } = await Rig.withQueue();
    const prp1 = rig.alloc(PAGE);
    const status = async (lba: number, blocks: number) =>
      (await rig.io(io, { ...transfer(1, lba, blocks, { prp1 }), opcode: 5 })).status;
    expect(await status(2048, 1)).toBe(0x080 | DNR);
    const large = await Rig.withQueue({ disks: [{ blocks: 8192 }] });
    const { prp1: page } = data(large.rig, new Uint8Array(512));
    const over = { ...transfer(1, 0, 4097, { prp1: page }), opcode: 5 };
    expect((await large.rig.io(large.io, over)).status).toBe(0x002 | DNR);
  });
});

describe("Compare and Write (6.2.1, 4.12)", () => {
  const pair = (rig: Rig, lba: number, expected: Uint8Array, wanted: Uint8Array) => [
    command(rig, 5, lba, expected, 1),
    command(rig, 1, lba, wanted, 2),
  ];

  async function submit(rig: Rig, io: QueuePair, commands: readonly Command[]) {
    const cids = commands.map(each => io.push(each));
    io.ring();
    await rig.settle();
    const cqes = io.reap();
    expect(cqes.map(cqe => cqe.cid).toSorted()).toEqual(cids.toSorted());
    return cids.map(cid => cqes.find(cqe => cqe.cid === cid)?.status);
  }

  it("writes when the comparison holds", async () => {
    const { rig, io } = await Rig.withQueue();
    const [before, after] = [pattern(512, 1), pattern(512, 2)];
    await rig.io(io, command(rig, 1, 5, before));
    expect(await submit(rig, io, pair(rig, 5, before, after))).toEqual([0, 0]);
    expect(await readBlock(rig, io, 5)).toEqual(after);
    // … and not when it does not, which is how a lock is taken only once.
    expect(await submit(rig, io, pair(rig, 5, before, pattern(512, 3)))).toEqual([
      COMPARE_FAILURE,
      FAILED_FUSED,
    ]);
    expect(await readBlock(rig, io, 5)).toEqual(after);
  });

  it("is atomic with regard to other commands, also when it waits for storage", async () => {
    const { rig, io } = await Rig.withQueue(SMALL_CACHE, 32);
    await spread(rig, io);
    const other = await rig.createQueues(2);
    // Two hosts want the same lock, whose block is not in memory: exactly one gets it.
    const before = pattern(512, 0);
    const rivals = [io, other].map((queue, i) => {
      for (const each of pair(rig, 0, before, pattern(512, 100 + i))) queue.push(each);
      queue.ring();
      return queue;
    });
    await rig.settle();
    const statuses = rivals.map(queue => queue.reap().map(cqe => cqe.status));
    const won = statuses.findIndex(([, write]) => write === 0);
    expect(statuses[won]).toEqual([0, 0]);
    expect(statuses[1 - won]).toEqual([COMPARE_FAILURE, FAILED_FUSED]);
    expect(await readBlock(rig, io, 0)).toEqual(pattern(512, 100 + won));
  });

  it("wraps round the end of the queue", async () => {
    const { rig, io } = await Rig.withQueue({}, 4);
    for (let lap = 0; lap < 5; lap++) {
      const [before, after] = [pattern(512, lap), pattern(512, lap + 1)];
      await rig.io(io, command(rig, 1, 0, before));
      expect(await submit(rig, io, pair(rig, 0, before, after))).toEqual([0, 0]);
    }
  });

  it("is not torn by the arbitration burst", async () => {
    const { rig, io } = await Rig.withQueue({}, 64);
    for (const lead of [30, 31, 32]) {
      const flushes = Array.from({ length: lead }, () => transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }));
      const zero = new Uint8Array(512);
      const statuses = await submit(rig, io, [...flushes, ...pair(rig, 9, zero, zero)]);
      expect(statuses.every(status => status === 0)).toBe(true);
    }
  });

  it("FUA makes the write durable before it completes", async () => {
    const { rig, io } = await Rig.withQueue();
    const [compare, write] = pair(rig, 0, new Uint8Array(512), pattern(512, 1));
    const fua = { ...write, cdw: [0, 0, 1 << 30] };
    expect(await submit(rig, io, [compare, fua])).toEqual([0, 0]);
    expect(rig.disks[0].store.get(0)?.slice(0, 512)).toEqual(pattern(512, 1));
  });

  it("a half without the other one is aborted, and what stands beside it is not", async () => {
    const { rig, io } = await Rig.withQueue();
    const zero = new Uint8Array(512);
    const [compare, write] = pair(rig, 0, zero, pattern(512, 1));
    const plain = command(rig, 5, 0, zero);
    expect(await submit(rig, io, [compare])).toEqual([MISSING_FUSED]);
    expect(await submit(rig, io, [write])).toEqual([MISSING_FUSED]);
    expect(await submit(rig, io, [compare, plain])).toEqual([MISSING_FUSED, 0]);
    expect(await submit(rig, io, [plain, write])).toEqual([0, MISSING_FUSED]);
    expect(await submit(rig, io, [write, compare])).toEqual([MISSING_FUSED, MISSING_FUSED]);
    expect(await readBlock(rig, io, 0)).toEqual(zero);
    // The second compare is adjacent to the write: those two are an operation.
    expect(await submit(rig, io, [compare, compare, write])).toEqual([MISSING_FUSED, 0, 0]);
    expect(await readBlock(rig, io, 0)).toEqual(pattern(512, 1));
  });

  it("two commands that do not go together are aborted", async () => {
    const { rig, io } = await Rig.withQueue({ disks: [{}, {}] });
    const zero = new Uint8Array(512);
    const [compare, write] = pair(rig, 0, zero, pattern(512, 1));
    expect(await submit(rig, io, [{ ...write, flags: 1 }, write])).toEqual([MISSING_FUSED, MISSING_FUSED]);
    expect(await submit(rig, io, [compare, { ...compare, flags: 2 }])).toEqual([
      MISSING_FUSED,
      MISSING_FUSED,
    ]);
    const invalid = 0x002 | DNR;
    for (const cdw of [
      [1, 0, 0],
      [0, 0, 1],
    ])
      expect(await submit(rig, io, [compare, { ...write, cdw }])).toEqual([invalid, invalid]);
    expect(await submit(rig, io, [compare, { ...write, nsid: 2 }])).toEqual([invalid, invalid]);
    expect(await readBlock(rig, io, 0)).toEqual(zero);
  });

  it("what is wrong with one command fails the other", async () => {
    const { rig, io } = await Rig.withQueue();
    const zero = new Uint8Array(512);
    const [compare, write] = pair(rig, 0, zero, pattern(512, 1));
    expect(await submit(rig, io, [{ ...compare, prp1: 0xa0000 }, write])).toEqual([0x004, FAILED_FUSED]);
    expect(await submit(rig, io, [compare, { ...write, prp1: 0xa0000 }])).toEqual([0, 0x004]);
    const reserved = 0x80;
    expect(await submit(rig, io, [compare, { ...write, flags: 2 | reserved }])).toEqual([
      FAILED_FUSED,
      0x002 | DNR,
    ]);
    expect(await readBlock(rig, io, 0)).toEqual(zero);
  });

  it("neither compares nor writes after a reset that came while it waited", async () => {
    const { rig, io } = await Rig.withQueue(SMALL_CACHE);
    await spread(rig, io);
    let load = () => {};
    rig.disks[0].faults.read = () => new Promise<void>(resolve => (load = resolve));
    for (const each of pair(rig, 0, pattern(512, 0), pattern(512, 9))) io.push(each);
    io.ring();
    rig.pump();
    rig.disable();
    load();
    rig.disks[0].faults.read = undefined;
    await rig.settle();
    rig.enable();
    const again = await rig.createQueues();
    expect(await readBlock(rig, again, 0)).toEqual(pattern(512, 0));
    expect(rig.bugs).toEqual([]);
  });
});
