import { V86 } from "v86";
import type { GuestMemory } from "../../devices/guest_memory.ts";
import { type FirmwareFile, offerFirmwareFiles } from "./firmware_files.ts";
import { GuestClock } from "./guest_clock.ts";
import { guestRam } from "./guest_ram.ts";
import { denyHelperWorker } from "./helper_worker.ts";
import { completeIdeDrives } from "./ide_drives.ts";
import { saveScratchSparsely } from "./ide_scratch.ts";
import { type Media, mediaOptions } from "./media.ts";
import { netDevice, placeNetworkCard } from "./network_card.ts";
import { completeNetwork } from "./network_relay.ts";
import { Screen } from "./screen.ts";
import { checkSeams, type V86Cpu, type V86Emulator } from "./seams.ts";
import { instantiateShared } from "./shared_wasm.ts";

/** A kernel that the host puts into the guest's memory, as QEMU's -kernel does. */
export interface HandedKernel {
  readonly image: ArrayBuffer;
  readonly initrd: ArrayBuffer | undefined;
  readonly commandLine: string;
}

export interface EmulatorOptions {
  /** The bytes of v86.wasm, or what compileShared() has made of them. */
  readonly wasm: Uint8Array | WebAssembly.Module;
  readonly bios: ArrayBuffer;
  readonly vgaBios: ArrayBuffer;
  /** Without one the firmware boots from a disk. */
  readonly kernel: HandedKernel | undefined;
  readonly firmwareFiles: readonly FirmwareFile[];
  readonly memoryBytes: number;
  /** In the drives of a machine of one's own. */
  readonly media?: Media | undefined;
  /** Where the screen is shown; without it nobody sees it. */
  readonly screenPort?: MessagePort | undefined;
  /** v86's own IDE disk of so many bytes, all zeroes; 0 for none. */
  readonly ideBytes: number;
  /** Where its network card leads, as MachineSettings.network; "" for none. */
  readonly network: string;
  /** Give the machine a local APIC, which MSI-X needs. */
  readonly localApic: boolean;
  /** What the guest's clock says, for a machine that goes on where another one was; undefined for a new one. */
  readonly clockMs?: number | undefined;
  /** The guest asked for a reboot (keyboard controller, reset port, triple fault). */
  readonly onReboot: () => void;
}

export interface Emulator {
  readonly v86: V86Emulator;
  readonly cpu: V86Cpu;
  /** Guest RAM, in a SharedArrayBuffer that other threads may be given. */
  readonly memory: GuestMemory;
  readonly clock: GuestClock;
  readonly screen: Screen;
}

/** In bytes. A screen of one's own has room for 1600 × 1200 pixels of true colour. */
const VGA_MEMORY = { hidden: 2 << 20, shown: 8 << 20 } as const;

/**
 * Starts v86 with its wasm memory shared, and waits until its devices exist. The guest does not run yet.
 * Throws if v86 is not the version that this code knows.
 */
export async function createEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { kernel, media } = options;
  const clock = new GuestClock();
  const emulator = new V86({
    wasm_fn: async (imports: WebAssembly.Imports) => {
      const env = { ...imports.env, microtick: clock.now };
      const exports = await instantiateShared(options.wasm, { ...imports, env });
      denyHelperWorker();
      return exports;
    },
    memory_size: options.memoryBytes,
    vga_memory_size: options.screenPort ? VGA_MEMORY.shown : VGA_MEMORY.hidden,
    bios: { buffer: options.bios },
    vga_bios: { buffer: options.vgaBios },
    ...(kernel && {
      bzimage: { buffer: kernel.image },
      ...(kernel.initrd && { initrd: { buffer: kernel.initrd } }),
      cmdline: kernel.commandLine,
    }),
    ...(media && mediaOptions(media)),
    ...(options.ideBytes > 0 ? { hda: { buffer: new ArrayBuffer(options.ideBytes) } } : {}),
    // v86 has its local APIC only together with ACPI.
    acpi: options.localApic,
    uart1: true,
    net_device: netDevice(options.network),
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    autostart: false,
  } as unknown as ConstructorParameters<typeof V86>[0]) as unknown as V86Emulator;
  await new Promise<void>(resolve => emulator.add_listener("emulator-loaded", () => resolve()));
  checkSeams(emulator);
  clock.install(emulator);
  const screen = new Screen(emulator, options.screenPort);
  if (media) completeIdeDrives(emulator, media);
  if (options.ideBytes > 0) saveScratchSparsely(emulator);
  const { cpu } = emulator.v86;
  if (options.network !== "") {
    placeNetworkCard(cpu);
    completeNetwork(emulator, options.network);
  }
  // Nothing of the machine is older than the clock.
  if (options.clockMs !== undefined) clock.goOnFrom(options.clockMs);
  offerFirmwareFiles(cpu, options.firmwareFiles);
  cpu.reboot_internal = options.onReboot;
  return { v86: emulator, cpu, memory: guestRam(cpu), clock, screen };
}
