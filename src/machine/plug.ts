/** The devices, plugged into v86's PCI bus: what each needs of the machine, and what the run loop needs of it. */
import { NvmeController } from "../devices/nvme/controller.ts";
import type { ControllerFaults } from "../devices/nvme/faults/controller_faults.ts";
import { MAX_IO_QUEUES } from "../devices/nvme/shared_state.ts";
import { VirtioPciDevice } from "../devices/virtio/pci_device.ts";
import { controllerIdentity, PCI_DEVICE_ID } from "./identity.ts";
import type { VcpuWorkerConfig } from "./protocol.ts";
import type { DeviceStates } from "./servers.ts";
import type { MachineDevices, Savable } from "./snapshots/machine_state.ts";
import type { Emulator } from "./v86/emulator.ts";
import { ExitTimer } from "./v86/exit_timer.ts";
import type { FirmwarePace } from "./v86/firmware_pace.ts";
import { PciFunction, type PciFunctionOptions } from "./v86/pci_function.ts";
import type { SafePointDevice } from "./v86/run_loop.ts";

/**
 * PCI device numbers that v86 leaves free, and whose pins lead to different interrupts: v86 does not OR the levels of
 * a shared one.
 */
export const NVME_DEVICE = 0x0e;
const VIRTIO_DEVICE = 0x0f;

export interface Board {
  readonly emulator: Pick<Emulator, "cpu" | "memory" | "clock">;
  readonly config: Pick<VcpuWorkerConfig, "shadowDoorbells" | "interrupts" | "disks">;
  readonly states: DeviceStates;
  readonly firmwarePace: FirmwarePace;
}

/** A device that is on the bus. */
export interface Plugged {
  readonly device: SafePointDevice;
  /** The machine's own reset. */
  reset(): void;
  /** Takes it out, for good. */
  unplug(): void;
}

/** `notifyServer` is called when there is something for the device's serving side. */
export function plugNvme(
  board: Board,
  notifyServer: () => void,
): Plugged & { readonly faults: ControllerFaults; readonly savable: Savable<MachineDevices["nvme"]> } {
  const { emulator, config, states } = board;
  const { memory } = emulator;
  const identity = controllerIdentity(config.shadowDoorbells);
  const msixVectors = config.interrupts === "msix" ? MAX_IO_QUEUES + 1 : 0;
  const pci = lateFunction();
  const controller = new NvmeController({
    memory,
    shared: states.nvme,
    identity,
    msixVectors,
    shadowDoorbells: config.shadowDoorbells,
    clock: () => performance.timeOrigin + performance.now(),
    host: {
      ...deviceHost(board, pci),
      notifyServer,
      now: emulator.clock.now,
      setPresent: present => pci.plugged?.setPresent(present),
    },
  });
  const plugged = pci.plug(board, {
    name: "nvme",
    device: NVME_DEVICE,
    vendorId: identity.vendorId,
    deviceId: PCI_DEVICE_ID,
    classCode: [0x01, 0x08, 0x02],
    mmio: controller,
    msixVectors,
  });
  const savable: Savable<MachineDevices["nvme"]> = {
    get busyWith() {
      return controller.busyWith;
    },
    save: () => ({ controller: controller.save(), pci: plugged.save() }),
    restore(state) {
      plugged.restore(state.pci);
      controller.restore(state.controller);
    },
  };
  return { ...pluggedIn(controller, pci), faults: controller.faults, savable };
}

/** Undefined in a machine without a virtio device. */
export function plugVirtio(
  board: Board,
  notifyServer: () => void,
): (Plugged & { readonly savable: Savable<NonNullable<MachineDevices["virtio"]>> }) | undefined {
  const { emulator, config, states } = board;
  const info = config.disks.find(({ virtio }) => virtio)?.virtio;
  if (!info || !states.virtio) return undefined;
  const pci = lateFunction();
  const device = new VirtioPciDevice({
    memory: emulator.memory,
    shared: states.virtio,
    info,
    // The event index is to virtio what shadow doorbells are to NVMe.
    eventIdx: config.shadowDoorbells !== "off",
    msixVectors: config.interrupts === "msix" ? MSIX_VECTORS : 0,
    host: { ...deviceHost(board, pci), notifyServer },
  });
  const { pciIds } = device;
  const plugged = pci.plug(board, {
    name: `virtio-${info.type}`,
    device: VIRTIO_DEVICE,
    vendorId: pciIds.vendorId,
    deviceId: pciIds.deviceId,
    subsystem: { vendorId: pciIds.subsystemVendorId, id: pciIds.subsystemId },
    revisionId: pciIds.revisionId,
    classCode: device.classCode,
    mmio: device,
    msixVectors: config.interrupts === "msix" ? MSIX_VECTORS : 0,
    capabilities: device.pciCapabilities(),
  });
  const savable: Savable<NonNullable<MachineDevices["virtio"]>> = {
    get busyWith() {
      return device.busyWith;
    },
    save: () => ({ device: device.save(), pci: plugged.save() }),
    restore(state) {
      plugged.restore(state.pci);
      device.restore(state.device);
    },
  };
  return { ...pluggedIn(device, pci), savable };
}

/** One for configuration changes and one for each queue: SCSI has three. */
const MSIX_VECTORS = 4;

/** A device and its PCI function need each other: the device is made first, with this in the function's place. */
interface LateFunction {
  plug(board: Board, options: Omit<PciFunctionOptions, "exitTimer" | "afterWrite">): PciFunction;
  readonly plugged: PciFunction | undefined;
}

function lateFunction(): LateFunction {
  let plugged: PciFunction | undefined;
  return {
    plug({ emulator, states, firmwarePace }, options) {
      plugged = new PciFunction(emulator.cpu, {
        ...options,
        exitTimer: new ExitTimer(states.signals),
        afterWrite: () => firmwarePace.cut(),
      });
      return plugged;
    },
    get plugged() {
      return plugged;
    },
  };
}

/** What NVMe and virtio ask alike. */
function deviceHost({ emulator: { cpu } }: Board, pci: LateFunction) {
  return {
    setInterruptPin: (level: boolean) => pci.plugged?.setInterruptPin(level),
    msixEnabled: () => pci.plugged?.msixEnabled ?? false,
    raiseVector: (vector: number) => pci.plugged?.raiseVector(vector),
    memoryWritten: (start: number, end: number) => cpu.jit_dirty_cache(start, end),
  };
}

function pluggedIn(device: SafePointDevice & { reset(): void }, pci: LateFunction): Plugged {
  const reset = () => {
    device.reset();
    pci.plugged?.reset();
  };
  return {
    device: withMasks(device, pci),
    reset,
    unplug() {
      reset();
      pci.plugged?.unplug();
    },
  };
}

/** A device with its function: messages that were masked are looked at as well. */
function withMasks(device: SafePointDevice, pci: LateFunction): SafePointDevice {
  return {
    safePoint(idle) {
      device.safePoint(idle);
      pci.plugged?.safePoint();
    },
    get hasWork() {
      return device.hasWork;
    },
    get ioInFlight() {
      return device.ioInFlight;
    },
    get stepNeedsGuest() {
      return device.stepNeedsGuest;
    },
    get interruptDueInMs() {
      return device.interruptDueInMs;
    },
  };
}
