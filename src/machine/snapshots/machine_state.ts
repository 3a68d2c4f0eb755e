/** What a snapshot holds of a machine, taken and put back in the vCPU thread, between two stretches of guest code. */
import type { ControllerState } from "../../devices/nvme/controller_state.ts";
import type { VirtioState } from "../../devices/virtio/device_state.ts";
import type { SenseState } from "../v86/ide_state.ts";
import type { InputState } from "../v86/input_devices.ts";
import type { PciFunctionState } from "../v86/pci_function.ts";

/** Plain data: it goes into a file as JSON. */
export interface MachineDevices {
  /** The guest's clock, in milliseconds. */
  readonly clockMs: number;
  readonly nvme: { readonly controller: ControllerState; readonly pci: PciFunctionState };
  /** Of a machine that has a virtio device. */
  readonly virtio?: { readonly device: VirtioState; readonly pci: PciFunctionState } | undefined;
  /** Of each serial port: bytes that the guest has not read yet. */
  readonly serialInput: readonly (readonly number[])[];
  /** Of keyboard and mouse, and of the CD drive. Absent in older snapshots: nothing waited, and nothing had failed. */
  readonly input?: InputState | undefined;
  readonly sense?: SenseState | undefined;
}

export interface MachineStateBytes {
  readonly devices: MachineDevices;
  /** What v86 saves: CPU, memory, and its own devices. */
  readonly v86: ArrayBuffer;
}

/** A device whose state goes into a snapshot. */
export interface Savable<State> {
  /** What is under way that cannot be saved, as the end of "it is busy with …". */
  readonly busyWith: string | undefined;
  save(): State;
  /** Into a device that is as new; the guest's memory and configuration space are as they were. */
  restore(state: State): void;
}
