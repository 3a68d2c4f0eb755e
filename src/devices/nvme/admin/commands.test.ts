import { describe, expect, it } from "vitest";
import {
  buildPrps,
  type Command,
  DNR,
  gather,
  PAGE,
  Rig,
  type RigOptions,
  tailDoorbell,
  transfer,
} from "../testing/driver.ts";
import { ERROR_LOG_ENTRIES } from "./error_log.ts";

const INVALID_OPCODE = 0x001 | DNR;
const INVALID_FIELD = 0x002 | DNR;
const INVALID_NAMESPACE = 0x00b | DNR;
const INVALID_LOG_PAGE = 0x109 | DNR;

async function enabled(options: RigOptions = {}) {
  const rig = await Rig.create(options);
  rig.enable();
  return rig;
}

const ascii = (view: DataView, at: number, length: number) =>
  String.fromCharCode(...Array.from({ length }, (_, i) => view.getUint8(at + i)));

async function identify(rig: Rig, cns: number, nsid = 0, cdw11 = 0) {
  const page = rig.alloc(PAGE);
  rig.memory.bytes.fill(0xcc, page, page + PAGE);
  const { status } = await rig.command({ opcode: 0x06, nsid, prp1: page, cdw: [cns, cdw11] });
  return { status, data: rig.view(page, PAGE) };
}

describe("Identify (5.15)", () => {
  const disks = [{ blocks: 4096 }, { nsid: 3, lbaShift: 12, blocks: 500 }];

  it("CNS 01h: the controller (figure 247)", async () => {
    const rig = await enabled({ disks });
    const { status, data } = await identify(rig, 1);
    expect(status).toBe(0);
    expect([data.getUint16(0, true), data.getUint16(2, true)]).toEqual([0x1234, 0x1234]); // VID, SSVID
    expect(ascii(data, 4, 20)).toBe("SN-1".padEnd(20));
    expect(ascii(data, 24, 40)).toBe("Test disk".padEnd(40));
    expect(ascii(data, 64, 8)).toBe("7.5     ");
    expect(4096 << data.getUint8(77)).toBe(2 << 20); // MDTS
    expect(data.getUint32(80, true)).toBe(rig.read(8)); // VER is VS
    expect(data.getUint8(111)).toBe(1); // CNTRLTYPE: I/O
    expect(data.getUint16(256, true)).toBe(0x11a); // OACS: … Device Self-test, Namespace Management, Format NVM
    expect(data.getUint8(524)).toBe(0); // FNA: by namespace, no cryptographic erase
    expect(data.getUint8(259) + 1).toBe(4); // AERL
    expect(data.getUint8(261) & 6).toBe(6); // LPA: effects, offsets
    expect(data.getUint8(262) + 1).toBe(ERROR_LOG_ENTRIES); // ELPE
    expect(data.getUint8(263)).toBe(0); // NPSS: one power state
    const [total, unallocated] = [280, 296].map(at => Number(data.getBigUint64(at, true))); // TNVMCAP, UNVMCAP
    expect([total - unallocated, unallocated]).toEqual([4096 * 512 + 500 * 4096, 60 << 20]);
    expect([data.getUint8(512), data.getUint8(513)]).toEqual([0x66, 0x44]); // SQES, CQES
    expect(data.getUint32(516, true)).toBe(3); // NN
    // ONCS: Compare, Write Uncorrectable, DSM, Write Zeroes, Select, Timestamp, Verify, Copy
    expect(data.getUint16(520, true)).toBe(0b1_1101_1111);
    expect(data.getUint16(522, true)).toBe(1); // FUSES: Compare and Write
    expect(data.getUint8(525) & 1).toBe(1); // VWC
    expect(data.getUint8(525) >> 1).toBe(3); // … Flush with NSID FFFFFFFFh
    expect(data.getUint16(534, true)).toBe(1); // OCFS: format 0
    expect(data.getUint32(536, true)).toBe(0x0005_0002); // SGLS: dwords, bit buckets, longer lists
    expect(ascii(data, 768, 68)).toBe("nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555");
    expect(data.getUint8(768 + 68)).toBe(0);
  });

  it("CNS 00h: a namespace (figure 245)", async () => {
    const rig = await enabled({ disks });
    for (const [nsid, shift, blocks] of [
      [1, 9, 4096],
      [3, 12, 500],
    ]) {
      const { status, data } = await identify(rig, 0, nsid);
      expect(status).toBe(0);
      expect([0, 8, 16].map(at => Number(data.getBigUint64(at, true)))).toEqual([blocks, blocks, 0]); // NSZE NCAP NUSE
      expect(data.getUint8(24) & 1).toBe(0); // NSFEAT: the capacity is the size
      expect([data.getUint8(25), data.getUint8(26)]).toEqual([1, shift === 12 ? 1 : 0]); // NLBAF: two; FLBAS
      expect(data.getUint8(33) & 7).toBe(1); // DLFEAT: reads zeroes
      const page = (4096 >> shift) - 1;
      expect([34, 36, 64, 66].map(at => data.getUint16(at, true))).toEqual([page, page, page, page]);
      expect(Number(data.getBigUint64(48, true))).toBe(blocks << shift); // NVMCAP
      expect(
        Array.from({ length: 16 }, (_, i) =>
          data
            .getUint8(104 + i)
            .toString(16)
            .padStart(2, "0"),
        ).join(""),
      ).toBe(`00112233445566778899aabbccddee0${nsid}`);
      expect([data.getUint32(128, true), data.getUint32(132, true)]).toEqual([9 << 16, 12 << 16]); // LBAF0, LBAF1
    }
  });

  it("CNS 00h: NUSE grows with what is written (thin provisioning)", async () => {
    const rig = await enabled();
    const io = await rig.createQueues();
    await rig.io(io, transfer(1, 0, 8, { prp1: rig.alloc(PAGE) }));
    rig.server.pollEnd();
    const { data } = await identify(rig, 0, 1);
    expect(Number(data.getBigUint64(16, true))).toBe(16384 / 512);
  });

  it("CNS 00h: inactive ids answer with zeroes, others are invalid (5.15.2.2)", async () => {
    const rig = await enabled({ disks });
    const inactive = await identify(rig, 0, 2);
    expect(inactive.status).toBe(0);
    expect(new Uint8Array(inactive.data.buffer)).toEqual(new Uint8Array(PAGE));
    for (const nsid of [0, 4, 0xfffffffe]) {
      expect((await identify(rig, 0, nsid)).status).toBe(INVALID_NAMESPACE);
    }
  });

  it("CNS 02h: active ids above the given one", async () => {
    const rig = await enabled({ disks });
    for (const [after, ids] of [
      [0, [1, 3]],
      [1, [3]],
      [2, [3]],
      [3, []],
    ] as const) {
      const { data } = await identify(rig, 2, after);
      const words = Array.from({ length: 1024 }, (_, i) => data.getUint32(i * 4, true));
      expect(words.slice(0, 3)).toEqual([...ids, 0, 0, 0].slice(0, 3));
      expect(words.slice(3).every(id => id === 0)).toBe(true);
    }
    for (const nsid of [0xfffffffe, 0xffffffff])
      expect((await identify(rig, 2, nsid)).status).toBe(INVALID_NAMESPACE);
  });

  it("CNS 03h: the NGUID descriptor, and the end of the list", async () => {
    const rig = await enabled({ disks });
    const { data } = await identify(rig, 3, 3);
    expect([0, 1, 2, 3, 4, 19, 20, 21].map(at => data.getUint8(at))).toEqual([2, 16, 0, 0, 0x00, 0x03, 0, 0]);
    expect((await identify(rig, 3, 2)).status).toBe(INVALID_NAMESPACE);
  });

  it("CNS 05h and 06h: nothing special in the NVM command set, and no other set", async () => {
    const rig = await enabled({ disks });
    for (const cns of [5, 6]) {
      const { status, data } = await identify(rig, cns, 1);
      expect(status).toBe(0);
      expect(new Uint8Array(data.buffer)).toEqual(new Uint8Array(PAGE));
      expect((await identify(rig, cns, 1, 2 << 24)).status).toBe(INVALID_FIELD);
    }
    expect((await identify(rig, 5, 2)).status).toBe(INVALID_NAMESPACE);
  });

  it("other CNS values are invalid, and so is memory that is not there", async () => {
    const rig = await enabled();
    for (const cns of [4, 7, 0x14, 0xff]) expect((await identify(rig, cns, 1)).status).toBe(INVALID_FIELD);
    const to = (prp1: number) => rig.command({ opcode: 0x06, prp1, cdw: [1] });
    expect((await to(rig.memory.byteLength)).status).toBe(0x004);
    expect((await to(rig.alloc(PAGE) + 2)).status).toBe(0x013 | DNR);
  });

  it("tells which memory it wrote", async () => {
    const rig = await enabled();
    const pages = rig.alloc(4 * PAGE);
    rig.dirtied = [];
    await rig.command({ opcode: 0x06, prp1: pages + 256, prp2: pages + 2 * PAGE, cdw: [1] });
    expect(rig.dirtied).toEqual([
      [pages + 256, pages + PAGE],
      [pages + 2 * PAGE, pages + 2 * PAGE + 256],
    ]);
  });
});

describe("every admin command", () => {
  it("invalid opcodes, fused commands and SGLs are refused (4.2)", async () => {
    const rig = await enabled();
    for (const opcode of [0x03, 0x0f, 0x10, 0x11, 0x81, 0xc0, 0xff]) {
      expect((await rig.command({ opcode })).status).toBe(INVALID_OPCODE);
    }
    for (const flags of [1, 2, 0x40, 0x80]) {
      expect((await rig.command({ opcode: 0x06, flags, prp1: rig.alloc(PAGE), cdw: [1] })).status).toBe(
        INVALID_FIELD,
      );
    }
  });

  it("failures are in the error log, newest first (5.14.1.1)", async () => {
    const rig = await enabled();
    await rig.command({ opcode: 0xff });
    const { cid } = await rig.command({ opcode: 0x06, nsid: 77, cdw: [0] });
    const page = rig.alloc(PAGE);
    await rig.command(log(1, page, 192));
    const data = rig.view(page, 192);
    expect([0, 64, 128].map(at => Number(data.getBigUint64(at, true)))).toEqual([2, 1, 0]);
    expect([8, 10, 12].map(at => data.getUint16(at, true))).toEqual([
      0,
      cid,
      (INVALID_NAMESPACE << 1) & 0xffff,
    ]);
    expect(data.getUint32(24, true)).toBe(77);
  });

  it("the error log keeps its size whatever happens", async () => {
    const rig = await enabled();
    for (let i = 0; i < 70; i++) await rig.command({ opcode: 0xff });
    const { prp1, prp2, segments } = buildPrps(rig, PAGE);
    await rig.command({ ...log(1, prp1, PAGE), prp2 });
    const view = new DataView(gather(rig, segments).buffer);
    expect([0, 63].map(i => Number(view.getBigUint64(i * 64, true)))).toEqual([70, 7]);
  });
});

/** Get Log Page with a length in bytes and an offset. */
function log(id: number, prp1: number, bytes: number, offset = 0, retain = false): Command {
  const dwords = bytes / 4 - 1;
  return {
    opcode: 0x02,
    nsid: 0xffffffff,
    prp1,
    cdw: [
      id | (retain ? 1 << 15 : 0) | ((dwords & 0xffff) << 16),
      dwords >>> 16,
      offset % 2 ** 32,
      Math.floor(offset / 2 ** 32),
    ],
  };
}

describe("Get Log Page (5.14)", () => {
  it("SMART counts commands and data (02h)", async () => {
    const rig = await enabled();
    rig.nowMs = 7_200_000;
    const io = await rig.createQueues();
    const { prp1, prp2 } = buildPrps(rig, 1 << 20);
    await rig.io(io, transfer(1, 0, 2048, { prp1, prp2 }));
    await rig.io(io, transfer(2, 0, 1, { prp1 }));
    await rig.command({ opcode: 0xff });
    const page = rig.alloc(PAGE);
    await rig.command(log(2, page, 512));
    const data = rig.view(page, 512);
    expect(data.getUint8(0)).toBe(0); // no critical warning
    expect(data.getUint16(1, true)).toBeGreaterThan(273);
    expect([32, 48, 64, 80, 128, 176].map(at => Number(data.getBigUint64(at, true)))).toEqual([
      1, 3, 1, 1, 2, 1,
    ]);
  });

  it("firmware slot 1 is active (03h)", async () => {
    const rig = await enabled();
    const page = rig.alloc(PAGE);
    await rig.command(log(3, page, 512));
    expect(rig.view(page, 512).getUint8(0)).toBe(1);
    expect(ascii(rig.view(page, 512), 8, 8)).toBe("7.5     ");
  });

  it("the effects log lists what the controller answers to (05h)", async () => {
    const rig = await enabled();
    const { prp1, prp2, segments } = buildPrps(rig, PAGE);
    await rig.command({ ...log(5, prp1, PAGE), prp2 });
    const view = new DataView(gather(rig, segments).buffer);
    const supported = (from: number) =>
      Array.from({ length: 256 }, (_, opcode) => opcode).filter(
        opcode => (view.getUint32(from + opcode * 4, true) & 1) !== 0,
      );
    expect(supported(0)).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 0x14, 21, 0x18, 0x7c, 0x80, 0x84]);
    expect(view.getUint32(0x80 * 4, true)).toBe(0x1_0007); // LBCC, NCC, CSE: alone on the namespace
    expect([13, 21].map(opcode => view.getUint32(opcode * 4, true))).toEqual([0b1011, 0b1001]); // NIC
    expect(supported(1024)).toEqual([0, 1, 2, 4, 5, 8, 9, 12, 0x19]);
    const changes = [0, 1, 2, 4, 5, 8, 9, 12, 0x19].map(
      opcode => (view.getUint32(1024 + opcode * 4, true) >> 1) & 1,
    );
    expect(changes).toEqual([0, 1, 0, 1, 0, 1, 1, 0, 1]); // LBCC
  });

  it("offsets and lengths: exactly the bytes asked for, zeroes beyond the end", async () => {
    const rig = await enabled();
    const page = rig.alloc(2 * PAGE);
    for (const [bytes, offset] of [
      [4, 0],
      [8, 8],
      [4, 508],
      [64, 480],
      [4, 512],
    ]) {
      rig.memory.bytes.fill(0xcc, page, page + 2 * PAGE);
      expect((await rig.command(log(3, page, bytes, offset))).status).toBe(0);
      const whole = new Uint8Array(1024);
      whole[0] = 1;
      whole.set(new TextEncoder().encode("7.5     "), 8);
      expect(rig.slice(page, bytes)).toEqual(whole.slice(offset, offset + bytes));
      expect(rig.slice(page + bytes, 64)).toEqual(new Uint8Array(64).fill(0xcc));
    }
  });

  it("refuses offsets beyond the page or between dwords, lengths beyond MDTS, and pages that there are not", async () => {
    const rig = await enabled();
    const page = rig.alloc(PAGE);
    for (const offset of [516, 2 ** 32, 2 ** 63, 2]) {
      expect((await rig.command(log(3, page, 4, offset))).status).toBe(INVALID_FIELD);
    }
    expect((await rig.command(log(3, page, (2 << 20) + 4))).status).toBe(INVALID_FIELD);
    expect((await rig.command(log(3, page, 2 ** 34))).status).toBe(INVALID_FIELD);
    for (const id of [0, 7, 0x70, 0x80, 0xff])
      expect((await rig.command(log(id, page, 4))).status).toBe(INVALID_LOG_PAGE);
  });

  it("lengths go beyond 16 bits of dwords (NUMDU)", async () => {
    const rig = await enabled();
    const { prp1, prp2, segments } = buildPrps(rig, 512 << 10);
    for (const { at, length } of segments) rig.memory.bytes.fill(0xcc, at, at + length);
    expect((await rig.command({ ...log(3, prp1, 512 << 10), prp2 })).status).toBe(0);
    const data = gather(rig, segments);
    expect([data[0], data[data.length - 1]]).toEqual([1, 0]);
  });
});

describe("Asynchronous Event Request (5.2)", () => {
  const AER = { opcode: 0x0c };
  const bad = (rig: Rig) => rig.write(tailDoorbell(0), 99);

  it("is held until there is an event; one beyond AERL is refused", async () => {
    const rig = await enabled();
    for (let i = 0; i < 4; i++) rig.admin.submit(AER);
    rig.pump();
    expect(rig.admin.reap()).toEqual([]);
    expect((await rig.command(AER)).status).toBe(0x105 | DNR);
  });

  it("events wait for a request, and after one the type is silent until its log page is read", async () => {
    const rig = await enabled();
    bad(rig);
    rig.pump();
    const first = rig.admin.submit(AER);
    const second = rig.admin.submit(AER);
    rig.pump();
    expect(rig.admin.reap()).toMatchObject([{ cid: first, status: 0, result: 0x00010100 }]);
    bad(rig);
    rig.write(tailDoorbell(5), 0); // same type, other information
    for (let i = 0; i < 3; i++) rig.pump();
    expect(rig.admin.reap()).toEqual([]);
    const page = rig.alloc(PAGE);
    rig.admin.submit(log(2, page, 512)); // another page changes nothing
    rig.admin.submit(log(1, page, 64, 0, true)); // Retain Asynchronous Event
    rig.pump();
    expect(rig.admin.reap().map(cqe => cqe.cid)).not.toContain(second);
    rig.admin.submit(log(1, page, 64));
    rig.pump();
    expect(rig.admin.reap().find(cqe => cqe.cid === second)).toMatchObject({ status: 0 });
    // The other one waits for the next request and the next look at the log.
    await rig.command(log(1, page, 64));
    const third = rig.admin.submit(AER);
    rig.pump();
    expect(rig.admin.reap()).toMatchObject([{ cid: third, result: 0x00010000 }]);
  });

  it("a reset drops the requests and the events", async () => {
    const rig = await enabled();
    for (let i = 0; i < 4; i++) rig.admin.submit(AER);
    rig.pump();
    rig.disable();
    rig.enable();
    rig.admin.submit(AER);
    rig.pump();
    expect(rig.admin.reap()).toEqual([]);
    bad(rig);
    rig.pump();
    expect(rig.admin.reap()).toHaveLength(1);
  });
});

describe("Features (5.13, 5.21)", () => {
  const get = (rig: Rig, id: number, select = 0) => rig.command({ opcode: 0x0a, cdw: [id | (select << 8)] });
  const set = (rig: Rig, id: number, value: number, save = 0) =>
    rig.command({ opcode: 0x09, cdw: [id | (save << 31), value] });

  it.each<[string, number, number, number, number]>([
    ["Arbitration", 0x01, 5, 0x01020307, 0x01020307],
    ["Power Management", 0x02, 0, 0, 0],
    ["Temperature Threshold", 0x04, 343, 350, 350],
    ["Error Recovery", 0x05, 0, 0xffff, 0xffff],
    ["Volatile Write Cache", 0x06, 1, 0xfffffffe, 0],
    ["Interrupt Coalescing", 0x08, 0, 0x0a05, 0x0a05],
    ["Interrupt Vector Configuration", 0x09, 0, 0x10000, 0x10000],
    ["Write Atomicity Normal", 0x0a, 0, 1, 1],
    ["Asynchronous Event Configuration", 0x0b, 0, 0x1f, 0x1f],
    ["Keep Alive Timer", 0x0f, 0, 60_001, 60_001],
    ["Sanitize Config", 0x17, 0, 3, 1],
  ])("%s: default, set, get, select", async (_name, id, initial, written, kept) => {
    const rig = await enabled();
    expect(await get(rig, id)).toMatchObject({ status: 0, result: initial });
    expect(await set(rig, id, written)).toMatchObject({ status: 0, result: 0 });
    expect(await get(rig, id)).toMatchObject({ status: 0, result: kept });
    expect((await get(rig, id, 1)).result).toBe(initial); // default
    expect((await get(rig, id, 2)).result).toBe(initial); // saved: there is none, so the default
    expect((await get(rig, id, 3)).result).toBe(4); // changeable, not saveable
    expect((await get(rig, id, 4)).status).toBe(INVALID_FIELD);
    expect((await set(rig, id, written, 1)).status).toBe(0x10d | DNR);
  });

  it("unknown features and impossible values are refused", async () => {
    const rig = await enabled();
    for (const id of [0, 0x03, 0x0c, 0x80, 0xff]) {
      expect([(await get(rig, id)).status, (await set(rig, id, 0)).status]).toEqual([
        INVALID_FIELD,
        INVALID_FIELD,
      ]);
    }
    expect((await set(rig, 0x02, 1)).status).toBe(INVALID_FIELD);
    expect((await set(rig, 0x09, 1)).status).toBe(INVALID_FIELD);
    expect((await set(rig, 0x05, 1 << 16)).status).toBe(INVALID_FIELD); // DULBE
  });

  it("none is a namespace's own (status 10Fh)", async () => {
    const rig = await enabled();
    const setOf = (nsid: number) => rig.command({ opcode: 0x09, nsid, cdw: [0x06, 0] });
    expect((await setOf(1)).status).toBe(0x10f | DNR);
    expect((await setOf(9)).status).toBe(INVALID_NAMESPACE);
    expect((await get(rig, 0x06)).result).toBe(1);
    expect((await setOf(0xffffffff)).status).toBe(0);
    expect((await get(rig, 0x06)).result).toBe(0);
  });

  it("temperature thresholds: one over, one under, of the composite temperature alone (5.21.1.4)", async () => {
    const rig = await enabled();
    const UNDER = 1 << 20;
    const read = async (which: number, select = 0) =>
      (await rig.command({ opcode: 0x0a, cdw: [0x04 | (select << 8), which] })).result;
    expect([await read(0), await read(UNDER)]).toEqual([343, 0]);
    await set(rig, 0x04, 350);
    await set(rig, 0x04, 280 | UNDER);
    expect([await read(0), await read(UNDER)]).toEqual([350, 280]);
    expect([await read(0, 1), await read(UNDER, 1)]).toEqual([343, 0]);
    expect((await set(rig, 0x04, 351 | (0xf << 16))).status).toBe(0); // all sensors that there are
    expect(await read(0)).toBe(351);
    for (const impossible of [1 << 16, 2 << 20, 3 << 20]) {
      expect((await set(rig, 0x04, 300 | impossible)).status).toBe(INVALID_FIELD);
      expect((await rig.command({ opcode: 0x0a, cdw: [0x04, impossible] })).status).toBe(INVALID_FIELD);
    }
  });
});
