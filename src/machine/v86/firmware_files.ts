/**
 * What the firmware is told through QEMU's fw_cfg device (docs/specs/fw_cfg in QEMU), which v86 has for the firmware's
 * sake: named files, read by SeaBIOS as `romfile`s (docs/Runtime_config in SeaBIOS).
 */
import type { V86Cpu } from "./seams.ts";

export interface FirmwareFile {
  /** At most 55 characters: an entry of the directory has 56 bytes for it. */
  readonly name: string;
  readonly data: Uint8Array;
}

const COM1 = 0x3f8;
/** For ESC, which gives a choice of all disks. */
const MENU_WAIT_MS = 1000;

/**
 * For a boot from the disks of PCI device `device` (on bus 0): they come first, and what the firmware and boot loaders
 * show on the screen, and read from the keyboard, goes over the first serial port as well. There is no screen to see.
 */
export function diskBootFiles(device: number): readonly FirmwareFile[] {
  return [
    // Paths as Open Firmware writes them, one a line, ended as a C string.
    { name: "bootorder", data: new TextEncoder().encode(`/pci@i0cf8/*@${device.toString(16)}\n\0`) },
    { name: "etc/sercon-port", data: word(COM1) },
    { name: "etc/show-boot-menu", data: word(1) },
    { name: "etc/boot-menu-wait", data: word(MENU_WAIT_MS) },
  ];
}

/** For a machine whose screen is seen: only a short wait for ESC. */
export function menuFiles(): readonly FirmwareFile[] {
  return [
    { name: "etc/show-boot-menu", data: word(1) },
    { name: "etc/boot-menu-wait", data: word(MENU_WAIT_MS) },
  ];
}

/** Numbers are little-endian, of any size. */
const word = (value: number): Uint8Array => Uint8Array.of(value & 0xff, value >>> 8);

/** Before the guest runs: adds files to v86's fw_cfg, which calls them option ROMs. */
export function offerFirmwareFiles(cpu: Pick<V86Cpu, "option_roms">, files: readonly FirmwareFile[]): void {
  cpu.option_roms.push(...files);
}
