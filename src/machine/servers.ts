import type { GuestMemory } from "../devices/guest_memory.ts";
import { MachineSignals } from "../devices/machine_signals.ts";
import { IoServer } from "../devices/nvme/io/io_server.ts";
import { SharedState } from "../devices/nvme/shared_state.ts";
import { CommonControl } from "../devices/shared_device_state.ts";
import { VirtioServer } from "../devices/virtio/server.ts";
import { VirtioSharedState } from "../devices/virtio/shared_state.ts";
import type { AioHandler } from "../eventloop/aio_context.ts";
import type { DiskSet } from "./disk_set.ts";
import type { SharedDevices } from "./protocol.ts";
import { reportBug } from "./report.ts";

/** The shared state of a machine's devices, as one of its threads sees it. */
export interface DeviceStates {
  readonly signals: MachineSignals;
  readonly nvme: SharedState;
  /** Undefined in a machine without a virtio device. */
  readonly virtio: VirtioSharedState | undefined;
}

export function openStates({ signals: buffer, nvme, virtio }: SharedDevices): DeviceStates {
  const signals = new MachineSignals(buffer);
  return {
    signals,
    nvme: new SharedState(signals, nvme),
    virtio: virtio && new VirtioSharedState(signals, virtio),
  };
}

/** The serving side of each device. */
export interface DeviceServers {
  readonly nvme: IoServer;
  readonly virtio: VirtioServer | undefined;
}

export const serversOf = ({ nvme, virtio }: DeviceServers): readonly AioHandler[] =>
  virtio ? [nvme, virtio] : [nvme];

/**
 * The machine is gone, without a reset of its devices: commands of it that still wait for storage must not run any more,
 * or they would overwrite what the next machine has written since.
 */
export function abandon({ nvme, virtio }: DeviceStates): void {
  nvme.addControl(CommonControl.EPOCH);
  virtio?.addControl(CommonControl.EPOCH);
}

/** What the devices stand on. */
export type ServedDisks = Pick<DiskSet, "namespaces" | "virtioDisk">;

/** Makes the serving sides, in the thread that has the disks. */
export function createServers(
  { nvme, virtio }: DeviceStates,
  memory: GuestMemory,
  disks: ServedDisks,
  stronglyOrderedHost: boolean,
): DeviceServers {
  const common = { memory, stronglyOrderedHost, reportBug };
  const now = () => performance.now();
  const virtioDisk = disks.virtioDisk();
  return {
    nvme: new IoServer({ ...common, shared: nvme, store: disks.namespaces, now }),
    virtio: virtio && virtioDisk && new VirtioServer({ ...common, shared: virtio, ...virtioDisk }),
  };
}
