import { describe, expect, it } from "vitest";
import { MachineSignals } from "../../devices/machine_signals.ts";
import { ExitTimer } from "./exit_timer.ts";
import { PciFunction } from "./pci_function.ts";
import type { V86Cpu, V86PciDevice } from "./seams.ts";

const RAM = 64 << 20;
const BLOCK = 1 << 17;
const FIRST = 0xfe800000 + 0x0e * 0x20000;
const BAR0 = 0x10;
const BAR1 = 0x14;
const COMMAND = 0x04;
const DEVICE = 0x0e;

type Read = (address: number) => number;
type Write = (address: number, value: number) => void;

/** What a PciFunction uses of v86: a bus with config space, MMIO maps by block, EFLAGS. */
function fakeCpu() {
  const maps = Array.from({ length: 4 }, () => new Array<unknown>(2 ** 15).fill("nothing"));
  const [memory_map_read8, memory_map_write8, memory_map_read32, memory_map_write32] = maps;
  const flags = new Int32Array(new SharedArrayBuffer(4));
  flags[0] = 0x202;
  const log: string[] = [];
  const spaces: (Int32Array | undefined)[] = [];
  spaces[0] = new Int32Array(64);
  const pci = {
    device_spaces: spaces,
    register_device(device: V86PciDevice) {
      const space = new Int32Array(Uint8Array.from(device.pci_space).buffer);
      spaces[device.pci_id] = space;
      return space;
    },
    raise_irq: (id: number) => void log.push(`raise ${id} IF ${(flags[0] >> 9) & 1}`),
    lower_irq: (id: number) => void log.push(`lower ${id} IF ${(flags[0] >> 9) & 1}`),
    pci_write32: (address: number, value: number) => void log.push(`v86 ${address.toString(16)} ${value}`),
    pci_write16() {},
    pci_write8() {},
  };
  const cpu = {
    mem8: { buffer: new SharedArrayBuffer(8), byteOffset: 0, length: RAM },
    flags: { buffer: flags.buffer, byteOffset: 0, length: 1 },
    devices: { pci },
    memory_map_read8,
    memory_map_write8,
    memory_map_read32,
    memory_map_write32,
    full_clear_tlb: () => void log.push("clear TLB"),
    io: {
      mmap_register(address: number, size: number, r8: Read, w8: Write, r32: Read, w32: Write) {
        expect([address % BLOCK, size]).toEqual([0, BLOCK]);
        for (const [i, handler] of [r8, w8, r32, w32].entries()) maps[i][address >>> 17] = handler;
      },
    },
  };
  const signals = MachineSignals.create();
  const accesses: string[] = [];
  const make = (device = DEVICE) =>
    new PciFunction(cpu as unknown as V86Cpu, {
      name: "nvme",
      device,
      vendorId: 0x1234,
      deviceId: 0xdb11,
      classCode: [1, 8, 2],
      exitTimer: new ExitTimer(signals),
      msixVectors: 0,
      afterWrite: () => void accesses.push("after"),
      mmio: {
        readRegister: offset => {
          accesses.push(`read ${offset.toString(16)}`);
          return 0x44332211;
        },
        writeRegister: (offset, value) => void accesses.push(`write ${offset.toString(16)} ${value}`),
      },
    });
  const config = (register: number, value: number) =>
    pci.pci_write32(0x80000000 | (DEVICE << 11) | register, value | 0);
  const space = () => spaces[DEVICE << 3]!;
  const at = (address: number) => memory_map_read32[address >>> 17];
  const mappedAt = (address: number) => typeof at(address) === "function";
  return { cpu, make, config, space, mappedAt, accesses, log, flags, maps };
}

describe("PciFunction", () => {
  it("shows its ids, class, BAR and pin", () => {
    const { make, space } = fakeCpu();
    make();
    const bytes = new Uint8Array(space().buffer);
    expect(space()[0] >>> 0).toBe(0xdb111234);
    expect([...bytes.subarray(9, 12)]).toEqual([2, 8, 1]);
    expect(space()[4] >>> 0).toBe((FIRST | 4) >>> 0);
    expect(bytes[0x3d]).toBe(1);
  });

  it("is as at power-on after the machine's reset", () => {
    const { make, config, space, mappedAt } = fakeCpu();
    const device = make();
    const before = [...space()];
    config(BAR0, 0x80000000);
    config(BAR1, 0);
    config(COMMAND, 7);
    expect(mappedAt(0x80000000)).toBe(true);
    device.reset();
    expect([...space()]).toEqual(before);
    expect([mappedAt(0x80000000), mappedAt(FIRST)]).toEqual([false, true]);
  });

  it("leaves the bus as it was", () => {
    const { make, config, cpu, space, maps, log } = fakeCpu();
    const { pci } = cpu.devices;
    const before = [pci.pci_write32, pci.pci_write16, pci.pci_write8];
    const device = make();
    config(BAR0, 0x80000000);
    config(BAR1, 0);
    device.unplug();
    expect(space()).toBeUndefined();
    expect([pci.pci_write32, pci.pci_write16, pci.pci_write8]).toEqual(before);
    for (const map of maps) expect(map.every(handler => handler === "nothing")).toBe(true);
    expect(log.slice(-2)).toEqual([`lower ${DEVICE << 3} IF 0`, "clear TLB"]);
  });

  it("goes on where another one was mapped, and refuses a place that is none", () => {
    const { make, mappedAt } = fakeCpu();
    const device = make();
    const base = 0x80000000;
    device.restore({ ...device.save(), base });
    expect([mappedAt(base), mappedAt(FIRST)]).toEqual([true, false]);
    expect(device.save().base).toBe(base);
    for (const bad of [
      0,
      RAM - BLOCK,
      base + 4096,
      0xfee00000,
      0xfffe0000 + BLOCK,
      0.5,
      Number.NaN,
      -BLOCK,
    ]) {
      expect(() => device.restore({ base: bad, msix: undefined }), String(bad)).toThrow(RangeError);
    }
    expect(mappedAt(base)).toBe(true);
  });

  it("is away from its bus, and back with its configuration", () => {
    const { make, config, cpu, space, maps, accesses } = fakeCpu();
    const device = make();
    const before = [...space()];
    device.setPresent(false);
    expect(space()).toBeUndefined();
    config(BAR0, -1);
    cpu.devices.pci.pci_write32(0x80000000 | (DEVICE << 11) | 0x40, 1);
    const [read8, write8, read32, write32] = maps.map(map => map[FIRST >>> 17]) as [Read, Write, Read, Write];
    expect([read8(FIRST), read32(FIRST)]).toEqual([0xff, -1]);
    write8(FIRST, 1);
    write32(FIRST, 1);
    expect(accesses).toEqual([]);
    device.setPresent(true);
    expect([...space()]).toEqual(before);
    expect(read32(FIRST)).toBe(0x44332211);
  });

  it("refuses a device number that is taken", () => {
    const { make } = fakeCpu();
    expect(() => make(0)).toThrow("taken");
  });

  it("answers a size probe of its 64-bit BAR, and stays mapped", () => {
    const { make, config, space, mappedAt } = fakeCpu();
    make();
    config(BAR0, -1);
    config(BAR1, -1);
    expect([space()[4], space()[5]]).toEqual([-BLOCK | 4, -1]);
    config(BAR0, FIRST);
    config(BAR1, 0);
    expect([space()[4] >>> 0, space()[5]]).toEqual([(FIRST | 4) >>> 0, 0]);
    expect(mappedAt(FIRST)).toBe(true);
  });

  it("moves, puts back what lay underneath, and makes v86 forget translations", () => {
    const { make, config, mappedAt, maps, log } = fakeCpu();
    make();
    log.length = 0;
    config(BAR0, 0x80000000);
    expect([mappedAt(0x80000000), mappedAt(FIRST)]).toEqual([true, false]);
    expect(maps.map(map => map[FIRST >>> 17])).toEqual(["nothing", "nothing", "nothing", "nothing"]);
    expect(log).toContain("clear TLB");
    config(BAR0, 0xfebc0000);
    expect([mappedAt(0xfebc0000), mappedAt(0x80000000)]).toEqual([true, false]);
  });

  it.each([
    ["RAM", 0x100000],
    ["the end of RAM", RAM - BLOCK],
    ["address 0", 0],
    ["the VGA frame buffer", 0xe0000000],
    ["the end of the VGA frame buffer", 0xe0fe0000],
    ["the IOAPIC", 0xfec00000],
    ["the LAPIC", 0xfee00000],
    ["the BIOS", 0xfffe0000],
  ])("does not go to %s", (_name, base) => {
    const { make, config, mappedAt } = fakeCpu();
    make();
    config(BAR0, base);
    expect([mappedAt(base), mappedAt(FIRST)]).toEqual([false, true]);
  });

  it("goes right behind RAM, and not above 4 GiB", () => {
    const { make, config, mappedAt } = fakeCpu();
    make();
    config(BAR1, 1);
    config(BAR0, 0x80000000);
    expect(mappedAt(FIRST)).toBe(true);
    config(BAR1, 0);
    expect(mappedAt(0x80000000)).toBe(true);
    config(BAR0, RAM);
    expect(mappedAt(RAM)).toBe(true);
  });

  it("takes 32-bit writes to the command register, and keeps the status register", () => {
    const { make, config, space, log } = fakeCpu();
    make();
    space()[1] |= 0x100000;
    config(COMMAND, 0xffff0406 | 0);
    expect(space()[1] >>> 0).toBe(0x00100406);
    expect(log.some(line => line.startsWith("v86"))).toBe(false);
  });

  it("leaves other registers, and other devices, to v86", () => {
    const { make, config, cpu, log, space } = fakeCpu();
    make();
    log.length = 0;
    config(0x3c, 11);
    cpu.devices.pci.pci_write32(0x80000000 | (1 << 11) | BAR0, 5);
    expect(log).toEqual([
      `v86 ${(0x80000000 | (DEVICE << 11) | 0x3c).toString(16)} 11`,
      `v86 ${(0x80000000 | (1 << 11) | BAR0).toString(16)} 5`,
    ]);
    expect(space()[4] >>> 0).toBe((FIRST | 4) >>> 0);
  });

  it("passes 32-bit accesses on with their offset, cuts bytes out, and drops narrow writes", () => {
    const { make, maps, accesses } = fakeCpu();
    make();
    const [read8, write8, read32, write32] = maps.map(map => map[FIRST >>> 17]) as [Read, Write, Read, Write];
    expect(read32((FIRST + 0x1c) | 0)).toBe(0x44332211);
    write32((FIRST + 0x1008) | 0, 7);
    expect([0, 1, 2, 3].map(i => read8((FIRST + 8 + i) | 0))).toEqual([0x11, 0x22, 0x33, 0x44]);
    write8(FIRST | 0, 1);
    expect(accesses).toEqual([
      "read 1c",
      "write 1008 7",
      "after",
      "read 8",
      "read 8",
      "read 8",
      "read 8",
      "after",
    ]);
  });

  it("is deaf while memory space is switched off", () => {
    const { make, maps, accesses, config } = fakeCpu();
    make();
    config(COMMAND, 0);
    const [, , read32, write32] = maps.map(map => map[FIRST >>> 17]) as [Read, Write, Read, Write];
    expect(read32(FIRST | 0)).toBe(-1);
    write32(FIRST | 0, 1);
    expect(accesses).toEqual([]);
  });

  it("lowers its pin with interrupts masked, so that v86 delivers none, and brings IF back as it was", () => {
    const { make, log, flags } = fakeCpu();
    const pci = make();
    log.length = 0;
    pci.setInterruptPin(true);
    pci.setInterruptPin(false);
    expect([log, flags[0]]).toEqual([[`raise ${DEVICE << 3} IF 1`, `lower ${DEVICE << 3} IF 0`], 0x202]);
    flags[0] = 2;
    pci.setInterruptPin(false);
    expect(flags[0]).toBe(2);
  });
});
