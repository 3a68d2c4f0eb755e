import { describe, expect, it } from "vitest";
import { buildPrps, gather, PAGE, pattern, Rig, scatter, transfer } from "../testing/driver.ts";
import { code, identify, Nvm, Sc } from "../testing/host.ts";

describe("PRP entries (tnvme: GrpNVMWriteCmd, GrpNVMReadCmd)", () => {
  it("4.3: every start of the first page, by dwords and blocks, moves what a flat buffer would", async () => {
    const { rig, io } = await Rig.withQueue();
    for (const offset of [0, 4, 508, 512, 2048, 3584, 4088, 4092]) {
      for (const blocks of [1, 8, 9, 16, 17]) {
        const data = pattern(blocks * 512, offset + blocks);
        const out = buildPrps(rig, data.length, offset);
        scatter(rig, out.segments, data);
        expect(code(await rig.io(io, transfer(1, 40, blocks, out)))).toBe(Sc.success);
        const back = buildPrps(rig, data.length, 4096 - 4 - (offset % 4096));
        expect(code(await rig.io(io, transfer(2, 40, blocks, back)))).toBe(Sc.success);
        expect(gather(rig, back.segments)).toEqual(data);
      }
    }
  });

  it("4.3: a list may begin at the last quadword of a page, and is chained from there", async () => {
    const { rig, io } = await Rig.withQueue();
    const data = pattern(32 * 512, 3);
    for (const listOffset of [0, 8, 4080, 4088]) {
      const out = buildPrps(rig, data.length, 0, listOffset);
      scatter(rig, out.segments, data);
      expect(code(await rig.io(io, transfer(1, 0, 32, out)))).toBe(Sc.success);
      const back = buildPrps(rig, data.length, 2048, listOffset);
      expect(code(await rig.io(io, transfer(2, 0, 32, back)))).toBe(Sc.success);
      expect(gather(rig, back.segments)).toEqual(data);
    }
  });

  it("4.3: offsets where there may be none are PRP Offset Invalid; nothing has moved", async () => {
    const { rig, io } = await Rig.withQueue();
    const data = pattern(PAGE, 5);
    const page = rig.alloc(PAGE);
    rig.memory.bytes.set(data, page);
    expect(code(await rig.io(io, transfer(1, 0, 8, { prp1: page })))).toBe(Sc.success);
    const other = rig.alloc(3 * PAGE);
    rig.memory.words[other / 4] = other + PAGE + 512;
    for (const command of [
      transfer(1, 0, 8, { prp1: other + 2 }), // PRP1: not a dword
      transfer(1, 0, 16, { prp1: other, prp2: other + PAGE + 4 }), // PRP2 as a page
      transfer(1, 0, 32, { prp1: other, prp2: other + 4 }), // PRP2 as a list: not a quadword
      transfer(1, 0, 32, { prp1: other + PAGE, prp2: other }), // an entry of the list
    ]) {
      expect(code(await rig.io(io, command))).toBe(Sc.invalidPrpOffset);
    }
    const back = rig.alloc(PAGE);
    expect(code(await rig.io(io, transfer(2, 0, 8, { prp1: back })))).toBe(Sc.success);
    expect(rig.slice(back, PAGE)).toEqual(data);
  });

  it("4.3: nulls where pages should be are refused, and neither memory nor disk changes", async () => {
    const { rig, io } = await Rig.withQueue();
    const low = rig.slice(0, PAGE);
    const page = rig.alloc(PAGE);
    const list = rig.alloc(PAGE);
    for (const opcode of [1, 2] as const) {
      for (const [blocks, prps] of [
        [1, { prp1: 0 }],
        [16, { prp1: page, prp2: 0 }],
        [32, { prp1: page, prp2: 0 }],
        [32, { prp1: page, prp2: list }],
      ] as const) {
        expect(code(await rig.io(io, transfer(opcode, 0, blocks, prps)))).toBe(Sc.invalidField);
      }
    }
    expect(rig.slice(0, PAGE)).toEqual(low);
  });
});

describe("SGLs", () => {
  it("5.15.2.1, 4.4: SGLS tells which descriptor types are taken; keyed, transport and vendor ones are not", async () => {
    const { rig, io } = await Rig.withQueue();
    const sgls = (await identify(rig, 0x01)).getUint32(536, true);
    const read = (type: number) =>
      rig.io(io, {
        opcode: Nvm.read,
        flags: 0x40,
        nsid: 1,
        sgl: { address: rig.alloc(PAGE), length: 512, type },
      });
    expect(sgls & 3).not.toBe(0);
    expect(code(await read(0x00))).toBe(Sc.success);
    expect(code(await read(0x10))).toBe(sgls & (1 << 16) ? Sc.success : Sc.sglType);
    for (const type of [0x40, 0x50, 0xf0, 0x01, 0x0f]) expect(code(await read(type))).toBe(Sc.sglType);
  });

  it("4.4: dword alignment, where SGLS 1:0 says 10b", async () => {
    const { rig, io } = await Rig.withQueue();
    expect((await identify(rig, 0x01)).getUint32(536, true) & 3).toBe(2);
    const page = rig.alloc(2 * PAGE);
    for (const [address, length] of [
      [page + 1, 512],
      [page + 2, 512],
      [page, 513],
    ]) {
      const sgl = { address, length, type: 0 };
      expect(code(await rig.io(io, { opcode: Nvm.write, flags: 0x40, nsid: 1, sgl }))).toBe(0x01e);
    }
    const sgl = { address: page + 4092, length: 512, type: 0 };
    expect(code(await rig.io(io, { opcode: Nvm.write, flags: 0x40, nsid: 1, sgl }))).toBe(Sc.success);
  });

  it("4.2, 4.4: PSDT 01b and a list for the ranges of Dataset Management", async () => {
    const { rig, io } = await Rig.withQueue();
    const data = rig.alloc(PAGE);
    rig.memory.bytes.fill(7, data, data + PAGE);
    expect(code(await rig.io(io, transfer(1, 0, 8, { prp1: data })))).toBe(Sc.success);
    const list = rig.alloc(PAGE);
    rig.memory.words[list / 4 + 1] = 2; // blocks 0 and 1
    const sgl = { address: list, length: 16, type: 0 };
    const cqe = await rig.io(io, {
      opcode: Nvm.datasetManagement,
      flags: 0x40,
      nsid: 1,
      sgl,
      cdw: [0, 4],
    });
    expect(code(cqe)).toBe(Sc.success);
    expect(code(await rig.io(io, transfer(2, 0, 8, { prp1: data })))).toBe(Sc.success);
    expect([rig.memory.bytes[data], rig.memory.bytes[data + 1023], rig.memory.bytes[data + 1024]]).toEqual([
      0, 0, 7,
    ]);
  });
});
