import { describe, expect, it } from "vitest";
import { PAGE, Rig } from "../testing/driver.ts";

/** The Timestamp feature: NVMe 1.4, section 5.21.1.14. */

const TIMESTAMP = 0x0e;
const SET_BY_HOST = 1 << 1;

async function get(rig: Rig, select = 0) {
  const page = rig.alloc(PAGE);
  rig.memory.bytes.fill(0xcc, page, page + PAGE);
  const cqe = await rig.command({ opcode: 0x0a, prp1: page, cdw: [TIMESTAMP | (select << 8)] });
  const view = rig.view(page, 9);
  expect(view.getUint8(8)).toBe(0xcc);
  const ms = view.getUint32(0, true) + view.getUint16(4, true) * 2 ** 32;
  return {
    status: cqe.status,
    result: cqe.result,
    ms,
    attributes: view.getUint8(6),
    reserved: view.getUint8(7),
  };
}

function set(rig: Rig, ms: number, attributes = 0, cdw10 = TIMESTAMP) {
  const page = rig.alloc(PAGE);
  rig.memory.words[page / 4] = ms % 2 ** 32;
  rig.memory.words[page / 4 + 1] = Math.floor(ms / 2 ** 32) | (attributes << 16);
  return rig.command({ opcode: 0x09, prp1: page, cdw: [cdw10] });
}

async function enabled(): Promise<Rig> {
  const rig = await Rig.create();
  rig.enable();
  return rig;
}

describe("Timestamp", () => {
  it("counts from a reset, with origin 000b, until the host sets it", async () => {
    const rig = await enabled();
    rig.nowMs += 1234;
    expect(await get(rig)).toEqual({ status: 0, result: 0, ms: 1234, attributes: 0, reserved: 0 });
  });

  it("goes on from what the host has set, with origin 001b, and does not stop", async () => {
    const rig = await enabled();
    const then = Date.UTC(2026, 0, 1);
    // What stands where Get Features has attributes means nothing in Set Features.
    expect((await set(rig, then, 0xffff)).status).toBe(0);
    rig.nowMs += 86_400_000;
    expect(await get(rig)).toMatchObject({ ms: then + 86_400_000, attributes: SET_BY_HOST, reserved: 0 });
    rig.disable();
    rig.enable();
    rig.nowMs += 5;
    expect(await get(rig)).toMatchObject({ ms: 5, attributes: 0 });
  });

  it("wraps at 48 bits", async () => {
    const rig = await enabled();
    await set(rig, 2 ** 48 - 1);
    rig.nowMs += 3;
    expect((await get(rig)).ms).toBe(2);
  });

  it("the default and saved values are zero; it can be changed and not saved", async () => {
    const rig = await enabled();
    await set(rig, 5000);
    for (const select of [1, 2])
      expect(await get(rig, select)).toMatchObject({ status: 0, ms: 0, attributes: 0 });
    const page = rig.alloc(PAGE);
    const supported = await rig.command({ opcode: 0x0a, prp1: page, cdw: [TIMESTAMP | (3 << 8)] });
    expect([supported.status, supported.result]).toEqual([0, 4]);
    expect((await set(rig, 9000, 0, (TIMESTAMP | (1 << 31)) >>> 0)).status & 0x7ff).toBe(0x10d);
    expect((await get(rig)).ms).toBe(5000);
  });

  it("memory that is not there is an error, and nothing is set", async () => {
    const rig = await enabled();
    const command = { opcode: 0x09, prp1: rig.memory.byteLength, cdw: [TIMESTAMP] };
    expect((await rig.command(command)).status).toBe(0x004);
    expect((await get(rig)).attributes).toBe(0);
    expect((await rig.command({ ...command, opcode: 0x0a })).status).toBe(0x004);
  });
});
