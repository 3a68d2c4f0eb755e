import { describe, expect, it } from "vitest";
import { StorageError } from "../../../storage/block_backend.ts";
import { Counter } from "../../../trace/counters.ts";
import { type Command, DNR, PAGE, pattern, type QueuePair, Rig, transfer } from "../testing/driver.ts";

const READ_ERROR = 0x281;
const UNCORRECTABLE = 0x04;
const VERIFY = 0x0c;

const on = (opcode: number, lba: number, blocks: number, more: Partial<Command> = {}): Command => ({
  opcode,
  nsid: 1,
  cdw: [lba, 0, blocks - 1],
  ...more,
});

const status = async (rig: Rig, io: QueuePair, command: Command) => (await rig.io(io, command)).status;
const read = (rig: Rig, io: QueuePair, lba: number, blocks: number) =>
  status(rig, io, transfer(2, lba, blocks, { prp1: rig.alloc(PAGE) }));

describe("Write Uncorrectable (6.16)", () => {
  it("makes reads, compares and verifies of the blocks fail, and of no others", async () => {
    const { rig, io } = await Rig.withQueue();
    expect(await status(rig, io, on(UNCORRECTABLE, 10, 3))).toBe(0);
    for (const [lba, blocks, expected] of [
      [9, 1, 0],
      [9, 2, READ_ERROR],
      [10, 1, READ_ERROR],
      [12, 1, READ_ERROR],
      [12, 4, READ_ERROR],
      [13, 1, 0],
    ]) {
      expect(await read(rig, io, lba, blocks)).toBe(expected);
      expect(await status(rig, io, on(VERIFY, lba, blocks))).toBe(expected);
      expect(await status(rig, io, on(0x05, lba, blocks, { prp1: rig.alloc(PAGE) }))).toBe(expected);
    }
  });

  it.each([
    ["Write", (rig: Rig) => transfer(1, 11, 1, { prp1: rig.alloc(PAGE) })],
    ["Write Zeroes", () => on(0x08, 11, 1)],
    [
      "Deallocate",
      (rig: Rig) => {
        const prp1 = rig.alloc(PAGE);
        rig.memory.words.set([0, 1, 11, 0], prp1 / 4);
        return { opcode: 0x09, nsid: 1, prp1, cdw: [0, 4] };
      },
    ],
    [
      "Copy",
      (rig: Rig) => {
        const prp1 = rig.alloc(PAGE);
        rig.memory.words[prp1 / 4 + 2] = 100;
        return { opcode: 0x19, nsid: 1, prp1, cdw: [11, 0, 0] };
      },
    ],
  ])("%s heals what it writes", async (_name, command) => {
    const { rig, io } = await Rig.withQueue();
    await status(rig, io, on(UNCORRECTABLE, 10, 3));
    expect(await status(rig, io, command(rig))).toBe(0);
    expect(await read(rig, io, 11, 1)).toBe(0);
    expect(await read(rig, io, 10, 1)).toBe(READ_ERROR);
    expect(await read(rig, io, 12, 1)).toBe(READ_ERROR);
  });

  it("is of one namespace, outlives a controller reset, and ends with Format NVM", async () => {
    const { rig, io } = await Rig.withQueue({ disks: [{}, {}] });
    await status(rig, io, on(UNCORRECTABLE, 0, 1));
    expect(await status(rig, io, { ...transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }), nsid: 2 })).toBe(0);
    rig.disable();
    rig.enable();
    const again = await rig.createQueues();
    expect(await read(rig, again, 0, 1)).toBe(READ_ERROR);
    expect((await rig.command({ opcode: 0x80, nsid: 1, cdw: [0] })).status).toBe(0);
    expect(await read(rig, again, 0, 1)).toBe(0);
  });

  it("the error log says which block it was, and where the command is wrong if it is (5.14.1.1)", async () => {
    const { rig, io } = await Rig.withQueue();
    await status(rig, io, on(UNCORRECTABLE, 10, 3));
    await read(rig, io, 7, 8);
    await status(rig, io, on(UNCORRECTABLE, 2048, 1));
    await status(rig, io, on(UNCORRECTABLE, 0, 1, { nsid: 9 }));
    const page = rig.alloc(PAGE);
    await rig.command({ opcode: 0x02, prp1: page, cdw: [1 | (47 << 16)] });
    const entry = (i: number) => {
      const view = rig.view(page + i * 64, 64);
      return {
        status: view.getUint16(12, true) >> 1,
        location: view.getUint16(14, true),
        lba: Number(view.getBigUint64(16, true)),
        nsid: view.getUint32(24, true),
      };
    };
    expect(entry(2)).toEqual({ status: READ_ERROR, location: 0xffff, lba: 10, nsid: 1 });
    expect(entry(1)).toEqual({ status: 0x080 | DNR, location: 40, lba: 2048, nsid: 1 });
    expect(entry(0)).toEqual({ status: 0x00b | DNR, location: 4, lba: 0, nsid: 9 });
  });
});

describe("Verify (6.14)", () => {
  it("reads from storage, moves no data and counts it as read (5.14.1.2)", async () => {
    const { rig, io } = await Rig.withQueue({
      disks: [{ cache: { cacheBytes: 4 * 16384, dirtyBytes: 2 * 16384 } }],
    });
    for (let i = 0; i < 6; i++) {
      const prp1 = rig.alloc(PAGE);
      rig.memory.bytes.set(pattern(512, i), prp1);
      expect(await status(rig, io, transfer(1, i * 32, 1, { prp1 }, { fua: true }))).toBe(0);
    }
    rig.dirtied = [];
    const before = rig.shared.counters[Counter.sectorsRead];
    expect(await status(rig, io, on(VERIFY, 0, 32))).toBe(0);
    expect(rig.shared.counters[Counter.sectorsRead] - before).toBe(32);
    expect(rig.dirtied).toEqual([]);
    rig.disks[0].faults.read = () => Promise.reject(new StorageError("io", "injected"));
    expect(await status(rig, io, on(VERIFY, 64, 1))).toBe(READ_ERROR);
    expect(rig.bugs).toEqual([]);
  });

  it("goes beyond MDTS: all that its field can say", async () => {
    const { rig, io } = await Rig.withQueue({ disks: [{ blocks: 65536 }] });
    expect(await status(rig, io, on(VERIFY, 0, 65536))).toBe(0);
    await status(rig, io, on(UNCORRECTABLE, 65535, 1));
    expect(await status(rig, io, on(VERIFY, 0, 65536))).toBe(READ_ERROR);
    expect(await status(rig, io, on(VERIFY, 1, 65536))).toBe(0x080 | DNR);
  });
});

describe("Force Unit Access of what reads (6.9, 6.6, 6.14)", () => {
  it.each([0x02, 0x05, VERIFY])("opcode %i: what is in the write cache is durable first", async opcode => {
    const { rig, io } = await Rig.withQueue();
    const prp1 = rig.alloc(PAGE);
    rig.memory.bytes.set(pattern(512, 1), prp1);
    await rig.io(io, transfer(1, 3, 1, { prp1 }));
    const { store, faults } = rig.disks[0];
    expect(store.size).toBe(0);
    const command = { opcode, nsid: 1, prp1, cdw: [3, 0, 1 << 30] };
    expect(await status(rig, io, command)).toBe(0);
    expect(store.get(0)?.slice(3 * 512, 4 * 512)).toEqual(pattern(512, 1));
    await rig.io(io, transfer(1, 3, 1, { prp1: rig.alloc(PAGE) }));
    faults.commit = () => Promise.reject(new StorageError("io", "injected"));
    expect(await status(rig, io, command)).toBe(0x280);
    expect(await status(rig, io, { ...command, cdw: [2048, 0, 1 << 30] })).toBe(0x080 | DNR);
  });
});
