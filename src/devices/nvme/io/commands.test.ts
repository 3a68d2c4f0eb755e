import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StorageError } from "../../../storage/block_backend.ts";
import { Counter } from "../../../trace/counters.ts";
import {
  buildPrps,
  DNR,
  FLUSH,
  gather,
  PAGE,
  pattern,
  type QueuePair,
  Rig,
  type RigOptions,
  scatter,
  transfer,
} from "../testing/driver.ts";

const INVALID_FIELD = 0x002 | DNR;
const INVALID_NAMESPACE = 0x00b | DNR;
const LBA_OUT_OF_RANGE = 0x080 | DNR;
const CAPACITY_EXCEEDED = 0x081;
const WRITE_FAULT = 0x280;
const READ_ERROR = 0x281;

const count = (rig: Rig, name: keyof typeof Counter) => rig.shared.counters[Counter[name]];

async function write(rig: Rig, io: QueuePair, lba: number, data: Uint8Array, options = {}) {
  const { prp1, prp2, segments } = buildPrps(rig, data.length);
  scatter(rig, segments, data);
  return (await rig.io(io, transfer(1, lba, data.length / 512, { prp1, prp2 }, options))).status;
}

async function read(rig: Rig, io: QueuePair, lba: number, blocks: number) {
  const { prp1, prp2, segments } = buildPrps(rig, blocks * 512);
  const { status } = await rig.io(io, transfer(2, lba, blocks, { prp1, prp2 }));
  expect(status).toBe(0);
  return gather(rig, segments);
}

const bytesOf = (store: ReadonlyMap<number, Uint8Array>, at: number, length: number) =>
  (store.get(Math.floor(at / 16384)) ?? new Uint8Array(16384)).slice(at % 16384, (at % 16384) + length);

describe("Read and Write (6.9, 6.15)", () => {
  it("move the right bytes for any LBA, length, PRP offset and list offset", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(9, 12),
        fc.array(
          fc.record({
            write: fc.boolean(),
            lba: fc.nat(511),
            blocks: fc.oneof(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 1, max: 511 })),
            offset: fc.nat(PAGE / 4 - 1).map(dwords => dwords * 4),
            list: fc.constantFrom(0, 8, 2048, 4072, 4080, 4088),
            seed: fc.nat(),
          }),
          { minLength: 1, maxLength: 6 },
        ),
        fc.boolean(),
        async (lbaShift, requests, shadow) => {
          const options: RigOptions = {
            disks: [{ lbaShift, blocks: 512 }],
            ramBytes: 48 << 20,
          };
          const { rig, io } = shadow ? await Rig.withShadow(options) : await Rig.withQueue(options);
          const disk = new Uint8Array(512 << lbaShift);
          for (const { write, lba, blocks: wanted, offset, list, seed } of requests) {
            const blocks = Math.min(wanted, 512 - lba, (2 << 20) >> lbaShift);
            const at = lba << lbaShift;
            const bytes = blocks << lbaShift;
            const { prp1, prp2, segments } = buildPrps(rig, bytes, offset, list);
            const data = pattern(bytes, seed);
            scatter(rig, segments, data);
            expect((await rig.io(io, transfer(write ? 1 : 2, lba, blocks, { prp1, prp2 }))).status).toBe(0);
            if (write) disk.set(data, at);
            const expected = disk.subarray(at, at + bytes);
            expect(Buffer.compare(gather(rig, segments), expected)).toBe(0);
          }
          expect(rig.bugs).toEqual([]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("the longest transfer is MDTS; one block more is an invalid field (5.15.2.1)", async () => {
    const { rig, io } = await Rig.withQueue({ disks: [{ blocks: 8192 }], ramBytes: 32 << 20 });
    const data = pattern(2 << 20, 5);
    expect(await write(rig, io, 7, data)).toBe(0);
    expect(Buffer.compare(await read(rig, io, 7, 4096), data)).toBe(0);
    const { prp1, prp2 } = buildPrps(rig, 4096);
    for (const opcode of [1, 2] as const) {
      expect((await rig.io(io, transfer(opcode, 0, 4097, { prp1, prp2 }))).status).toBe(INVALID_FIELD);
    }
  });

  it("never write outside of their PRPs", async () => {
    const { rig, io } = await Rig.withQueue();
    await write(rig, io, 0, pattern(8192, 1));
    const { prp1, prp2, segments } = buildPrps(rig, 4096 + 512, 1024);
    for (const { at } of segments) rig.memory.bytes.fill(0xcc, at - (at % PAGE), at - (at % PAGE) + PAGE);
    await rig.io(io, transfer(2, 0, 9, { prp1, prp2 }));
    expect(rig.slice(prp1 - 1024, 1024)).toEqual(new Uint8Array(1024).fill(0xcc));
    const end = segments[1].at + segments[1].length;
    expect(rig.slice(end, PAGE - segments[1].length)).toEqual(
      new Uint8Array(PAGE - segments[1].length).fill(0xcc),
    );
  });

  it("read what was written before them in the same batch", async () => {
    const { rig, io } = await Rig.withQueue();
    const [from, to] = [rig.alloc(PAGE), rig.alloc(PAGE)];
    rig.memory.bytes.set(pattern(PAGE, 3), from);
    io.push(transfer(1, 8, 8, { prp1: from }));
    io.push(transfer(2, 8, 8, { prp1: to }));
    io.ring();
    await rig.settle();
    expect(io.reap().map(cqe => cqe.status)).toEqual([0, 0]);
    expect(rig.slice(to, PAGE)).toEqual(pattern(PAGE, 3));
  });

  it("count themselves", async () => {
    const { rig, io } = await Rig.withQueue();
    await write(rig, io, 0, pattern(1024, 1));
    await read(rig, io, 0, 3);
    await rig.io(io, FLUSH);
    await rig.io(io, { opcode: 0x55 });
    const names = [
      "commands",
      "reads",
      "writes",
      "flushes",
      "sectorsRead",
      "sectorsWritten",
      "errors",
    ] as const;
    expect(names.map(name => count(rig, name))).toEqual([4, 1, 1, 1, 3, 2, 1]);
    expect(count(rig, "flushesInProgress")).toBe(0);
  });

  it("go to the namespace that is named", async () => {
    const { rig, io } = await Rig.withQueue({ disks: [{}, { nsid: 7 }] });
    expect(await write(rig, io, 0, pattern(512, 1))).toBe(0);
    expect(await write(rig, io, 0, pattern(512, 2), { nsid: 7 })).toBe(0);
    expect(await read(rig, io, 0, 1)).toEqual(pattern(512, 1));
  });
});

describe("statuses (4.6.1)", () => {
  it.each([1, 2, 8] as const)("opcode %i: ranges that do not fit the namespace", async opcode => {
    const { rig, io } = await Rig.withQueue({ disks: [{ blocks: 100 }] });
    const prp1 = rig.alloc(PAGE);
    const at = async (lba: number, blocks: number) =>
      (await rig.io(io, { ...transfer(1, lba, blocks, { prp1 }), opcode })).status;
    expect(await at(99, 1)).toBe(0);
    for (const [lba, blocks] of [
      [100, 1],
      [99, 2],
      [93, 8],
      [2 ** 32, 1],
      [2 ** 53, 1],
      [2 ** 63, 1],
      [2 ** 64 - 2048, 8],
    ]) {
      expect(await at(lba, blocks)).toBe(LBA_OUT_OF_RANGE);
    }
  });

  it("namespaces that do not exist", async () => {
    const { rig, io } = await Rig.withQueue();
    for (const opcode of [0, 1, 2, 8, 9]) {
      for (const nsid of [0, 2, 0xfffffffe]) {
        expect((await rig.io(io, { opcode, nsid, prp1: rig.alloc(PAGE) })).status).toBe(INVALID_NAMESPACE);
      }
      if (opcode !== 0)
        expect((await rig.io(io, { opcode, nsid: 0xffffffff })).status).toBe(INVALID_NAMESPACE);
    }
  });

  it("opcodes that do not exist, fused operations that there are not, reserved values of PSDT", async () => {
    const { rig, io } = await Rig.withQueue();
    for (const opcode of [0x03, 0x06, 0x0d, 0x11, 0x15, 0x80, 0xff]) {
      expect((await rig.io(io, { opcode, nsid: 1 })).status).toBe(0x001 | DNR);
    }
    const status = async (flags: number) =>
      (await rig.io(io, { opcode: 0x02, nsid: 1, flags, prp1: rig.alloc(PAGE) })).status;
    for (const flags of [3, 0x80, 0xc0]) expect(await status(flags)).toBe(INVALID_FIELD);
    for (const flags of [1, 2]) expect(await status(flags)).toBe(0x00a | DNR);
  });

  it("PRPs that are wrong", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    const status = async (prp1: number, prp2: number, blocks: number) =>
      (await rig.io(io, transfer(2, 0, blocks, { prp1, prp2 }))).status;
    expect(await status(page + 1, 0, 1)).toBe(0x013 | DNR);
    expect(await status(page, page + 8, 16)).toBe(0x013 | DNR);
    expect(await status(rig.memory.byteLength, 0, 1)).toBe(0x004);
    expect(await status(0xa0000, 0, 1)).toBe(0x004);
    expect(await status(page, 2 ** 40, 24)).toBe(0x004);
  });
});

describe("Flush, FUA and the write cache (6.8, 6.15, 5.21.1.6)", () => {
  it("a write is not durable by itself; a flush makes it so before it completes", async () => {
    const { rig, io } = await Rig.withQueue();
    await write(rig, io, 0, pattern(4096, 1));
    const { store, faults } = rig.disks[0];
    expect(store.size).toBe(0);
    let commit = () => {};
    faults.commit = () =>
      new Promise<void>(resolve => {
        commit = resolve;
      });
    io.submit(FLUSH);
    await rig.settle();
    expect([io.reap(), count(rig, "flushesInProgress"), rig.server.pending]).toEqual([[], 1, true]);
    commit();
    await rig.settle();
    expect(io.reap().map(cqe => cqe.status)).toEqual([0]);
    expect(bytesOf(store, 0, 4096)).toEqual(pattern(4096, 1));
  });

  it("a flush of NSID FFFFFFFFh covers all namespaces", async () => {
    const { rig, io } = await Rig.withQueue({ disks: [{}, {}] });
    await write(rig, io, 0, pattern(512, 1));
    await write(rig, io, 0, pattern(512, 2), { nsid: 2 });
    expect((await rig.io(io, { opcode: 0, nsid: 0xffffffff })).status).toBe(0);
    expect(rig.disks.map(({ store }) => store.size)).toEqual([1, 1]);
  });

  it("FUA is durable before it completes", async () => {
    const { rig, io } = await Rig.withQueue();
    expect(await write(rig, io, 3, pattern(512, 1), { fua: true })).toBe(0);
    expect(bytesOf(rig.disks[0].store, 3 * 512, 512)).toEqual(pattern(512, 1));
  });

  it("so is every write, and Write Zeroes, while the write cache is off", async () => {
    const { rig, io } = await Rig.withQueue();
    const { store } = rig.disks[0];
    await rig.command({ opcode: 0x09, cdw: [0x06, 0] });
    expect(await write(rig, io, 3, pattern(512, 1))).toBe(0);
    expect(bytesOf(store, 3 * 512, 512)).toEqual(pattern(512, 1));
    expect((await rig.io(io, { opcode: 0x08, nsid: 1, cdw: [3] })).status).toBe(0);
    expect(bytesOf(store, 3 * 512, 512)).toEqual(new Uint8Array(512));
    await rig.command({ opcode: 0x09, cdw: [0x06, 1] });
    expect(await write(rig, io, 3, pattern(512, 2))).toBe(0);
    expect(bytesOf(store, 3 * 512, 512)).toEqual(new Uint8Array(512));
  });
});

describe("storage errors", () => {
  const fail = (kind: "io" | "no-space") => () => Promise.reject(new StorageError(kind, "injected"));
  /** Data that is on the backend and no longer in the cache. */
  async function evicted() {
    const made = await Rig.withQueue({
      disks: [{ cache: { cacheBytes: 4 * 16384, dirtyBytes: 2 * 16384 } }],
    });
    for (let i = 0; i < 6; i++)
      expect(await write(made.rig, made.io, i * 32, pattern(512, i), { fua: true })).toBe(0);
    return { ...made, faults: made.rig.disks[0].faults };
  }

  it("a read that fails is an unrecovered read error, and can be repeated", async () => {
    const { rig, io, faults } = await evicted();
    faults.read = fail("io");
    expect((await rig.io(io, transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }))).status).toBe(READ_ERROR);
    faults.read = undefined;
    expect(await read(rig, io, 0, 1)).toEqual(pattern(512, 0));
    const page = rig.alloc(PAGE);
    await rig.command({ opcode: 0x02, prp1: page, cdw: [1 | (15 << 16)] });
    expect(rig.view(page, 64).getUint16(12, true) >> 1).toBe(READ_ERROR);
    expect(rig.view(page, 64).getUint16(8, true)).toBe(1);
  });

  it("a write that needs a chunk which cannot be read is a write fault", async () => {
    const { rig, io, faults } = await evicted();
    faults.read = fail("io");
    expect(await write(rig, io, 1, pattern(512, 9))).toBe(WRITE_FAULT);
    expect((await rig.io(io, { opcode: 0x08, nsid: 1, cdw: [1] })).status).toBe(WRITE_FAULT);
  });

  it.each([
    ["io", WRITE_FAULT],
    ["no-space", CAPACITY_EXCEEDED],
  ] as const)(
    "a commit that fails (%s) fails the flush and the FUA write, and the data is not lost",
    async (kind, status) => {
      const { rig, io } = await Rig.withQueue();
      const { faults, store } = rig.disks[0];
      faults.commit = fail(kind);
      expect(await write(rig, io, 0, pattern(512, 1))).toBe(0);
      expect((await rig.io(io, FLUSH)).status).toBe(status);
      expect((await rig.io(io, { opcode: 0, nsid: 0xffffffff })).status).toBe(status);
      expect(await write(rig, io, 1, pattern(512, 2), { fua: true })).toBe(status);
      faults.commit = undefined;
      expect((await rig.io(io, FLUSH)).status).toBe(0);
      expect(bytesOf(store, 0, 512)).toEqual(pattern(512, 1));
    },
  );

  it("an exception that is no storage error is a bug, reported, and an internal error for the guest", async () => {
    const { rig, io } = await Rig.withQueue();
    rig.disks[0].device.tryRead = () => {
      throw new TypeError("planted");
    };
    expect((await rig.io(io, transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }))).status).toBe(0x006);
    expect(rig.bugs).toHaveLength(1);
  });
});

describe("Write Zeroes and Dataset Management (6.17, 6.7)", () => {
  const dsm = (rig: Rig, ranges: readonly (readonly [lba: number, blocks: number])[], attributes = 4) => {
    const { prp1, prp2, segments } = buildPrps(rig, 4096, 2048);
    const list = new DataView(new ArrayBuffer(4096));
    for (const [i, [lba, blocks]] of ranges.entries()) {
      list.setUint32(i * 16, 0xffff, true); // context attributes mean nothing here
      list.setUint32(i * 16 + 4, blocks, true);
      list.setBigUint64(i * 16 + 8, BigInt(lba), true);
    }
    scatter(rig, segments, new Uint8Array(list.buffer));
    return { opcode: 0x09, nsid: 1, prp1, prp2, cdw: [ranges.length - 1, attributes] };
  };

  it("zero exactly the blocks that are named", async () => {
    const { rig, io } = await Rig.withQueue();
    const disk = pattern(128 * 512, 1);
    const zero = (lba: number, blocks: number) => disk.fill(0, lba * 512, (lba + blocks) * 512);
    expect(await write(rig, io, 0, disk)).toBe(0);
    expect((await rig.io(io, { opcode: 0x08, nsid: 1, cdw: [5, 0, 40] })).status).toBe(0);
    zero(5, 41);
    expect(
      (
        await rig.io(
          io,
          dsm(rig, [
            [60, 1],
            [70, 0],
            [64, 33],
            [127, 1],
          ]),
        )
      ).status,
    ).toBe(0);
    for (const [lba, blocks] of [
      [60, 1],
      [64, 33],
      [127, 1],
    ])
      zero(lba, blocks);
    expect(Buffer.compare(await read(rig, io, 0, 128), disk)).toBe(0);
  });

  it("take 256 ranges, through two PRPs", async () => {
    const { rig, io } = await Rig.withQueue();
    const disk = pattern(512 * 512, 1);
    expect(await write(rig, io, 0, disk)).toBe(0);
    const ranges = Array.from({ length: 256 }, (_, i) => [i * 2, 1] as const);
    expect((await rig.io(io, dsm(rig, ranges))).status).toBe(0);
    for (const [lba] of ranges) disk.fill(0, lba * 512, lba * 512 + 512);
    expect(Buffer.compare(await read(rig, io, 0, 512), disk)).toBe(0);
  });

  it("reach further than MDTS: all of the disk in one command", async () => {
    const { rig, io } = await Rig.withQueue({ disks: [{ blocks: 65536 }], ramBytes: 16 << 20 });
    for (const lba of [0, 30000, 65535]) expect(await write(rig, io, lba, pattern(512, 1))).toBe(0);
    expect((await rig.io(io, { opcode: 0x08, nsid: 1, cdw: [0, 0, 0xffff] })).status).toBe(0);
    for (const lba of [0, 30000, 65535]) expect(await read(rig, io, lba, 1)).toEqual(new Uint8Array(512));
    expect(rig.disks[0].device.allocatedBytes).toBe(0);
  });

  it("discard nothing when one range is wrong, or when it is only a hint", async () => {
    const { rig, io } = await Rig.withQueue();
    expect(await write(rig, io, 0, pattern(512, 1))).toBe(0);
    expect(
      (
        await rig.io(
          io,
          dsm(rig, [
            [0, 1],
            [2047, 2],
          ]),
        )
      ).status,
    ).toBe(LBA_OUT_OF_RANGE);
    expect((await rig.io(io, dsm(rig, [[0, 1]], 3))).status).toBe(0);
    expect(await read(rig, io, 0, 1)).toEqual(pattern(512, 1));
    expect((await rig.io(io, { ...dsm(rig, [[0, 1]]), prp1: 0xa0000 })).status).toBe(0x004);
  });
});
