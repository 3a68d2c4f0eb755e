import type { GuestMemory } from "../devices/guest_memory.ts";
import { MachineSignals } from "../devices/machine_signals.ts";
import type { ShadowExtension } from "../devices/nvme/admin/shadow_extension.ts";
import type { ControllerFaults } from "../devices/nvme/faults/controller_faults.ts";
import { SharedState } from "../devices/nvme/shared_state.ts";
import { CommonControl, type SharedDeviceState } from "../devices/shared_device_state.ts";
import type { VirtioDiskInfo } from "../devices/virtio/disk_info.ts";
import { VirtioSharedState } from "../devices/virtio/shared_state.ts";
import type { AioHandler } from "../eventloop/aio_context.ts";
import { createEventLoopTurn } from "../eventloop/turn.ts";
import type { InterruptKind, ServingMode } from "../machine/api.ts";
import { mayBlock } from "../machine/may_block.ts";
import { type Plugged, plugNvme, plugVirtio } from "../machine/plug.ts";
import { serveHere } from "../machine/serve_here.ts";
import type { DeviceStates } from "../machine/servers.ts";
import { BootWatch, type GuestStage } from "../machine/v86/boot_watch.ts";
import { FirmwarePace } from "../machine/v86/firmware_pace.ts";
import { GuestClock } from "../machine/v86/guest_clock.ts";
import { guestRam } from "../machine/v86/guest_ram.ts";
import { override } from "../machine/v86/override.ts";
import { RunLoop } from "../machine/v86/run_loop.ts";
import type { V86Emulator } from "../machine/v86/seams.ts";
import type { DiskHost } from "./disk_host.ts";

export interface GuestSideOptions {
  readonly emulator: V86Emulator;
  readonly serving: ServingMode;
  readonly interrupts: InterruptKind;
  readonly shadowDoorbells: ShadowExtension;
  readonly haltPollMaxUs: number;
  /** The device to plug in: a virtio device with this disk, or the NVMe controller. */
  readonly virtio: VirtioDiskInfo | undefined;
  /** Who serves the I/O in this thread; undefined with an iothread. */
  readonly host: DiskHost | undefined;
  readonly onStage: (stage: GuestStage) => void;
  readonly onReset: () => void;
}

/** After a reset of the machine the iothread is given so long to let go of the guest's memory. */
const QUIESCE_MS = 100;

/** The devices as the thread that runs the guest has them: registers, completions, interrupts, and the loop around v86. */
export class GuestSide {
  readonly states: DeviceStates;
  readonly memory: GuestMemory;
  /** Of the NVMe controller. */
  readonly faults: ControllerFaults | undefined;
  /** Undone in the end, the last one first. */
  readonly #undo: (() => void)[] = [];

  constructor(options: GuestSideOptions) {
    const { emulator, serving, host, virtio } = options;
    const { cpu } = emulator.v86;
    const signals = MachineSignals.create();
    const nvme = new SharedState(signals);
    this.states = { signals, nvme, virtio: virtio && new VirtioSharedState(signals) };
    this.memory = guestRam(cpu);
    const servers = host?.serveHere(this.states, this.memory);
    const here = servers && serveHere(serving, signals.serverNotifier, servers);
    const notify = (server: AioHandler | undefined) =>
      here && server ? () => here.notify(server) : () => void signals.serverNotifier.set();

    const clock = new GuestClock();
    const firmwarePace = new FirmwarePace(cpu, signals.pace);
    const board = {
      emulator: { cpu, memory: this.memory, clock },
      config: { ...options, disks: [{ seeded: false, ...(virtio && { virtio }) }] },
      states: this.states,
      firmwarePace,
    };
    let plugged: Plugged | undefined;
    if (virtio) {
      plugged = plugVirtio(board, notify(servers?.[1]));
    } else {
      const controller = plugNvme(board, notify(servers?.[0]));
      this.faults = controller.faults;
      plugged = controller;
    }
    if (!plugged) throw new Error("The device could not be plugged in.");
    const { device, reset, unplug } = plugged;
    this.#undo.push(unplug);

    const { counters } = virtio && this.states.virtio ? this.states.virtio : nvme;
    const newWatch = () =>
      new BootWatch(cpu, counters, stage => {
        if (stage !== "bootloader") firmwarePace.isOn = false;
        options.onStage(stage);
      });
    let watch = newWatch();
    const reboot = cpu.reboot_internal.bind(cpu);
    this.#undo.push(
      override(cpu, "reboot_internal", () => {
        reset();
        this.#quiesce(servers);
        firmwarePace.isOn = true;
        watch = newWatch();
        options.onReset();
        reboot();
      }),
    );
    const channel = new MessageChannel();
    this.#undo.push(() => channel.port1.close());
    const loop = new RunLoop({
      emulator,
      devices: [device],
      notifier: signals.vcpuNotifier,
      turn: createEventLoopTurn(channel),
      counters: signals.counters,
      mainLoop: here,
      firmwarePace,
      pace: signals.pace,
      clock,
      haltPollMaxUs: options.haltPollMaxUs,
      mayBlock: mayBlock(),
      housekeeping: () => watch.look(),
    });
    this.#undo.push(() => loop.end());
  }

  /** Off the bus. What is under way neither completes nor touches the guest any more. */
  end(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
  }

  /** Nothing of the life before the reset may touch the memory of the one after it. */
  #quiesce(servers: readonly AioHandler[] | undefined): void {
    const { nvme, virtio } = this.states;
    const isQuiet = (state: SharedDeviceState | undefined) =>
      !state || state.getControl(CommonControl.EPOCH_ACK) === state.getControl(CommonControl.EPOCH);
    const end = performance.now() + QUIESCE_MS;
    while (!(isQuiet(nvme) && isQuiet(virtio)) && performance.now() < end) {
      if (servers) for (const server of servers) server.ready();
    }
  }
}
