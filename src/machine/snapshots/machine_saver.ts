import type { Emulator } from "../v86/emulator.ts";
import { ideBusyWith, restoreSense, saveSense } from "../v86/ide_state.ts";
import { override } from "../v86/override.ts";
import type { RunLoop } from "../v86/run_loop.ts";
import type { SerialPort } from "../v86/serial.ts";
import type { MachineDevices, MachineStateBytes, Savable } from "./machine_state.ts";

/** What is under way in the devices has this long to end, in milliseconds. */
const QUIET_LIMIT_MS = 10_000;
/** In a machine that has not run, memory is zero from here on: the firmware is below. */
const FIRMWARE_END = 1 << 20;

export interface MachineParts {
  readonly emulator: Emulator;
  readonly nvme: Savable<MachineDevices["nvme"]>;
  /** Undefined in a machine without a virtio device. */
  readonly virtio: Savable<NonNullable<MachineDevices["virtio"]>> | undefined;
  readonly serialPorts: readonly SerialPort[];
  readonly runLoop: RunLoop;
}

/** Takes and puts back the state of a machine: the vCPU thread's part of a snapshot. */
export class MachineSaver {
  readonly #parts: MachineParts;

  constructor(parts: MachineParts) {
    this.#parts = parts;
  }

  /** See VcpuWorkerApi.freeze. */
  async freeze(): Promise<string | undefined> {
    const { emulator, nvme, virtio, runLoop } = this.#parts;
    let busyWith: string | undefined = "another snapshot";
    const isQuiet = () => {
      busyWith = nvme.busyWith ?? virtio?.busyWith ?? ideBusyWith(emulator.v86);
      return busyWith === undefined;
    };
    return (await runLoop.freeze(isQuiet, QUIET_LIMIT_MS)) ? undefined : busyWith;
  }

  thaw(): void {
    this.#parts.runLoop.thaw();
  }

  /** While it is frozen. */
  async save(): Promise<MachineStateBytes> {
    const { emulator, nvme, virtio, serialPorts } = this.#parts;
    for (const port of serialPorts) port.flush();
    const devices: MachineDevices = {
      clockMs: emulator.clock.now(),
      nvme: nvme.save(),
      ...(virtio && { virtio: virtio.save() }),
      serialInput: serialPorts.map(port => port.save()),
      input: emulator.screen.input.save(),
      sense: saveSense(emulator.v86),
    };
    return { devices, v86: await emulator.v86.save_state() };
  }

  /** Into a machine that has not run; its clock goes on from the snapshot's already. */
  async restore({ devices, v86 }: MachineStateBytes): Promise<void> {
    const { emulator, nvme, virtio, serialPorts } = this.#parts;
    if ((virtio === undefined) !== (devices.virtio === undefined)) {
      throw new Error("The snapshot is damaged: its virtio device is not that of the machine. Delete it.");
    }
    const { cpu } = emulator;
    const zeroMemory = cpu.zero_memory;
    // v86 clears all memory first, and the operating system would have to give each page of it.
    const putBack = override(cpu, "zero_memory", (address, bytes) =>
      zeroMemory(address, Math.min(bytes, FIRMWARE_END)),
    );
    try {
      await emulator.v86.restore_state(v86);
    } finally {
      putBack();
    }
    nvme.restore(devices.nvme);
    if (devices.virtio) virtio?.restore(devices.virtio);
    for (const [i, port] of serialPorts.entries()) port.restore(devices.serialInput[i] ?? []);
    if (devices.input) emulator.screen.input.restore(devices.input);
    if (devices.sense) restoreSense(emulator.v86, devices.sense);
  }
}
