/** From what is kept of a machine, or what a link says, to the settings that start it. */
import type { InterruptKind, MachineSettings } from "../../machine/api.ts";
import type { BootDevice, DiskBus, OwnMachine } from "../../machine/own/own_machine.ts";
import { defaultSettings } from "../settings.ts";

export const diskBuses: readonly DiskBus[] = ["nvme", "virtio", "ide"];
export const bootDevices: readonly BootDevice[] = ["floppy", "cdrom", "disk"];
/** In MiB. Old systems are content with little, and some of them fail with much. */
export const MEMORY = { least: 4, most: 2048, initial: 256 } as const;

export interface OwnMachineOptions {
  readonly memoryMiB: number;
  /** "msix" gives the machine ACPI and APICs as well, which old systems may not like. */
  readonly interrupts: InterruptKind;
}

export function ownSettings(
  own: OwnMachine,
  { memoryMiB, interrupts }: OwnMachineOptions,
  base: MachineSettings = defaultSettings,
): MachineSettings {
  return {
    ...base,
    diskAccess: "own",
    memoryMiB,
    interrupts,
    boot: "disk",
    scratch: "nvme",
    kernelArguments: "",
    // v86's IDE drives are in the vCPU's thread, and so must their disks be.
    serving: own.bus === "ide" && base.serving !== "mmio" ? "mainloop" : base.serving,
    own: { ...own, bootOrder: own.bootOrder.filter(device => has(own, device)) },
  };
}

/** A drive with nothing in it only costs the firmware's patience. */
function has({ floppy, cdrom, disks }: OwnMachine, device: BootDevice): boolean {
  switch (device) {
    case "floppy":
      return floppy !== undefined;
    case "cdrom":
      return cdrom !== undefined;
    case "disk":
      return disks.length > 0;
  }
}
