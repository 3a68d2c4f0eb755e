import { describe, expect, it } from "vitest";
import { PAGE, pattern, Rig } from "../testing/driver.ts";
import { code, enabled, identify, Opcode, Sc } from "../testing/host.ts";

const text = (view: DataView, at: number, length: number): string =>
  String.fromCharCode(...new Uint8Array(view.buffer, at, length));

describe("Identify Controller", () => {
  it("5.15.2.1: SN, MN and FR are printable ASCII, left justified, padded with spaces (1.5)", async () => {
    const view = await identify(await enabled(), 0x01);
    for (const [at, length] of [
      [4, 20],
      [24, 40],
      [64, 8],
    ]) {
      expect(text(view, at, length)).toMatch(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])? *$/);
    }
  });

  it("5.15.2.1, 7.9: SUBNQN is a qualified name of a 1.2.1 or later subsystem, ended by a null", async () => {
    const name = text(await identify(await enabled(), 0x01), 768, 256);
    expect(name).toMatch(/^nqn\.\d{4}-\d{2}\.[^\0]{1,210}\0+$/);
  });

  it("5.15.2.1: VER is the VS register's value", async () => {
    const rig = await enabled();
    expect((await identify(rig, 0x01)).getUint32(80, true)).toBe(rig.read(0x08));
  });

  it("5.15.2.1: SQES and CQES say 64 and 16 bytes as required, and a maximum that is not less", async () => {
    const view = await identify(await enabled(), 0x01);
    for (const [at, required] of [
      [512, 6],
      [513, 4],
    ]) {
      expect(view.getUint8(at) & 0xf).toBe(required);
      expect(view.getUint8(at) >>> 4).toBeGreaterThanOrEqual(required);
    }
  });

  it("5.15.2.1: CCTEMP is not below WCTEMP; both are reported by a 1.2 or later controller", async () => {
    const view = await identify(await enabled(), 0x01);
    expect(view.getUint16(266, true)).toBeGreaterThan(273);
    expect(view.getUint16(268, true)).toBeGreaterThanOrEqual(view.getUint16(266, true));
  });

  it.each([
    { bit: 1, opcode: 0x80, name: "Format NVM" },
    { bit: 2, opcode: 0x10, name: "Firmware Commit" },
    { bit: 2, opcode: 0x11, name: "Firmware Image Download" },
    { bit: 0, opcode: 0x81, name: "Security Send" },
    { bit: 0, opcode: 0x82, name: "Security Receive" },
    { bit: 3, opcode: 0x0d, name: "Namespace Management" },
    { bit: 3, opcode: 0x15, name: "Namespace Attachment" },
    { bit: 4, opcode: 0x14, name: "Device Self-test" },
    { bit: 5, opcode: 0x19, name: "Directive Send" },
    { bit: 5, opcode: 0x1a, name: "Directive Receive" },
    { bit: 6, opcode: 0x1d, name: "NVMe-MI Send" },
    { bit: 7, opcode: 0x1c, name: "Virtualization Management" },
    { bit: 8, opcode: 0x7c, name: "Doorbell Buffer Config" },
    { bit: 9, opcode: 0x86, name: "Get LBA Status" },
  ])("5.15.2.1: OACS tells whether $name is there", async ({ bit, opcode }) => {
    const rig = await enabled();
    const isClaimed = ((await identify(rig, 0x01)).getUint16(256, true) & (1 << bit)) !== 0;
    // Of no namespace that there can be, so that it is refused or does nothing.
    const answer = await rig.command({ opcode, nsid: 0xfffffffd, cdw: [0xf] });
    expect(code(answer) !== Sc.invalidOpcode).toBe(isClaimed);
  });

  it.each([
    { bit: 0, opcode: 0x05, name: "Compare" },
    { bit: 1, opcode: 0x04, name: "Write Uncorrectable" },
    { bit: 2, opcode: 0x09, name: "Dataset Management" },
    { bit: 3, opcode: 0x08, name: "Write Zeroes" },
    { bit: 5, opcode: 0x0d, name: "Reservation Register" },
    { bit: 7, opcode: 0x0c, name: "Verify" },
    { bit: 8, opcode: 0x19, name: "Copy" },
  ])("5.15.2.1: ONCS tells whether $name is there", async ({ bit, opcode }) => {
    const { rig, io } = await Rig.withQueue();
    const isClaimed = ((await identify(rig, 0x01)).getUint16(520, true) & (1 << bit)) !== 0;
    const answer = await rig.io(io, { opcode, nsid: 0xfffffffd });
    expect(code(answer)).toBe(isClaimed ? Sc.invalidNamespace : Sc.invalidOpcode);
  });

  it("5.15.2.1: NPSS tells how many power states have a maximum power, and can be entered", async () => {
    const rig = await enabled();
    const view = await identify(rig, 0x01);
    const states = view.getUint8(263) + 1;
    for (let i = 0; i < 32; i++) {
      const { status } = await rig.command({ opcode: Opcode.setFeatures, cdw: [0x02, i] });
      expect(status & 0xff, `power state ${i}`).toBe(i < states ? Sc.success : Sc.invalidField);
      if (i < states) expect(view.getUint16(2048 + i * 32, true)).toBeGreaterThan(0);
    }
  });
});

describe("Identify Namespace", () => {
  it("5.15.2.2: NUSE ≤ NCAP ≤ NSZE, the format in use exists, and blocks have 512 bytes at least", async () => {
    const rig = await enabled({ disks: [{}, { lbaShift: 12, blocks: 333 }] });
    for (const nsid of [1, 2]) {
      const view = await identify(rig, 0x00, nsid);
      const [nsze, ncap, nuse] = [0, 8, 16].map(at => view.getBigUint64(at, true));
      expect(nsze > 0n && ncap <= nsze && nuse <= ncap).toBe(true);
      const format = view.getUint8(26) & 0xf;
      expect(format).toBeLessThanOrEqual(view.getUint8(25));
      const lbads = (view.getUint32(128 + format * 4, true) >>> 16) & 0xff;
      expect(lbads).toBe(nsid === 1 ? 9 : 12);
      // Formats beyond NLBAF are cleared to zero.
      for (let i = view.getUint8(25) + 1; i < 16; i++) expect(view.getUint32(128 + i * 4, true)).toBe(0);
    }
  });

  it("5.15.2.2, 7.11: each namespace has a globally unique identifier of its own, the same in CNS 03h", async () => {
    const rig = await enabled({ disks: [{}, {}, {}] });
    const seen = new Set<string>();
    for (const nsid of [1, 2, 3]) {
      const nguid = new Uint8Array((await identify(rig, 0x00, nsid)).buffer, 104, 16);
      const list = new Uint8Array((await identify(rig, 0x03, nsid)).buffer);
      expect(nguid.some(byte => byte !== 0)).toBe(true);
      expect([...list.subarray(0, 4)]).toEqual([2, 16, 0, 0]);
      expect(list.subarray(4, 20)).toEqual(nguid);
      seen.add(nguid.toString());
    }
    expect(seen.size).toBe(3);
  });

  it("5.15.2.3: the active list has exactly the ids that CNS 00h has a capacity for", async () => {
    const rig = await enabled({ disks: [{}, { nsid: 3 }, { nsid: 7 }] });
    const list = await identify(rig, 0x02);
    const active = Array.from({ length: 1024 }, (_, i) => list.getUint32(i * 4, true)).filter(id => id !== 0);
    const nn = (await identify(rig, 0x01)).getUint32(516, true);
    const found: number[] = [];
    for (let nsid = 1; nsid <= nn; nsid++) {
      if ((await identify(rig, 0x00, nsid)).getBigUint64(0, true) !== 0n) found.push(nsid);
    }
    expect(found).toEqual(active);
  });
});

describe("the data buffer of Identify", () => {
  it("5.15: 4096 bytes go where two PRPs point, at any dword, and not a byte more", async () => {
    const rig = await enabled();
    const whole = new Uint8Array((await identify(rig, 0x01)).buffer);
    for (const offset of [4, 8, 2048, 4092]) {
      const [first, second] = [rig.alloc(2 * PAGE), rig.alloc(2 * PAGE)];
      const guard = pattern(2 * PAGE, offset);
      for (const at of [first, second]) rig.memory.bytes.set(guard, at);
      const cqe = await rig.command({
        opcode: Opcode.identify,
        prp1: first + offset,
        prp2: second,
        cdw: [1],
      });
      expect(code(cqe)).toBe(Sc.success);
      const left = PAGE - offset;
      expect(rig.slice(first, offset)).toEqual(guard.slice(0, offset));
      expect(rig.slice(first + offset, left)).toEqual(whole.slice(0, left));
      expect(rig.slice(second, offset)).toEqual(whole.slice(left));
      expect(rig.slice(second + offset, PAGE)).toEqual(guard.slice(offset, offset + PAGE));
    }
  });

  it("4.3: a buffer that crosses a page and has no second PRP is refused (SPDK: identify_ctrlr)", async () => {
    const rig = await enabled();
    const page = rig.alloc(PAGE);
    const low = rig.slice(0, PAGE);
    const cqe = await rig.command({ opcode: Opcode.identify, prp1: page + 3072, prp2: 0, cdw: [1] });
    expect(code(cqe)).toBe(Sc.invalidField);
    expect(rig.slice(0, PAGE)).toEqual(low);
  });

  it("4.3: no PRP at all is refused", async () => {
    const rig = await enabled();
    const low = rig.slice(0, PAGE);
    expect(code(await rig.command({ opcode: Opcode.identify, cdw: [1] }))).toBe(Sc.invalidField);
    expect(rig.slice(0, PAGE)).toEqual(low);
  });

  it("4.3: what PRP2 says does not matter where PRP1 suffices", async () => {
    const rig = await enabled();
    for (const prp2 of [1, 2 ** 63, rig.memory.byteLength]) {
      const cqe = await rig.command({ opcode: Opcode.identify, prp1: rig.alloc(PAGE), prp2, cdw: [1] });
      expect(code(cqe)).toBe(Sc.success);
    }
  });
});
