import { describe, expect, it } from "vitest";
import { PAGE, pattern, Rig, transfer } from "../testing/driver.ts";
import { code, enabled, errorLog, identify, logCommand, logPage, Opcode, Sc } from "../testing/host.ts";

/** Figure 191: log pages that each I/O controller has. */
const mandatory = [0x01, 0x02, 0x03];

async function supported(rig: Rig): Promise<number[]> {
  const found = [];
  const page = rig.alloc(PAGE);
  for (let id = 0; id < 256; id++) {
    if (code(await rig.command(logCommand(id, page))) === Sc.success) found.push(id);
  }
  return found;
}

describe("Get Log Page (tnvme: GrpAdminGetLogPgCmd)", () => {
  it("5.14: the mandatory pages are there; others, 00h and vendor specific ones are Invalid Log Page", async () => {
    const rig = await enabled();
    const ids = await supported(rig);
    expect(ids).toEqual(expect.arrayContaining(mandatory));
    const page = rig.alloc(PAGE);
    for (let id = 0; id < 256; id++) {
      if (!ids.includes(id)) expect(code(await rig.command(logCommand(id, page)))).toBe(Sc.logPage);
    }
    expect(ids).not.toContain(0);
  });

  it("5.15.2.1: LPA, OACS and SANICAP tell which optional pages there are", async () => {
    const rig = await enabled();
    const ids = await supported(rig);
    const view = await identify(rig, 0x01);
    expect(ids.includes(0x05)).toBe((view.getUint8(261) & 2) !== 0);
    expect(ids.includes(0x06)).toBe((view.getUint16(256, true) & (1 << 4)) !== 0);
    expect(ids.includes(0x07)).toBe((view.getUint8(261) & 8) !== 0);
    expect(ids.includes(0x81)).toBe((view.getUint32(328, true) & 7) !== 0);
  });

  it("5.14: in pieces of any size, from any dword, a page is what it is as a whole (LPA bit 2)", async () => {
    const rig = await enabled();
    // Something to read.
    for (let i = 0; i < 5; i++) await rig.command({ opcode: 0xff });
    for (const [id, bytes] of [
      [0x01, 1024],
      [0x03, 512],
      [0x05, 4096],
      [0x06, 564],
    ]) {
      const whole = new Uint8Array((await logPage(rig, id, { bytes })).buffer);
      for (const size of [4, 64, 100, 508]) {
        for (let offset = 0; offset < bytes; offset += size * 3) {
          const length = Math.min(size, bytes - offset);
          const part = new Uint8Array((await logPage(rig, id, { bytes: length, offset })).buffer);
          expect(part).toEqual(whole.slice(offset, offset + length));
        }
      }
    }
  });

  it("5.14: exactly the dwords that were asked for are written", async () => {
    const rig = await enabled();
    const page = rig.alloc(PAGE);
    for (const bytes of [4, 8, 512, 516]) {
      rig.memory.bytes.set(pattern(PAGE, bytes), page);
      expect(code(await rig.command(logCommand(0x02, page, { bytes })))).toBe(Sc.success);
      expect(rig.slice(page + bytes, PAGE - bytes)).toEqual(pattern(PAGE, bytes).slice(bytes));
    }
  });

  it("5.14: pages of the controller and the subsystem are of no namespace: 0 and FFFFFFFFh alone are taken", async () => {
    const rig = await enabled();
    const page = rig.alloc(PAGE);
    for (const id of await supported(rig)) {
      for (const [nsid, expected] of [
        [0, Sc.success],
        [0xffffffff, Sc.success],
        [1, Sc.invalidField],
        [0xfffffffe, Sc.invalidField],
      ]) {
        expect(code(await rig.command(logCommand(id, page, { nsid }))), `log ${id}, ${nsid}`).toBe(expected);
      }
    }
  });

  it("5.14.1.2: SMART's counters never fall, and its constants are what they may be", async () => {
    const { rig, io } = await Rig.withQueue();
    const before = await logPage(rig, 0x02);
    const prp1 = rig.alloc(PAGE);
    for (let i = 0; i < 3; i++) {
      await rig.io(io, transfer(1, i, 8, { prp1 }));
      await rig.io(io, transfer(2, i, 8, { prp1 }));
      await rig.io(io, transfer(2, 2 ** 31, 8, { prp1 }));
    }
    const after = await logPage(rig, 0x02);
    for (let at = 32; at < 192; at += 16) {
      expect(after.getBigUint64(at, true) >= before.getBigUint64(at, true), `bytes ${at}`).toBe(true);
    }
    // Host read and write commands; Number of Error Information Log Entries.
    const grown = (at: number) => after.getBigUint64(at, true) - before.getBigUint64(at, true);
    expect([grown(64), grown(80), grown(176)]).toEqual([3n, 3n, 3n]);
    expect(after.getUint8(3)).toBeLessThanOrEqual(100);
    expect(after.getUint16(1, true)).toBeGreaterThan(0);
  });
});

describe("Error Information (tnvme: error log)", () => {
  it("5.14.1.1: counts run on without gaps, the newest entry comes first, unused entries are zero", async () => {
    const { rig, io } = await Rig.withQueue();
    const entries = (await identify(rig, 0x01)).getUint8(262) + 1;
    const all = Math.min(entries, 64);
    for (let i = 0; i < 5; i++) await rig.io(io, { opcode: 0x7f, nsid: i });
    const log = await errorLog(rig, all);
    expect(log.slice(0, 5).map(({ count, nsid }) => [count, nsid])).toEqual([
      [5, 4],
      [4, 3],
      [3, 2],
      [2, 1],
      [1, 0],
    ]);
    for (const entry of log.slice(5)) {
      expect(entry).toEqual({ count: 0, sqid: 0, cid: 0, status: 0, location: 0, lba: 0n, nsid: 0 });
    }
  });

  it("5.14.1.1: each command that ends with an error has one entry, with its queue, identifier and status", async () => {
    const { rig, io } = await Rig.withQueue();
    const prp1 = rig.alloc(PAGE);
    const failing = [
      { opcode: 0x7f, nsid: 1 },
      { opcode: 0x02, nsid: 9, prp1 },
      { opcode: 0x02, nsid: 1, prp1: prp1 + 1 },
      { opcode: 0x02, nsid: 1, prp1: 2 ** 40 },
      { opcode: 0x01, nsid: 1, prp1, cdw: [4096] },
    ];
    for (const command of failing) {
      const { cid, status } = await rig.io(io, command);
      expect(status).not.toBe(0);
      expect((await errorLog(rig))[0]).toMatchObject({ sqid: 1, cid, status });
    }
    for (const command of [
      { opcode: 0xff },
      { opcode: Opcode.identify, cdw: [0xff], prp1 },
      { opcode: Opcode.deleteSq, cdw: [7] },
    ]) {
      const { cid, status } = await rig.command(command);
      expect(status).not.toBe(0);
      expect((await errorLog(rig))[0]).toMatchObject({ sqid: 0, cid, status });
    }
    expect((await errorLog(rig))[0].count).toBe(failing.length + 3);
  });

  it("5.14.1.1: the Parameter Error Location is the byte and the bit of the field that was wrong", async () => {
    const { rig, io } = await Rig.withQueue();
    const prp1 = rig.alloc(PAGE);
    for (const [command, location] of [
      [{ opcode: 0x7f, nsid: 1 }, 0],
      [{ opcode: 0x02, nsid: 9, prp1 }, 4],
      [{ opcode: 0x02, nsid: 1, prp1: prp1 + 1 }, 24],
      [{ opcode: 0x02, nsid: 1, prp1, cdw: [4096] }, 40],
      [{ opcode: 0x02, nsid: 1, flags: 3, prp1 }, 1],
      [{ opcode: 0x02, nsid: 1, flags: 0x80, prp1 }, 1 | (6 << 8)],
    ] as const) {
      await rig.io(io, command);
      expect((await errorLog(rig))[0].location).toBe(location);
    }
  });
});
