import { describe, expect, it } from "vitest";
import { StorageError } from "../../../storage/block_backend.ts";
import {
  buildPrps,
  type Command,
  DNR,
  gather,
  PAGE,
  pattern,
  type QueuePair,
  Rig,
  scatter,
  transfer,
} from "../testing/driver.ts";

type Range = readonly [lba: number, blocks: number];

/** Source ranges of format 0: NVM Command Set Specification 1.0, figure 37. */
function copy(rig: Rig, ranges: readonly Range[], target: number, cdw12 = 0): Command {
  const { prp1, prp2, segments } = buildPrps(rig, ranges.length * 32, 64);
  const list = new DataView(new ArrayBuffer(ranges.length * 32));
  for (const [i, [lba, blocks]] of ranges.entries()) {
    list.setBigUint64(i * 32 + 8, BigInt(lba), true);
    list.setUint16(i * 32 + 16, blocks - 1, true);
  }
  scatter(rig, segments, new Uint8Array(list.buffer));
  return { opcode: 0x19, nsid: 1, prp1, prp2, cdw: [target, 0, (ranges.length - 1) | cdw12] };
}

async function write(rig: Rig, io: QueuePair, lba: number, data: Uint8Array, fua = false) {
  const { prp1, prp2, segments } = buildPrps(rig, data.length);
  scatter(rig, segments, data);
  const command = transfer(1, lba, data.length / 512, { prp1, prp2 }, { fua });
  expect((await rig.io(io, command)).status).toBe(0);
}

async function read(rig: Rig, io: QueuePair, lba: number, blocks: number) {
  const { prp1, prp2, segments } = buildPrps(rig, blocks * 512);
  expect((await rig.io(io, transfer(2, lba, blocks, { prp1, prp2 }))).status).toBe(0);
  return gather(rig, segments);
}

describe("Copy (TP 4065; NVM Command Set Specification 1.0, section 3.2.2)", () => {
  it("puts the source ranges one behind the other", async () => {
    const { rig, io } = await Rig.withQueue();
    const disk = pattern(100 * 512, 1);
    await write(rig, io, 0, disk);
    const ranges: Range[] = [
      [70, 5],
      [3, 1],
      [71, 2],
    ];
    expect((await rig.io(io, copy(rig, ranges, 1000))).status).toBe(0);
    const expected = ranges.flatMap(([lba, blocks]) => [...disk.slice(lba * 512, (lba + blocks) * 512)]);
    expect(await read(rig, io, 1000, 8)).toEqual(new Uint8Array(expected));
    expect(await read(rig, io, 1008, 1)).toEqual(new Uint8Array(512));
  });

  it("may overlap: all is read before anything is written", async () => {
    const { rig, io } = await Rig.withQueue();
    const disk = pattern(64 * 512, 2);
    await write(rig, io, 0, disk);
    expect((await rig.io(io, copy(rig, [[0, 40]], 8))).status).toBe(0);
    expect(await read(rig, io, 8, 40)).toEqual(disk.slice(0, 40 * 512));
  });

  it("takes 256 ranges, and as much as MCL says, and no more", async () => {
    const { rig, io } = await Rig.withQueue({ disks: [{ blocks: 16384 }], ramBytes: 32 << 20 });
    const disk = pattern(4096 * 512, 3);
    await write(rig, io, 0, disk);
    const ranges = Array.from({ length: 256 }, (_, i): Range => [(255 - i) * 16, 16]);
    expect((await rig.io(io, copy(rig, ranges, 8192))).status).toBe(0);
    const copied = await read(rig, io, 8192, 4096);
    for (const i of [0, 1, 255]) {
      expect(copied.slice(i * 8192, i * 8192 + 8192)).toEqual(disk.slice((255 - i) * 8192, (256 - i) * 8192));
    }
    const tooLong = 0x183 | DNR;
    expect((await rig.io(io, copy(rig, [[0, 4097]], 8192))).status).toBe(tooLong);
    expect((await rig.io(io, copy(rig, [...ranges.slice(1), [0, 17]], 8192))).status).toBe(tooLong);
  });

  it("Identify Namespace says the same limits (MSSRL, MCL, MSRC)", async () => {
    const rig = await Rig.create({ disks: [{}, { lbaShift: 12 }] });
    rig.enable();
    for (const [nsid, blocks] of [
      [1, 4096],
      [2, 512],
    ]) {
      const page = rig.alloc(PAGE);
      await rig.command({ opcode: 0x06, nsid, prp1: page, cdw: [0] });
      const view = rig.view(page, PAGE);
      expect([view.getUint16(74, true), view.getUint32(76, true), view.getUint8(80)]).toEqual([
        blocks,
        blocks,
        255,
      ]);
    }
  });

  it("waits for storage at both ends; many at once do not mix their data", async () => {
    const { rig, io } = await Rig.withQueue({
      disks: [{ cache: { cacheBytes: 4 * 16384, dirtyBytes: 2 * 16384 } }],
    });
    for (let i = 0; i < 6; i++) await write(rig, io, i * 32, pattern(512, i), true);
    for (let i = 0; i < 6; i++) io.push(copy(rig, [[i * 32, 1]], 1000 + i * 40));
    io.ring();
    for (let turn = 0; turn < 10; turn++) await rig.settle();
    expect(io.reap().map(cqe => cqe.status)).toEqual([0, 0, 0, 0, 0, 0]);
    for (let i = 0; i < 6; i++) expect(await read(rig, io, 1000 + i * 40, 1)).toEqual(pattern(512, i));
    expect(rig.bugs).toEqual([]);
  });

  it("is all or nothing when a range cannot be read; dword 0 says that none was copied", async () => {
    const { rig, io } = await Rig.withQueue();
    await write(rig, io, 0, pattern(1024, 1));
    await rig.io(io, { opcode: 0x04, nsid: 1, cdw: [50, 0, 0] });
    const { status, result } = await rig.io(
      io,
      copy(
        rig,
        [
          [0, 1],
          [50, 1],
        ],
        100,
      ),
    );
    expect([status, result]).toEqual([0x281, 0]);
    expect(await read(rig, io, 100, 2)).toEqual(new Uint8Array(1024));
  });

  it("FUA makes the copy durable before it completes", async () => {
    const { rig, io } = await Rig.withQueue();
    await write(rig, io, 0, pattern(512, 1));
    expect((await rig.io(io, copy(rig, [[0, 1]], 32, 1 << 30))).status).toBe(0);
    expect(rig.disks[0].store.get(1)?.slice(0, 512)).toEqual(pattern(512, 1));
    await write(rig, io, 1, pattern(512, 2));
    rig.disks[0].faults.commit = () => Promise.reject(new StorageError("io", "injected"));
    expect((await rig.io(io, copy(rig, [[1, 1]], 33, 1 << 30))).status).toBe(0x280);
  });

  it("refuses other formats, ranges outside the namespace, and lists that are not there", async () => {
    const { rig, io } = await Rig.withQueue();
    const status = async (command: Command) => (await rig.io(io, command)).status;
    expect(await status(copy(rig, [[0, 1]], 0, 1 << 8))).toBe(0x002 | DNR);
    expect(await status(copy(rig, [[2047, 2]], 0))).toBe(0x080 | DNR);
    expect(await status(copy(rig, [[0, 2]], 2047))).toBe(0x080 | DNR);
    expect(await status({ ...copy(rig, [[0, 1]], 0), prp1: 0xa0000 })).toBe(0x004);
    expect(await status({ ...copy(rig, [[0, 1]], 0), nsid: 2 })).toBe(0x00b | DNR);
  });

  it("one that a reset has ended writes nothing", async () => {
    const { rig, io } = await Rig.withQueue({
      disks: [{ cache: { cacheBytes: 4 * 16384, dirtyBytes: 2 * 16384 } }],
    });
    for (let i = 0; i < 6; i++) await write(rig, io, i * 32, pattern(512, i), true);
    let load = () => {};
    rig.disks[0].faults.read = () => new Promise<void>(resolve => (load = resolve));
    io.submit(copy(rig, [[0, 1]], 1000));
    await rig.settle();
    rig.disable();
    rig.disks[0].faults.read = undefined;
    load();
    await rig.settle();
    rig.enable();
    const again = await rig.createQueues();
    expect(await read(rig, again, 1000, 1)).toEqual(new Uint8Array(512));
  });
});
