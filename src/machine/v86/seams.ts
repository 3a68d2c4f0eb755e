/**
 * What Doorbell uses of v86's insides. v86 is pinned to one version; none of this is its public interface. Every name
 * is declared here and looked for by `checkSeams` before the guest starts, so that a v86 that moved one says so.
 */

import { isShared } from "../../devices/shared_buffer.ts";

/** The version of v86 that all of this is known of; snapshots are of one version. */
export const V86_VERSION = "0.5.462";

export type PortRead = () => number;

/** v86's PCI bus. Config space is 64 little-endian words a device, indexed by device number << 3. */
export interface V86Pci {
  device_spaces: (Int32Array | undefined)[];
  register_device(device: V86PciDevice): Int32Array;
  raise_irq(pciId: number): void;
  lower_irq(pciId: number): void;
  pci_write32(address: number, value: number): void;
  pci_write16(address: number, value: number): void;
  pci_write8(address: number, value: number): void;
}

export interface V86PciDevice {
  readonly pci_id: number;
  readonly pci_space: readonly number[];
  readonly pci_bars: readonly ({ readonly size: number } | undefined)[];
  readonly name: string;
}

export interface V86Uart {
  /** Bytes that the guest has not read yet. */
  readonly input: number[];
  /** Bit 1 is RTS: with hardware flow control the guest drops it while its buffers are full. */
  readonly modem_control: number;
}

/** A picture as v86 keeps it: pixels of four bytes, R, G, B, A, in wasm memory. */
export interface V86Image {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** A part of a picture, and where it belongs on the screen. The rest of the picture does not show. */
export interface V86Layer {
  readonly image_data: V86Image;
  readonly screen_x: number;
  readonly screen_y: number;
  readonly buffer_x: number;
  readonly buffer_y: number;
  readonly buffer_width: number;
  readonly buffer_height: number;
}

/** What v86's VGA tells a screen. Rows, columns and pixels count from 0; colours are 0xRRGGBB. */
export interface V86ScreenAdapter {
  /** Bits of the flags of put_char, as the adapter wants them. */
  readonly FLAG_BLINKING: number;
  readonly FLAG_FONT_PAGE_B: number;
  put_char(row: number, column: number, character: number, flags: number, bg: number, fg: number): void;
  set_mode(graphical: boolean): void;
  set_size_text(columns: number, rows: number): void;
  set_size_graphical(width: number, height: number, virtualWidth: number, virtualHeight: number): void;
  /** `glyphs`: eight fonts of 256 glyphs of 32 bytes, a byte for each line. */
  set_font_bitmap(
    height: number,
    nineWide: boolean,
    doubleWide: boolean,
    copiesEighth: boolean,
    glyphs: Uint8Array,
    changed: boolean,
  ): void;
  set_font_page(fontA: number, fontB: number): void;
  update_cursor(row: number, column: number): void;
  update_cursor_scanline(start: number, end: number, visible: boolean): void;
  update_buffer(layers: readonly V86Layer[]): void;
  clear_screen(): void;
  clear_text_state(): void;
  pause(): void;
  continue(): void;
  destroy(): void;
}

export interface V86Vga {
  screen: V86ScreenAdapter;
  readonly graphical_mode: boolean;
  /** Null before the first graphics mode. */
  readonly image_data: V86Image | null;
  set_size_graphical(
    width: number,
    height: number,
    virtualWidth: number,
    virtualHeight: number,
    bitsPerPixel: number,
  ): void;
  /** Draws what has changed and hands it to the screen's update_buffer(); and what update_vertical_retrace() does. */
  screen_fill_buffer(): void;
  /** Begins the retrace that guests wait for, and shows the picture that they have switched to. */
  update_vertical_retrace(): void;
  complete_redraw(): void;
}

/** A drive of v86's IDE controller; its registers are as ATA names them. */
export interface V86IdeDrive {
  readonly buffer: unknown;
  readonly is_atapi: boolean;
  readonly channel: { dma_status: number };
  readonly data: Uint8Array;
  current_command: number;
  status_reg: number;
  error_reg: number;
  /** Reads that are under way. */
  readonly in_progress_io_ids: { readonly size: number };
  /** What REQUEST SENSE will tell; v86 does not save it. */
  atapi_sense_key: number;
  atapi_add_sense: number;
  ata_command(command: number): void;
  create_identify_packet(): void;
  atapi_check_condition_response(senseKey: number, additionalSense: number): void;
  cancel_io_operations(): void;
  push_irq(): void;
}

/** v86's own medium in memory (its SyncBuffer). */
export interface V86MemoryBuffer {
  readonly buffer: ArrayBuffer;
  set(start: number, data: Uint8Array, done: () => void): void;
  get_state(): unknown[];
  set_state(state: unknown[]): void;
}

interface V86IdeChannel {
  readonly master: V86IdeDrive;
  readonly slave: V86IdeDrive;
}

export interface V86ByteQueue {
  readonly length: number;
  push(byte: number): void;
  shift(): number;
}

/** Keyboard and mouse. */
export interface V86Ps2 {
  /** Bytes that the guest has not read yet; v86 does not save them. */
  readonly kbd_buffer: V86ByteQueue;
  readonly mouse_buffer: V86ByteQueue;
  /** The guest was told of the next one, and whether it is the mouse's. */
  next_byte_is_ready: boolean;
  next_byte_is_aux: boolean;
}

/**
 * v86's views of its state in wasm memory are proxies that make a new typed array at each access, to survive growth of
 * the memory. The buffers of a shared one stay valid, so `words` and `bytes` make a plain one, once.
 */
export interface V86View {
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly length: number;
}

export interface V86Cpu {
  readonly mem8: V86View;
  readonly wasm_memory: WebAssembly.Memory;
  /** Control registers, 32-bit words; CR0 bit 31 is paging. */
  readonly cr: V86View;
  /** One byte: the machine has ACPI, and with it a local APIC. */
  readonly acpi_enabled: V86View;
  /** EFLAGS, a 32-bit word; bit 9 is IF. */
  readonly flags: V86View;
  /** One byte: the guest is halted. */
  readonly in_hlt: V86View;
  readonly io: {
    mmap_register(
      address: number,
      size: number,
      read8: (address: number) => number,
      write8: (address: number, value: number) => void,
      read32: (address: number) => number,
      write32: (address: number, value: number) => void,
    ): void;
  };
  readonly devices: {
    readonly pci: V86Pci;
    readonly uart0: V86Uart;
    readonly uart1: V86Uart;
    readonly vga: V86Vga;
    readonly ps2: V86Ps2;
    readonly ide: { readonly primary?: V86IdeChannel; readonly secondary?: V86IdeChannel };
  };
  /** The files of fw_cfg, QEMU's way to tell the firmware things. */
  readonly option_roms: { readonly name: string; readonly data: Uint8Array }[];
  readonly wm: { readonly wasm_table: WebAssembly.Table };
  readonly jit_imports: Record<string, WebAssembly.ImportValue>;
  /** MMIO handlers by block of 128 KiB. */
  readonly memory_map_read8: unknown[];
  readonly memory_map_write8: unknown[];
  readonly memory_map_read32: unknown[];
  readonly memory_map_write32: unknown[];
  jit_dirty_cache(start: number, end: number): void;
  full_clear_tlb(): void;
  /** Clears so many bytes of guest RAM from an address on. */
  zero_memory(address: number, bytes: number): void;
  /** Delivers what the interrupt controllers have, if the guest takes interrupts. At safe points only. */
  handle_irqs(): void;
  /** Address of the local APIC's state in wasm memory. */
  get_apic_addr(): number;
  jit_clear_cache(): void;
  codegen_finalize_finished(index: number, start: number, flags: number): void;
  /** Called with (wasm table index, code start, state flags, address and length of the module in wasm memory). */
  codegen_finalize(index: number, start: number, flags: number, address: number, length: number): void;
  run_hardware_timers(acpiEnabled: number, now: number): number;
  reboot_internal(): void;
}

/** Where the guest's Wisp connections are, by stream; stream 0 is the relay's own. */
interface V86WispStream {
  /** How many packets the relay still takes. */
  congestion: number;
}

/** The adapter of a machine whose network is a Wisp relay. */
export interface V86WispAdapter {
  wispws: WebSocket;
  connections: Record<number, V86WispStream>;
  readonly congested_buffer: { length: number };
  /** TCP as the guest sees it. */
  readonly tcp_conn: Readonly<Record<string, { close(): void }>>;
  /** Opens the WebSocket; called again ten seconds after it was closed. */
  register_ws(url: string): void;
  send_packet(data: Uint8Array, type: string, stream: number): void;
  process_incoming_wisp_frame(frame: Uint8Array): void;
  /** Of a guest's first packet; the connection is reset unless this accepts it. */
  on_tcp_connection(connection: unknown, packet: unknown): void;
}

/** The adapter that turns HTTP requests into fetch(). */
export interface V86FetchAdapter {
  fetch(url: string, options: RequestInit): Promise<Response>;
}

export interface V86Emulator {
  readonly v86: {
    readonly cpu: V86Cpu;
    /** v86's own class; its timers ask this for the time, in milliseconds. Its wasm has it as import `microtick`. */
    readonly constructor: { microtick(): number };
    readonly tick_counter: number;
    running: boolean;
    stopping: boolean;
    yield(delayMs: number, tick: number): void;
    register_yield(): void;
    unregister_yield(): void;
    do_tick(): void;
  };
  /** Of events to the devices: "keyboard-code" (a byte), "mouse-delta" ([x, y up]), "mouse-click", "mouse-wheel". */
  readonly bus: { send(event: string, value: unknown): void };
  /** What its network card leads to, in a machine that has one: what it is depends on the relay. */
  readonly network_adapter?: object;
  add_listener(event: string, listener: (value: never) => void): void;
  run(): Promise<void>;
  stop(): Promise<void>;
  /** All but the devices that others have plugged in, of which only the PCI configuration space is kept. */
  save_state(): Promise<ArrayBuffer>;
  /** Copies into the memory that there is. Before run(). */
  restore_state(state: ArrayBuffer): Promise<void>;
  serial_send_bytes(port: number, bytes: Uint8Array): void;
  serial_set_clear_to_send(port: number, status: boolean): void;
}

/** Indexed access to a view of 32-bit words. Nothing but indices and `length` may be used of it. */
export const words = (view: V86View): Int32Array =>
  isShared(view.buffer)
    ? new Int32Array(view.buffer, view.byteOffset, view.length)
    : (view as unknown as Int32Array);
/** The same for bytes. */
export const bytes = (view: V86View): Uint8Array =>
  isShared(view.buffer)
    ? new Uint8Array(view.buffer, view.byteOffset, view.length)
    : (view as unknown as Uint8Array);

/** First code slot of the wasm function table that v86's JIT uses (WASM_TABLE_OFFSET in its Rust source). */
export const JIT_TABLE_OFFSET = 1024;

const functionsOfCpu = [
  "jit_dirty_cache",
  "full_clear_tlb",
  "zero_memory",
  "handle_irqs",
  "get_apic_addr",
  "jit_clear_cache",
  "codegen_finalize",
  "codegen_finalize_finished",
  "run_hardware_timers",
  "reboot_internal",
] as const;
const functionsOfEmulator = ["save_state", "restore_state"] as const;
const functionsOfMachine = ["yield", "register_yield", "unregister_yield", "do_tick"] as const;
const functionsOfIdeDrives = [
  "ata_command",
  "create_identify_packet",
  "atapi_check_condition_response",
  "cancel_io_operations",
  "push_irq",
] as const;
const functionsOfVga = [
  "set_size_graphical",
  "screen_fill_buffer",
  "update_vertical_retrace",
  "complete_redraw",
] as const;
const functionsOfPci = [
  "register_device",
  "raise_irq",
  "lower_irq",
  "pci_write8",
  "pci_write16",
  "pci_write32",
] as const;

/** What of v86's insides is used only by some. */
export interface SeamNeeds {
  /** Its memory is shared. */
  readonly sharedMemory: boolean;
  /** The machine has two serial ports that are served here. */
  readonly serialPorts: boolean;
  /** Its screen, keyboard and mouse are ours, and so may be what is in its IDE drives. */
  readonly console: boolean;
}

/** Throws a sentence that names all that is missing. Call it once the emulator is loaded. */
export function checkSeams(
  emulator: V86Emulator,
  needs: SeamNeeds = { sharedMemory: true, serialPorts: true, console: true },
): void {
  const missing: string[] = [];
  const check = (present: boolean, name: string) => {
    if (!present) missing.push(name);
  };
  for (const name of functionsOfEmulator) check(typeof emulator[name] === "function", `emulator.${name}`);
  const { v86 } = emulator;
  const cpu = v86?.cpu;
  check(cpu !== undefined, "emulator.v86.cpu");
  if (cpu) {
    for (const name of functionsOfMachine) check(typeof v86[name] === "function", `emulator.v86.${name}`);
    for (const name of functionsOfCpu) check(typeof cpu[name] === "function", `cpu.${name}`);
    check(typeof v86.constructor?.microtick === "function", "emulator.v86.constructor.microtick");
    check(typeof v86.tick_counter === "number", "emulator.v86.tick_counter");
    for (const name of ["mem8", "cr", "flags", "in_hlt", "acpi_enabled"] as const) {
      const view = cpu[name];
      check(view?.length > 0 && (!needs.sharedMemory || isShared(view.buffer)), `cpu.${name}`);
    }
    check(Array.isArray(cpu.option_roms), "cpu.option_roms");
    check(cpu.wm?.wasm_table instanceof WebAssembly.Table, "cpu.wm.wasm_table");
    check(typeof cpu.jit_imports === "object", "cpu.jit_imports");
    check(typeof cpu.io?.mmap_register === "function", "cpu.io.mmap_register");
    for (const name of [
      "memory_map_read8",
      "memory_map_write8",
      "memory_map_read32",
      "memory_map_write32",
    ] as const) {
      check(Array.isArray(cpu[name]), `cpu.${name}`);
    }
    for (const name of functionsOfPci) {
      check(typeof cpu.devices?.pci?.[name] === "function", `cpu.devices.pci.${name}`);
    }
    if (needs.console) checkConsole(emulator, check);
    for (const uart of needs.serialPorts ? (["uart0", "uart1"] as const) : []) {
      check(Array.isArray(cpu.devices?.[uart]?.input), `cpu.devices.${uart}.input`);
      check(typeof cpu.devices?.[uart]?.modem_control === "number", `cpu.devices.${uart}.modem_control`);
    }
  }
  if (missing.length > 0) {
    throw new Error(
      `This version of v86 lacks what Doorbell relies on: ${missing.join(", ")}. ` +
        "Install the version that package.json names, or adapt src/machine/v86/seams.ts to the new one.",
    );
  }
}

function checkConsole(emulator: V86Emulator, check: (present: boolean, name: string) => void): void {
  const { vga, ide, ps2 } = emulator.v86.cpu.devices ?? {};
  for (const name of functionsOfVga) check(typeof vga?.[name] === "function", `cpu.devices.vga.${name}`);
  check(typeof vga?.screen?.put_char === "function", "cpu.devices.vga.screen.put_char");
  check(typeof vga?.graphical_mode === "boolean", "cpu.devices.vga.graphical_mode");
  // There is always a CD drive, with or without a CD.
  for (const name of functionsOfIdeDrives) {
    check(typeof ide?.secondary?.master?.[name] === "function", `cpu.devices.ide.secondary.master.${name}`);
  }
  const cd = ide?.secondary?.master;
  check(
    typeof cd?.in_progress_io_ids?.size === "number",
    "cpu.devices.ide.secondary.master.in_progress_io_ids",
  );
  for (const name of ["atapi_sense_key", "atapi_add_sense"] as const)
    check(typeof cd?.[name] === "number", `cpu.devices.ide.secondary.master.${name}`);
  for (const name of ["kbd_buffer", "mouse_buffer"] as const)
    check(typeof ps2?.[name]?.length === "number", `cpu.devices.ps2.${name}.length`);
  for (const name of ["next_byte_is_ready", "next_byte_is_aux"] as const)
    check(typeof ps2?.[name] === "boolean", `cpu.devices.ps2.${name}`);
  check(typeof emulator.bus?.send === "function", "emulator.bus.send");
}
