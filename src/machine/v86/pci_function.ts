import type { ExitTimer } from "./exit_timer.ts";
import { LocalApic } from "./local_apic.ts";
import { type MsixState, MsixTable } from "./msix.ts";
import { override } from "./override.ts";
import { type V86Cpu, words } from "./seams.ts";

/** Register accesses of a PCI function's memory BAR, at byte offsets. */
export interface MmioHandler {
  /** 32 bits wide. */
  readRegister(offset: number): number;
  writeRegister(offset: number, value: number): void;
  /**
   * 8 bits wide, for devices that have narrow registers; v86 makes two of a 16-bit access. Without them a read takes
   * its byte out of a 32-bit read, and a write does nothing (NVMe 1.4, section 3.1: undefined).
   */
  readByte?(offset: number): number;
  writeByte?(offset: number, value: number): void;
}

export interface PciFunctionOptions {
  readonly name: string;
  /** PCI device number on bus 0. v86 itself has 0, 1, 5, 6, 7, 8, 0A, 0B, 0C, 12h and 1E. */
  readonly device: number;
  readonly vendorId: number;
  readonly deviceId: number;
  /** Default: as the function itself. */
  readonly subsystem?: { readonly vendorId: number; readonly id: number };
  readonly revisionId?: number;
  /** Class, subclass, programming interface. */
  readonly classCode: readonly [number, number, number];
  readonly mmio: MmioHandler;
  readonly exitTimer: ExitTimer;
  /** Called after each register write. */
  readonly afterWrite: () => void;
  /** MSI-X vectors; 0 for a function that has the pin alone. The machine must have a local APIC for them. */
  readonly msixVectors: number;
  /** Further capabilities, without their pointers to the next one. */
  readonly capabilities?: readonly Uint8Array[];
}

/** For a snapshot: what v86, which keeps the configuration space, does not know. */
export interface PciFunctionState {
  /** Where the BAR is mapped. */
  readonly base: number;
  readonly msix: MsixState | undefined;
}

/** v86 maps MMIO in blocks of this size, so the BAR is one block. */
const BLOCK_BITS = 17;
const BAR_BYTES = 1 << BLOCK_BITS;
/** Where the first device number's BAR would be; each device has its own until the firmware moves it. */
const INITIAL_BARS = 0xfe800000;
const BAR_64_BIT = 0x4;
const COMMAND_MEMORY_SPACE = 1 << 1;
const EFLAGS_IF = 1 << 9;
const BAR0_WORD = 4;
const BAR1_WORD = 5;
const COMMAND_WORD = 1;
const CAPABILITIES_POINTER = 0x34;
const STATUS_CAPABILITIES_LIST = 1 << 4;
const FIRST_CAPABILITY = 0x40;

/** Where a BAR must not go: the VGA frame buffer, and from the IOAPIC up (IOAPIC, LAPIC, BIOS). */
const FORBIDDEN: readonly (readonly [start: number, end: number])[] = [
  [0xe0000000, 0xe1000000],
  [0xfec00000, 0x1_0000_0000],
];

/**
 * A PCI function on v86's bus with one 64-bit memory BAR, interrupt pin A and, where the machine has a local APIC, MSI-X.
 *
 * v86 keeps memory BARs where they were first and ignores 32-bit writes to the command register; Linux can live with
 * that at boot, but not when a device is removed and found again. The bus's write function is therefore wrapped on
 * the instance, for this function's registers only.
 */
export class PciFunction {
  readonly #cpu: V86Cpu;
  readonly #id: number;
  readonly #space: Int32Array;
  readonly #flags: Int32Array;
  readonly #mmio: MmioHandler;
  readonly #exitTimer: ExitTimer;
  readonly #afterWrite: () => void;
  readonly #msix: MsixTable | undefined;
  #mapped = -1;
  #isPresent = true;
  #underneath: readonly unknown[] = [];
  readonly #options: PciFunctionOptions;
  /** Put back the bus's own methods. */
  readonly #restore: readonly (() => void)[];

  constructor(cpu: V86Cpu, options: PciFunctionOptions) {
    this.#cpu = cpu;
    this.#options = options;
    this.#id = options.device << 3;
    this.#mmio = options.mmio;
    this.#exitTimer = options.exitTimer;
    this.#afterWrite = options.afterWrite;
    this.#flags = words(cpu.flags);
    const { pci } = cpu.devices;
    if (pci.device_spaces[this.#id]) throw new Error(`PCI device ${options.device} is taken`);
    this.#space = pci.register_device({
      pci_id: this.#id,
      pci_space: configurationSpace(options),
      // v86 must not answer size probes itself: that is done below.
      pci_bars: [],
      name: options.name,
    });
    if (options.msixVectors > 0) {
      const apic = new LocalApic(cpu);
      this.#msix = new MsixTable(
        options.msixVectors,
        () => this.#space[FIRST_CAPABILITY >> 2],
        vector => apic.request(vector),
      );
    }
    const isOurs = (address: number) => ((address >>> 8) & 0xffff) === this.#id;
    const write32 = pci.pci_write32.bind(pci);
    const [write16, write8] = [pci.pci_write16.bind(pci), pci.pci_write8.bind(pci)];
    this.#restore = [
      override(pci, "pci_write32", (address, value) => {
        if (isOurs(address) && (!this.#isPresent || this.#write32(address & 0xff, value))) return;
        write32(address, value);
      }),
      override(pci, "pci_write16", (address, value) => {
        if (this.#isPresent || !isOurs(address)) write16(address, value);
      }),
      override(pci, "pci_write8", (address, value) => {
        if (this.#isPresent || !isOurs(address)) write8(address, value);
      }),
    ];
    this.#map(initialBar(options.device));
  }

  /** The machine's reset: configuration and MSI-X table are as at power-on. */
  reset(): void {
    this.#space.set(new Int32Array(Uint8Array.from(configurationSpace(this.#options)).buffer));
    this.#msix?.reset();
    const bar = initialBar(this.#options.device);
    if (this.#mapped !== bar) this.#map(bar);
  }

  /** Takes the function off its bus for good, and the bus is as it was. */
  unplug(): void {
    this.setInterruptPin(false);
    this.setPresent(false);
    this.#unmap();
    this.#cpu.full_clear_tlb();
    for (const restore of this.#restore) restore();
  }

  /**
   * Drives pin A. Raising is for safe points only: v86 delivers at once, which rewrites EIP under compiled code.
   * Lowering is allowed within a register write; IF is masked for the call so that nothing else is delivered then.
   */
  setInterruptPin(level: boolean): void {
    const { pci } = this.#cpu.devices;
    if (level) {
      pci.raise_irq(this.#id);
      return;
    }
    const flags = this.#flags;
    const interruptFlag = flags[0] & EFLAGS_IF;
    flags[0] &= ~EFLAGS_IF;
    pci.lower_irq(this.#id);
    flags[0] |= interruptFlag;
  }

  /**
   * Takes the function off its bus, or puts it back with its configuration as it was. While it is away all reads, of its
   * configuration and of its registers, are all ones, and writes go nowhere.
   */
  setPresent(present: boolean): void {
    this.#isPresent = present;
    this.#cpu.devices.pci.device_spaces[this.#id] = present ? this.#space : undefined;
  }

  /** Has the guest switched MSI-X on? Then the pin is not used. */
  get msixEnabled(): boolean {
    return this.#msix?.enabled ?? false;
  }

  /** Sends an MSI-X message, or keeps it while it is masked. At safe points only. */
  raiseVector(vector: number): void {
    this.#msix?.raise(vector);
  }

  /** Sends messages whose mask is gone. At each safe point. */
  safePoint(): void {
    this.#msix?.deliverPending();
  }

  save(): PciFunctionState {
    return { base: this.#mapped, msix: this.#msix?.save() };
  }

  /** After v86 has restored its own state. Throws where the BAR cannot be. */
  restore({ base, msix }: PciFunctionState): void {
    if (
      !Number.isInteger(base) ||
      base % BAR_BYTES !== 0 ||
      base + BAR_BYTES > 2 ** 32 ||
      !this.#isFree(base)
    ) {
      throw new RangeError(`A BAR cannot be mapped at ${base}.`);
    }
    if (base !== this.#mapped) this.#map(base);
    if (msix) this.#msix?.restore(msix);
  }

  /** A 32-bit write into configuration space. True if it was dealt with here. */
  #write32(register: number, value: number): boolean {
    const word = register >> 2;
    switch (word) {
      case COMMAND_WORD:
        // Status bits in the upper half are write-1-to-clear and none is ever set.
        this.#space[word] = (this.#space[word] & ~0xffff) | (value & 0xffff);
        return true;
      case BAR0_WORD:
        this.#space[word] = (value & -BAR_BYTES) | BAR_64_BIT;
        if (value !== -1) this.#move();
        return true;
      case BAR1_WORD:
        this.#space[word] = value;
        if (value !== -1) this.#move();
        return true;
      default:
        // The other BARs do not exist and read as zero.
        if (word > BAR1_WORD && word < 10) return true;
        return false;
    }
  }

  #move(): void {
    const base = (this.#space[BAR0_WORD] & -BAR_BYTES) >>> 0;
    if (this.#space[BAR1_WORD] !== 0 || base === this.#mapped || !this.#isFree(base)) return;
    this.#map(base);
  }

  #isFree(base: number): boolean {
    const end = base + BAR_BYTES;
    return base >= this.#cpu.mem8.length && !FORBIDDEN.some(([start, stop]) => base < stop && end > start);
  }

  #map(base: number): void {
    const cpu = this.#cpu;
    this.#unmap();
    this.#underneath = this.#maps.map(map => map[base >>> BLOCK_BITS]);
    this.#mapped = base;
    const offset = (address: number) => (address >>> 0) - base;
    const enabled = () => this.#isPresent && (this.#space[COMMAND_WORD] & COMMAND_MEMORY_SPACE) !== 0;
    const timer = this.#exitTimer;
    const timed = <T>(access: () => T): T => {
      const start = timer.start();
      const result = access();
      timer.stop(start);
      return result;
    };
    cpu.io.mmap_register(
      base,
      BAR_BYTES,
      address => (enabled() ? timed(() => this.#readByte(offset(address))) : 0xff),
      (address, value) => {
        if (!enabled()) return;
        timed(() => this.#mmio.writeByte?.(offset(address), value & 0xff));
        this.#afterWrite();
      },
      address => (enabled() ? timed(() => this.#read(offset(address))) : -1),
      (address, value) => {
        if (!enabled()) return;
        timed(() => this.#write(offset(address), value));
        this.#afterWrite();
      },
    );
    cpu.full_clear_tlb();
  }

  #unmap(): void {
    if (this.#mapped < 0) return;
    for (const [i, map] of this.#maps.entries()) map[this.#mapped >>> BLOCK_BITS] = this.#underneath[i];
    this.#mapped = -1;
  }

  get #maps(): readonly unknown[][] {
    const cpu = this.#cpu;
    return [cpu.memory_map_read8, cpu.memory_map_write8, cpu.memory_map_read32, cpu.memory_map_write32];
  }

  #read(offset: number): number {
    return this.#msix?.owns(offset) ? this.#msix.readRegister(offset) : this.#mmio.readRegister(offset);
  }

  #write(offset: number, value: number): void {
    if (this.#msix?.owns(offset)) this.#msix.writeRegister(offset, value);
    else this.#mmio.writeRegister(offset, value);
  }

  #readByte(offset: number): number {
    if (this.#mmio.readByte && !this.#msix?.owns(offset)) return this.#mmio.readByte(offset);
    return (this.#read(offset & ~3) >>> ((offset & 3) * 8)) & 0xff;
  }
}

function initialBar(device: number): number {
  return INITIAL_BARS + device * BAR_BYTES;
}

function configurationSpace(options: PciFunctionOptions): number[] {
  const bytes = new Uint8Array(256);
  const view = new DataView(bytes.buffer);
  const [baseClass, subclass, programmingInterface] = options.classCode;
  view.setUint16(0x00, options.vendorId, true);
  view.setUint16(0x02, options.deviceId, true);
  view.setUint16(0x04, COMMAND_MEMORY_SPACE, true);
  bytes[0x08] = options.revisionId ?? 0;
  bytes[0x09] = programmingInterface;
  bytes[0x0a] = subclass;
  bytes[0x0b] = baseClass;
  view.setUint32(0x10, initialBar(options.device) | BAR_64_BIT, true);
  view.setUint16(0x2c, options.subsystem?.vendorId ?? options.vendorId, true);
  view.setUint16(0x2e, options.subsystem?.id ?? options.deviceId, true);
  bytes[0x3d] = 1; // interrupt pin A
  const capabilities = [...(options.capabilities ?? [])];
  // First, so that its control word has a known place.
  if (options.msixVectors > 0) capabilities.unshift(MsixTable.capability(options.msixVectors));
  let at = FIRST_CAPABILITY;
  let pointer = CAPABILITIES_POINTER;
  for (const capability of capabilities) {
    bytes[pointer] = at;
    bytes.set(capability, at);
    pointer = at + 1;
    bytes[pointer] = 0;
    at = (at + capability.length + 3) & ~3;
  }
  if (capabilities.length > 0) view.setUint16(0x06, STATUS_CAPABILITIES_LIST, true);
  return [...bytes];
}
