import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEmulator, type Emulator } from "./emulator.ts";
import { checkSeams, V86_VERSION, type V86Emulator } from "./seams.ts";

const IMAGES = fileURLToPath(new URL("../../../public/images/", import.meta.url));
const V86 = dirname(createRequire(import.meta.url).resolve("v86/package.json"));
const present = existsSync(join(IMAGES, "bzImage"));

function load(name: string): ArrayBuffer {
  const bytes = readFileSync(join(IMAGES, name));
  return Uint8Array.from(name.endsWith(".gz") ? gunzipSync(bytes) : bytes).buffer;
}

describe.skipIf(!present)("the v86 that package.json pins", () => {
  let emulator: Emulator;

  beforeAll(async () => {
    emulator = await createEmulator({
      wasm: new Uint8Array(readFileSync(join(V86, "build/v86.wasm"))),
      bios: load("bios.bin"),
      vgaBios: load("vgabios.bin"),
      kernel: {
        image: load("bzImage"),
        initrd: load("initramfs.cpio.gz"),
        commandLine: "console=ttyS0 tsc=reliable mitigations=off",
      },
      firmwareFiles: [],
      memoryBytes: 128 << 20,
      ideBytes: 0,
      network: "",
      localApic: false,
      onReboot: () => {},
    });
  });

  afterAll(async () => {
    await emulator?.v86.stop();
    (emulator?.v86 as unknown as { destroy?(): Promise<void> })?.destroy?.();
  });

  it("has guest RAM in shared memory", () => {
    const { memory, cpu } = emulator;
    expect(memory.bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(memory.byteLength).toBe(128 << 20);
    expect(cpu.wasm_memory.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it("is the version that snapshots name", () => {
    const { version } = JSON.parse(readFileSync(join(V86, "package.json"), "utf8")) as { version: string };
    expect(V86_VERSION).toBe(version.split("+")[0]);
  });

  it("has all that Doorbell uses", () => {
    expect(() => checkSeams(emulator.v86)).not.toThrow();
  });

  /** The emulator without one name, however deep; the real one stays as it is. */
  function without(path: string): V86Emulator {
    const [name, ...rest] = path.split(".");
    const cut = (object: object, name: string, rest: readonly string[]): object =>
      new Proxy(object, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key, target);
          if (key !== name) return value;
          const [next, ...others] = rest;
          return next === undefined ? undefined : cut(value as object, next, others);
        },
      });
    return cut(emulator.v86, name, rest) as V86Emulator;
  }

  it.each([
    "save_state",
    "restore_state",
    "v86.do_tick",
    "v86.yield",
    "v86.cpu.jit_dirty_cache",
    "v86.cpu.codegen_finalize",
    "v86.cpu.run_hardware_timers",
    "v86.cpu.reboot_internal",
    "v86.cpu.full_clear_tlb",
    "v86.cpu.flags",
    "v86.cpu.in_hlt",
    "v86.cpu.wm.wasm_table",
    "v86.cpu.io.mmap_register",
    "v86.cpu.memory_map_read32",
    "v86.cpu.devices.pci.raise_irq",
    "v86.cpu.devices.pci.pci_write32",
    "v86.cpu.devices.uart1.input",
    "v86.cpu.devices.vga.screen_fill_buffer",
    "v86.cpu.devices.vga.screen.put_char",
    "v86.cpu.devices.ps2.kbd_buffer.length",
    "v86.cpu.devices.ps2.mouse_buffer.length",
    "v86.cpu.devices.ps2.next_byte_is_ready",
    "v86.cpu.devices.ide.secondary.master.in_progress_io_ids",
    "v86.cpu.devices.ide.secondary.master.atapi_sense_key",
    "v86.cpu",
  ])("is refused, with a sentence that names it, without %s", path => {
    const name = path
      .replace(/^v86\.cpu\.?/, "cpu.")
      .replace(/\.$/, "")
      .replace(/^v86\./, "");
    expect(() => checkSeams(without(path))).toThrow(/This version of v86 lacks what Doorbell relies on/);
    expect(() => checkSeams(without(path))).toThrow(name);
  });

  it("boots as far as the kernel's first words, JIT included, with its memory shared", async () => {
    const { v86 } = emulator;
    let text = "";
    await new Promise<void>(resolve => {
      v86.add_listener("serial0-output-byte", (byte: number) => {
        text += String.fromCharCode(byte);
        if (text.includes("Linux version") && text.includes("\n")) resolve();
      });
      void v86.run();
    });
    expect(text).toContain("Linux version");
    expect(emulator.memory.bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it("saves what it is, and copies it back into the memory that there is, with its clock", async () => {
    const { memory, cpu, v86, clock } = emulator;
    await v86.stop();
    memory.bytes.fill(0x5a, 4096, 8192);
    const before = memory.bytes.slice(0, 1 << 20);
    const [at, flags] = [clock.now(), new Int32Array(cpu.flags.buffer, cpu.flags.byteOffset, 1)[0]];
    const state = await v86.save_state();
    expect(state.byteLength).toBeLessThan(64 << 20);
    memory.bytes.fill(0xa5, 0, 16 << 20);
    clock.goOnFrom(at + 1e6);
    await v86.restore_state(state);
    clock.goOnFrom(at);
    expect(Buffer.compare(memory.bytes.slice(0, 1 << 20), before)).toBe(0);
    expect(new Int32Array(cpu.flags.buffer, cpu.flags.byteOffset, 1)[0]).toBe(flags);
    checkSeams(v86);
  });
});
