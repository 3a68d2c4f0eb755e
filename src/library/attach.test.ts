import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { V86 } from "v86";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { V86Emulator } from "../machine/v86/seams.ts";
import { MemoryBackend, type MemoryStore } from "../storage/memory_backend.ts";
import { type CommandSpan, CommandSpans } from "../trace/command_spans.ts";
import { readSavedTrace } from "../trace/saved_trace.ts";
import { attachNvme, attachVirtio } from "./attach.ts";
import type { Attachment } from "./attachment.ts";
import type { NvmeOptions } from "./options.ts";

const IMAGES = fileURLToPath(new URL("../../public/images/", import.meta.url));
const WASM = join(dirname(createRequire(import.meta.url).resolve("v86/package.json")), "build/v86.wasm");
const present = existsSync(join(IMAGES, "bzImage"));

function load(name: string): ArrayBuffer {
  const bytes = readFileSync(join(IMAGES, name));
  return Uint8Array.from(name.endsWith(".gz") ? gunzipSync(bytes) : bytes).buffer;
}

const disk = (): NvmeOptions => ({ namespaces: [{ backend: { kind: "memory", capacityBytes: 1 << 20 } }] });

/** A machine whose guest ends in the rescue shell. */
function machine(options: Partial<ConstructorParameters<typeof V86>[0]> = {}) {
  const emulator = new V86({
    wasm_path: WASM,
    memory_size: 128 << 20,
    bios: { buffer: load("bios.bin") },
    vga_bios: { buffer: load("vgabios.bin") },
    bzimage: { buffer: load("bzImage") },
    initrd: { buffer: load("initramfs.cpio.gz") },
    cmdline: "rescue console=ttyS0 tsc=reliable mitigations=off acpi=off nolapic",
    acpi: false,
    net_device: { type: "none" },
    autostart: false,
    ...options,
  } as ConstructorParameters<typeof V86>[0]);
  let text = "";
  let heard = () => {};
  emulator.add_listener("serial0-output-byte", (byte: number) => {
    text += String.fromCharCode(byte);
    heard();
  });
  /** Resolves to what came since the last call, once `ending` is in it. */
  const until = async (ending: string): Promise<string> => {
    await new Promise<void>(resolve => {
      heard = () => text.includes(ending) && resolve();
      heard();
    });
    const result = text;
    text = "";
    return result;
  };
  const sh = (command: string): Promise<string> => {
    emulator.serial0_send(`${command}; echo e''nd\n`);
    return until("\nend");
  };
  return { emulator, until, sh };
}

describe.skipIf(!present)("a V86 of one's own, whose guest RAM is not shared", () => {
  const { emulator, until, sh } = machine();
  const store: MemoryStore = new Map();
  let attachment: Attachment;
  const stages: string[] = [];

  beforeAll(async () => {
    const backend = new MemoryBackend(65536, 64, store);
    const content = new Uint8Array(65536).fill(0x61);
    await backend.commit([{ chunk: 1, data: content }]);
    attachment = await attachNvme(emulator, { namespaces: [{ backend }] });
    attachment.on("stage", stage => stages.push(stage));
    await emulator.run();
    await until("rescue:/# ");
  }, 120_000);

  afterAll(async () => {
    await attachment?.dispose();
    await emulator.destroy();
  });

  it("is served in its own thread", () => {
    expect(attachment.serving).toBe("mmio");
    expect(attachment.interrupts).toBe("intx");
    expect(attachment.monitorSource).toBeUndefined();
    expect(stages).toContain("kernel");
  });

  it("reads what the backend has", async () => {
    expect(await sh("cat /sys/block/nvme0n1/size")).toContain("8192");
    expect(await sh("dd if=/dev/nvme0n1 bs=64k skip=1 count=1 2>/dev/null | tr -d a | wc -c")).toMatch(
      /^0\r$/m,
    );
    expect(await sh("dd if=/dev/nvme0n1 bs=64k skip=1 count=1 2>/dev/null | tr -d b | wc -c")).toMatch(
      /^65536\r$/m,
    );
    const { reads, sectorsRead } = attachment.counters();
    expect(reads).toBeGreaterThan(0);
    expect(sectorsRead).toBeGreaterThanOrEqual(128);
  });

  it("writes what the guest writes", async () => {
    await sh(
      "head -c 131072 /dev/zero | tr '\\000' b | dd of=/dev/nvme0n1 bs=64k seek=2 iflag=fullblock conv=fsync 2>/dev/null",
    );
    expect(store.get(2)?.every(byte => byte === 0x62)).toBe(true);
    expect(store.get(3)?.every(byte => byte === 0x62)).toBe(true);
    const [state] = await attachment.disks();
    expect(state).toMatchObject({ nsid: 1, capacityBytes: 4 << 20, lbaBytes: 512, dirtyBytes: 0 });
  });

  it("breaks on purpose, and says so", async () => {
    await attachment.faults.arm({
      action: "fail",
      sct: 2,
      sc: 0x81,
      command: "read",
      dnr: true,
      lba: [800, 807],
    });
    expect(await sh("dd if=/dev/nvme0n1 of=/dev/null bs=4k count=1 skip=100 2>&1")).toContain("I/O error");
    expect((await attachment.faults.fired())[0]).toMatchObject({
      action: "fail",
      command: { opcode: 2, nsid: 1, lba: 800 },
    });
    await attachment.faults.clear();
  });

  it("records what it does, in a file that reads back", async () => {
    const observer = attachment.observe();
    expect(attachment.counters().exitTimeUs).toBe(0);
    attachment.monitor.timeExits(true);
    await sh("dd if=/dev/nvme0n1 of=/dev/null bs=4k count=3 skip=200 iflag=direct 2>/dev/null");
    await new Promise(resolve => setTimeout(resolve, 5));
    const records = observer.read();
    observer.end();
    attachment.monitor.timeExits(false);
    expect(attachment.counters().exitTimeUs).toBeGreaterThan(0);
    const { about, records: saved } = readSavedTrace(await attachment.traceFile(records, observer.lost));
    expect(about).toMatchObject({ serving: "mmio", lost: 0, namespaces: [{ nsid: 1, lbaBytes: 512 }] });
    const reads: CommandSpan[] = [];
    const spans = new CommandSpans(span => reads.push(span));
    for (const record of saved) spans.add(record);
    expect(reads.filter(({ qid, opcode }) => qid > 0 && opcode === 2).map(({ lba }) => lba)).toEqual([
      1600, 1608, 1616,
    ]);
  });

  it("takes no second attachment", async () => {
    await expect(attachNvme(emulator, disk())).rejects.toThrow(/one at a time/);
  });

  it("is as it was once the attachment is disposed of, and its guest goes on", async () => {
    const { v86 } = emulator as unknown as V86Emulator;
    expect(Object.hasOwn(v86, "yield")).toBe(true);
    await attachment.dispose();
    for (const name of ["yield", "register_yield"]) expect(Object.hasOwn(v86, name)).toBe(false);
    for (const name of ["run_hardware_timers", "reboot_internal"]) {
      expect(Object.hasOwn(v86.cpu, name)).toBe(false);
    }
    expect(Object.hasOwn(v86.cpu.devices.pci, "pci_write32")).toBe(false);
    expect(v86.cpu.devices.pci.device_spaces[0x0e << 3]).toBeUndefined();
    await expect(attachment.faults.arm({ action: "drop" })).rejects.toThrow(/detached/);
    expect(await sh("echo $((6*7))")).toContain("42");
  });
});

describe.skipIf(!present)("virtio-scsi, by messages and in the event loop", () => {
  const { emulator, until, sh } = machine({
    acpi: true,
    cmdline: "rescue console=ttyS0 tsc=reliable mitigations=off acpi=off lapic",
  });
  const image = new Uint8Array(2 << 20).fill(0x78);
  let attachment: Attachment;

  beforeAll(async () => {
    attachment = await attachVirtio(emulator, {
      type: "scsi",
      disk: { backend: { kind: "memory", image } },
      serving: "mainloop",
    });
    await emulator.run();
    await until("rescue:/# ");
  }, 120_000);

  afterAll(async () => {
    await attachment?.dispose();
    await emulator.destroy();
  });

  it("reads and writes", async () => {
    expect(attachment.interrupts).toBe("msix");
    expect(await sh("cat /proc/interrupts")).toMatch(/PCI-MSI.*virtio/);
    expect(await sh("dd if=/dev/sda bs=64k count=32 2>/dev/null | tr -d x | wc -c")).toMatch(/^0\r$/m);
    await sh("dd if=/dev/zero of=/dev/sda bs=64k count=4 conv=fsync 2>/dev/null");
    const { reads, writes, flushes } = attachment.counters();
    expect(Math.min(reads, writes, flushes)).toBeGreaterThan(0);
    expect(
      await sh("echo 3 > /proc/sys/vm/drop_caches; head -c 262144 /dev/sda | tr -d '\\000' | wc -c"),
    ).toMatch(/^0\r$/m);
    expect(await sh("dmesg | grep -c 'I/O error'")).toMatch(/^0\r$/m);
    expect(await attachment.disks()).toMatchObject([{ nsid: undefined, capacityBytes: 2 << 20 }]);
  });

  it("has no faults, and says so", async () => {
    await expect(attachment.faults.arm({ action: "drop" })).rejects.toThrow(/of the NVMe controller/);
  });
});

describe.skipIf(!present)("what does not go together is refused with a sentence", () => {
  const { emulator } = machine();
  afterAll(() => emulator.destroy());

  it.each([
    [{ ...disk(), serving: "iothread" }, /needs guest RAM that another thread can be given.*sharedMemory/],
    [{ ...disk(), interrupts: "msix" }, /acpi: true/],
    [{ ...disk(), serving: "threads" }, /no serving mode "threads"/],
    [{ namespaces: [] }, /1 to 16 namespaces/],
    [{ namespaces: [{ backend: { kind: "tape" } }] }, /no kind of disk "tape"/],
    [{ namespaces: [{ backend: { kind: "memory", capacityBytes: 0 } }] }, /cannot have 0 bytes/],
  ])("%j", async (options, sentence) => {
    await expect(attachNvme(emulator, options as NvmeOptions)).rejects.toThrow(sentence);
  });

  it("a machine that runs", async () => {
    await emulator.run();
    await expect(attachNvme(emulator, disk())).rejects.toThrow(/autostart: false/);
    await emulator.stop();
  });

  it("and can be attached to afterwards", async () => {
    const attachment = await attachNvme(emulator, { ...disk(), serving: "mainloop" });
    expect(attachment.serving).toBe("mainloop");
    await attachment.dispose();
    await attachment.dispose();
  });

  it("another version of v86, by what it lacks", async () => {
    const { cpu } = (emulator as unknown as V86Emulator).v86;
    const { jit_dirty_cache: kept } = cpu;
    Object.assign(cpu, { jit_dirty_cache: undefined });
    await expect(attachNvme(emulator, disk())).rejects.toThrow(/version of v86 lacks.*cpu\.jit_dirty_cache/);
    Object.assign(cpu, { jit_dirty_cache: kept });
  });

  it("tells of a reset, after which the controller is as at power-on", async () => {
    const attachment = await attachNvme(emulator, disk());
    let resets = 0;
    const off = attachment.on("reset", () => resets++);
    const { cpu } = (emulator as unknown as V86Emulator).v86;
    const space = () => [...(cpu.devices.pci.device_spaces[0x0e << 3] ?? [])];
    const before = space();
    cpu.devices.pci.pci_write32(0x80000000 | (0x0e << 11) | 0x10, 0x80000000 | 0);
    expect(space()).not.toEqual(before);
    emulator.restart();
    expect(space()).toEqual(before);
    off();
    emulator.restart();
    expect(resets).toBe(1);
    await attachment.dispose();
  });
});
