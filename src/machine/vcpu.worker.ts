/** The machine worker: v86, the vCPU side of the devices, and the run loop between them. */
import * as Comlink from "comlink";
import wasmUrl from "v86/build/v86.wasm?gzip";
import type { ControllerFaults } from "../devices/nvme/faults/controller_faults.ts";
import type { IoFaults } from "../devices/nvme/faults/io_faults.ts";
import type { ArmedRule, FaultReport } from "../devices/nvme/faults/rules.ts";
import type { AioHandler } from "../eventloop/aio_context.ts";
import { createEventLoopTurn } from "../eventloop/turn.ts";
import { DiskSet } from "./disk_set.ts";
import { ioFaultsOf, mergeReports, NO_MACHINE } from "./fault_injection.ts";
import { gunzipIfPacked } from "./gunzip.ts";
import { openMedia } from "./own/open_media.ts";
import { NVME_DEVICE, plugNvme, plugVirtio } from "./plug.ts";
import type { GuestRam, VcpuEvent, VcpuWorkerApi, VcpuWorkerConfig } from "./protocol.ts";
import { reportRejections } from "./report.ts";
import { isServedByVcpu, serveHere } from "./serve_here.ts";
import { createServers, openStates, serversOf } from "./servers.ts";
import { MachineSaver } from "./snapshots/machine_saver.ts";
import { type SnapshotFront, writeSnapshot } from "./snapshots/snapshot_file.ts";
import { BootWatch } from "./v86/boot_watch.ts";
import { createEmulator, type Emulator } from "./v86/emulator.ts";
import { diskBootFiles, menuFiles } from "./v86/firmware_files.ts";
import { FirmwarePace } from "./v86/firmware_pace.ts";
import { explainGuestFaults } from "./v86/guest_faults.ts";
import { RunLoop } from "./v86/run_loop.ts";
import { SerialPort } from "./v86/serial.ts";
import { compileShared } from "./v86/shared_wasm.ts";
import { announceWorker } from "./worker_life.ts";

/** Terminal output goes to the page about once a frame. */
const OUTPUT_INTERVAL_MS = 12;

const wasm = fetch(wasmUrl)
  .then(response => response.arrayBuffer())
  .then(async received => new Uint8Array(await gunzipIfPacked(new Uint8Array(received))))
  // While the page opens disks and fetches images.
  .then(compileShared);

class VcpuWorker extends DiskSet implements VcpuWorkerApi {
  #emulator: Emulator | undefined;
  /** Of the controller, and of the I/O commands if they are served here. */
  #faults: readonly (ControllerFaults | IoFaults)[] = [];
  #saver: MachineSaver | undefined;

  async create(config: VcpuWorkerConfig, onEvent: (event: VcpuEvent) => void): Promise<GuestRam> {
    const states = openStates(config.devices);
    const { signals } = states;
    const { own } = config;
    const emulator = await createEmulator({
      ...config,
      wasm: await wasm,
      firmwareFiles: own ? menuFiles() : config.kernel || config.resume ? [] : diskBootFiles(NVME_DEVICE),
      media: own && (await openMedia(own, this.ideDisks())),
      screenPort: own?.screenPort,
      localApic: config.interrupts === "msix",
      clockMs: config.resume?.devices.clockMs,
      onReboot: () => {
        void emulator.v86.stop();
        onEvent("reboot");
      },
    });
    this.#emulator = emulator;
    const { cpu, memory, v86 } = emulator;
    explainGuestFaults(v86);

    // One thread: it sees the guest's stores in order.
    const servers = isServedByVcpu(config.serving) ? createServers(states, memory, this, true) : undefined;
    const here = servers && serveHere(config.serving, signals.serverNotifier, serversOf(servers));
    const notifierOf = (server: AioHandler | undefined) =>
      here && server ? () => here.notify(server) : () => void signals.serverNotifier.set();
    const firmwarePace = new FirmwarePace(cpu, signals.pace);
    const board = { emulator, config, states, firmwarePace };
    const virtio = plugVirtio(board, notifierOf(servers?.virtio));
    const nvme = plugNvme(board, notifierOf(servers?.nvme));
    const devices = [nvme.device, ...(virtio ? [virtio.device] : [])];
    this.#faults = [nvme.faults, ...(servers ? [ioFaultsOf(servers.nvme, states)] : [])];

    const serialPorts = config.serialPorts.map((port, index) => {
      const serial = new SerialPort(v86, index as 0 | 1, bytes => port.postMessage(bytes, [bytes.buffer]));
      // Firmware and boot loaders read what is typed, and do no flow control.
      if (!config.kernel && (own || !config.resume)) serial.flowControlled = () => !firmwarePace.isOn;
      port.onmessage = (event: MessageEvent<Uint8Array>) => serial.send(event.data);
      return serial;
    });
    const watch = new BootWatch(cpu, states.nvme.counters, stage => {
      if (stage !== "bootloader") firmwarePace.isOn = false;
      if (config.resume) return;
      if (stage !== "bootloader" || !config.kernel) onEvent(stage);
    });
    let lastOutput = 0;
    const runLoop = new RunLoop({
      emulator: v86,
      devices,
      notifier: signals.vcpuNotifier,
      turn: createEventLoopTurn(new MessageChannel()),
      counters: signals.counters,
      firmwarePace,
      pace: signals.pace,
      clock: emulator.clock,
      mainLoop: here,
      haltPollMaxUs: config.haltPollMaxUs,
      onHalted: () => onEvent("halted"),
      housekeeping: idle => {
        watch.look();
        emulator.screen.pump(idle);
        for (const serial of serialPorts) serial.pump();
        const now = performance.now();
        if (!idle && now - lastOutput < OUTPUT_INTERVAL_MS) return;
        lastOutput = now;
        for (const serial of serialPorts) serial.flush();
      },
    });
    this.#saver = new MachineSaver({
      emulator,
      nvme: nvme.savable,
      virtio: virtio?.savable,
      serialPorts,
      runLoop,
    });
    if (config.resume) {
      await this.#saver.restore(config.resume);
      servers?.nvme.resume();
      servers?.virtio?.resume();
      // In a machine of one's own a boot loader, or DOS, may have been running: whether a kernel does, the watch will see.
      if (!own) firmwarePace.isOn = false;
    }
    return {
      buffer: memory.bytes.buffer as SharedArrayBuffer,
      byteOffset: memory.bytes.byteOffset,
      byteLength: memory.byteLength,
    };
  }

  async setFaults(armed: readonly ArmedRule[]): Promise<void> {
    if (this.#faults.length === 0) throw new Error(NO_MACHINE);
    for (const faults of this.#faults) faults.set(armed);
  }

  async faultReport(): Promise<FaultReport> {
    return mergeReports(this.#faults.map(({ reported }) => reported));
  }

  async freeze(): Promise<string | undefined> {
    if (!this.#saver) throw new Error(NO_MACHINE);
    return await this.#saver.freeze();
  }

  async saveSnapshot(front: SnapshotFront): Promise<Blob> {
    if (!this.#saver) throw new Error(NO_MACHINE);
    return await writeSnapshot(front, await this.#saver.save());
  }

  async thaw(): Promise<void> {
    this.#saver?.thaw();
  }

  async run(): Promise<void> {
    if (!this.#emulator) throw new Error("run() before create()");
    await this.#emulator.v86.run();
  }
}

reportRejections();
Comlink.expose(new VcpuWorker());
announceWorker();
