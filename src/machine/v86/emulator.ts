import { V86 } from "v86";
import { createGuestMemory, type GuestMemory } from "../../devices/guest_memory.ts";
import { type FirmwareFile, offerFirmwareFiles } from "./firmware_files.ts";
import { GuestClock } from "./guest_clock.ts";
import { checkSeams, JIT_TABLE_OFFSET, type V86Cpu, type V86Emulator } from "./seams.ts";
import { withSharedMemory, withSharedMemoryImport } from "./wasm_memory.ts";

/** A kernel that the host puts into the guest's memory, as QEMU's -kernel does. */
export interface HandedKernel {
  readonly image: ArrayBuffer;
  readonly initrd: ArrayBuffer;
  readonly commandLine: string;
}

export interface EmulatorOptions {
  /** The bytes of v86.wasm. */
  readonly wasm: Uint8Array;
  readonly bios: ArrayBuffer;
  readonly vgaBios: ArrayBuffer;
  /** Without one the firmware boots from a disk. */
  readonly kernel: HandedKernel | undefined;
  readonly firmwareFiles: readonly FirmwareFile[];
  readonly memoryBytes: number;
  /** v86's own IDE disk of so many bytes, all zeroes; 0 for none. */
  readonly ideBytes: number;
  /** Give the machine a local APIC, which MSI-X needs. */
  readonly localApic: boolean;
  /** The guest asked for a reboot (keyboard controller, reset port, triple fault). */
  readonly onReboot: () => void;
}

export interface Emulator {
  readonly v86: V86Emulator;
  readonly cpu: V86Cpu;
  /** Guest RAM, in a SharedArrayBuffer that other threads may be given. */
  readonly memory: GuestMemory;
  readonly clock: GuestClock;
}

/**
 * Starts v86 with its wasm memory shared, and waits until its devices exist. The guest does not run yet.
 * Throws if v86 is not the version that this code knows.
 */
export async function createEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { kernel } = options;
  const clock = new GuestClock();
  const emulator = new V86({
    wasm_fn: async (imports: WebAssembly.Imports) => {
      const module = await WebAssembly.compile(withSharedMemory(options.wasm));
      const env = { ...imports.env, microtick: clock.now };
      return (await WebAssembly.instantiate(module, { ...imports, env })).exports;
    },
    memory_size: options.memoryBytes,
    vga_memory_size: 2 << 20,
    bios: { buffer: options.bios },
    vga_bios: { buffer: options.vgaBios },
    ...(kernel && {
      bzimage: { buffer: kernel.image },
      initrd: { buffer: kernel.initrd },
      cmdline: kernel.commandLine,
    }),
    ...(options.ideBytes > 0 ? { hda: { buffer: new ArrayBuffer(options.ideBytes) } } : {}),
    // v86 has its local APIC only together with ACPI.
    acpi: options.localApic,
    uart1: true,
    // No network card: v86 would let it share our interrupt line, and does not OR the levels of a shared line.
    net_device: { type: "none" },
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    autostart: false,
  } as unknown as ConstructorParameters<typeof V86>[0]) as unknown as V86Emulator;
  await new Promise<void>(resolve => emulator.add_listener("emulator-loaded", () => resolve()));
  checkSeams(emulator);
  clock.install(emulator);
  const { cpu } = emulator.v86;
  shareJitMemory(cpu);
  offerFirmwareFiles(cpu, options.firmwareFiles);
  cpu.reboot_internal = options.onReboot;
  const { mem8 } = cpu;
  return { v86: emulator, cpu, memory: createGuestMemory(mem8.buffer, mem8.byteOffset, mem8.length), clock };
}

/** v86's codegen_finalize, with the module's memory import made shared like the memory itself. */
function shareJitMemory(cpu: V86Cpu): void {
  cpu.codegen_finalize = (index, start, flags, address, length) => {
    const module = withSharedMemoryImport(
      new Uint8Array(cpu.wasm_memory.buffer, address >>> 0, length >>> 0),
    );
    void WebAssembly.instantiate(module, { e: cpu.jit_imports }).then(({ instance }) => {
      cpu.wm.wasm_table.set(index + JIT_TABLE_OFFSET, instance.exports.f);
      cpu.codegen_finalize_finished(index, start, flags);
    });
  };
}
