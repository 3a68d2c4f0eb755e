import { describe, expect, it } from "vitest";
import { buildPrps, FLUSH, gather, PAGE, pattern, Rig, scatter, transfer } from "../testing/driver.ts";
import { code, errorLog, identify, Nvm, Opcode, Sc } from "../testing/host.ts";

const BLOCKS = 2048;

describe("what moves blocks (tnvme: GrpNVMReadCmd, GrpNVMWriteCmd)", () => {
  it("6.9, 6.15: the first and the last block, and all blocks up to MDTS", async () => {
    const { rig, io } = await Rig.withQueue({ ramBytes: 16 << 20, disks: [{ blocks: 4096 }] });
    const mdts = (await identify(rig, 0x01)).getUint8(77);
    const most = (PAGE << mdts) / 512;
    for (const [lba, blocks] of [
      [0, 1],
      [4095, 1],
      [4096 - most, most],
    ]) {
      const data = pattern(blocks * 512, lba);
      const out = buildPrps(rig, data.length, 4);
      scatter(rig, out.segments, data);
      expect(code(await rig.io(io, transfer(1, lba, blocks, out)))).toBe(Sc.success);
      scatter(rig, out.segments, pattern(data.length, 99));
      expect(code(await rig.io(io, transfer(2, lba, blocks, out)))).toBe(Sc.success);
      // A matcher would take its time over 2 MiB.
      expect(Buffer.compare(gather(rig, out.segments), data)).toBe(0);
    }
  });

  it.each([Nvm.read, Nvm.write, Nvm.compare, Nvm.writeZeroes, Nvm.verify, Nvm.writeUncorrectable])(
    "6: opcode %i beyond the end is LBA Out of Range, with the LBA in the error log (4.6.1.2.1, 5.14.1.1)",
    async opcode => {
      const { rig, io } = await Rig.withQueue();
      const prp1 = rig.alloc(2 * PAGE);
      for (const [low, high, nlb] of [
        [BLOCKS, 0, 0],
        [BLOCKS - 1, 0, 1],
        [0xffffffff, 0xffffffff, 0],
        [0, 1, 0],
        [0xffffffff, 0xffffffff, 7],
      ]) {
        const cqe = await rig.io(io, { opcode, nsid: 1, prp1, cdw: [low, high, nlb] });
        expect(code(cqe)).toBe(Sc.lbaOutOfRange);
        const [entry] = await errorLog(rig);
        expect(entry).toMatchObject({
          sqid: 1,
          cid: cqe.cid,
          status: cqe.status,
          nsid: 1,
          lba: (BigInt(high) << 32n) | BigInt(low),
        });
      }
    },
  );

  it("6.9: what a read that fails would have overwritten is as it was", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    rig.memory.bytes.set(pattern(PAGE, 1), page);
    expect(code(await rig.io(io, transfer(2, BLOCKS - 1, 8, { prp1: page })))).toBe(Sc.lbaOutOfRange);
    expect(rig.slice(page, PAGE)).toEqual(pattern(PAGE, 1));
  });

  it("6.1: a namespace that cannot be, 0, or all: Invalid Namespace or Format", async () => {
    const { rig, io } = await Rig.withQueue();
    const prp1 = rig.alloc(PAGE);
    const opcodes = [
      Nvm.read,
      Nvm.write,
      Nvm.compare,
      Nvm.writeZeroes,
      Nvm.verify,
      Nvm.writeUncorrectable,
      Nvm.datasetManagement,
    ];
    for (const opcode of opcodes) {
      for (const nsid of [0, 0xfffffffe, 0xffffffff]) {
        expect(code(await rig.io(io, { opcode, nsid, prp1 }))).toBe(Sc.invalidNamespace);
        expect((await errorLog(rig))[0]).toMatchObject({ nsid, location: 4 });
      }
    }
  });

  it("6.8: Flush has no data: what its pointers say does not matter", async () => {
    const { rig, io } = await Rig.withQueue();
    expect(code(await rig.io(io, { ...FLUSH, prp1: 1, prp2: 2 ** 60 }))).toBe(Sc.success);
  });

  it("6.7: Dataset Management takes ranges of no blocks, overlapping ones, and attributes alone", async () => {
    const { rig, io } = await Rig.withQueue();
    const list = rig.alloc(PAGE);
    const put = (i: number, blocks: number, slba: number) => {
      rig.memory.words[list / 4 + i * 4 + 1] = blocks;
      rig.memory.words[list / 4 + i * 4 + 2] = slba;
    };
    put(0, 0, BLOCKS);
    put(1, 16, 0);
    put(2, 16, 8);
    for (const attributes of [0, 1, 2, 3, 4, 7, 0xfffffff8]) {
      const command = { opcode: Nvm.datasetManagement, nsid: 1, prp1: list, cdw: [2, attributes] };
      expect(code(await rig.io(io, command))).toBe(Sc.success);
    }
  });

  it("6.17: Write Zeroes, with Deallocate or without, reads as zeroes", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    for (const deallocate of [0, 1 << 25]) {
      rig.memory.bytes.set(pattern(PAGE, 4), page);
      expect(code(await rig.io(io, transfer(1, 80, 8, { prp1: page })))).toBe(Sc.success);
      const command = { opcode: Nvm.writeZeroes, nsid: 1, cdw: [80, 0, 7 | deallocate] };
      expect(code(await rig.io(io, command))).toBe(Sc.success);
      expect(code(await rig.io(io, transfer(2, 80, 8, { prp1: page })))).toBe(Sc.success);
      expect(rig.slice(page, PAGE)).toEqual(new Uint8Array(PAGE));
    }
  });

  it("6.6: Compare Failure is a media error of type 2h, and counts as none of the media (5.14.1.2)", async () => {
    const { rig, io } = await Rig.withQueue();
    const page = rig.alloc(PAGE);
    rig.memory.bytes.fill(1, page, page + PAGE);
    const compare = { opcode: Nvm.compare, nsid: 1, prp1: page, cdw: [0, 0, 7] };
    expect(code(await rig.io(io, compare))).toBe(Sc.compareFailure);
    const smart = rig.alloc(PAGE);
    await rig.command({
      opcode: Opcode.getLogPage,
      nsid: 0xffffffff,
      prp1: smart,
      cdw: [2 | (127 << 16)],
    });
    expect(rig.view(smart, 512).getBigUint64(160, true)).toBe(0n);
  });
});

describe("fused operations (SPDK: fused_ordering)", () => {
  it("4.12, 6.2.1: of many in one batch, each is a whole, and none takes its neighbour's half", async () => {
    const { rig, io } = await Rig.withQueue({}, 32);
    const zero = rig.alloc(PAGE);
    const data = rig.alloc(PAGE);
    rig.memory.bytes.fill(9, data, data + PAGE);
    const compare = (lba: number) => ({
      opcode: Nvm.compare,
      flags: 1,
      nsid: 1,
      prp1: zero,
      cdw: [lba, 0, 0],
    });
    const write = (lba: number) => ({ opcode: Nvm.write, flags: 2, nsid: 1, prp1: data, cdw: [lba, 0, 0] });
    const expected: number[] = [];
    const push = (command: Parameters<typeof io.push>[0], status: number) => {
      expected[io.push(command)] = status;
    };
    push(compare(0), Sc.success);
    push(write(0), Sc.success);
    push(FLUSH, Sc.success);
    push(compare(0), Sc.compareFailure); // block 0 is 9 by now
    push(write(0), Sc.failedFused);
    push(write(1), Sc.missingFused); // a second half alone
    push(compare(1), Sc.missingFused); // a first half before another first half
    push(compare(1), Sc.success);
    push(write(1), Sc.success);
    push(compare(2), Sc.missingFused); // a first half before a command of its own
    push(FLUSH, Sc.success);
    io.ring();
    await rig.settle();
    const answers = io.reap();
    expect(answers).toHaveLength(expected.length);
    for (const cqe of answers) expect(code(cqe), `command ${cqe.cid}`).toBe(expected[cqe.cid]);
  });
});
