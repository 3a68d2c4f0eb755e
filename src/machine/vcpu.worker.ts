/** The machine worker: v86, the controller's vCPU side, and the run loop between them. */
import * as Comlink from "comlink";
import wasmUrl from "v86/build/v86.wasm?gzip";
import { NvmeController } from "../devices/nvme/controller.ts";
import { MAX_IO_QUEUES, SharedState } from "../devices/nvme/shared_state.ts";
import { createEventLoopTurn } from "../eventloop/turn.ts";
import { DiskSet } from "./disk_set.ts";
import { gunzipIfPacked } from "./gunzip.ts";
import { controllerIdentity, PCI_DEVICE_ID } from "./identity.ts";
import {
  type GuestRam,
  type VcpuEvent,
  type VcpuWorkerApi,
  type VcpuWorkerConfig,
  WORKER_READY,
} from "./protocol.ts";
import { reportRejections } from "./report.ts";
import { serveHere } from "./serve_here.ts";
import { BootWatch } from "./v86/boot_watch.ts";
import { createEmulator, type Emulator } from "./v86/emulator.ts";
import { PciFunction } from "./v86/pci_function.ts";
import { RunLoop } from "./v86/run_loop.ts";
import { SerialPort } from "./v86/serial.ts";

/** PCI device number of the controller: one that v86 leaves free. */
const NVME_DEVICE = 0x0e;
/** Terminal output goes to the page about once a frame. */
const OUTPUT_INTERVAL_MS = 12;

const wasm = fetch(wasmUrl)
  .then(response => response.arrayBuffer())
  .then(async received => new Uint8Array(await gunzipIfPacked(new Uint8Array(received))));

class VcpuWorker extends DiskSet implements VcpuWorkerApi {
  #emulator: Emulator | undefined;

  async create(config: VcpuWorkerConfig, onEvent: (event: VcpuEvent) => void): Promise<GuestRam> {
    const shared = new SharedState(config.shared);
    const made = await createEmulator({
      ...config,
      wasm: await wasm,
      localApic: config.interrupts === "msix",
      onReboot: () => {
        void made.v86.stop();
        onEvent("reboot");
      },
    });
    this.#emulator = made;
    const { cpu, memory, v86 } = made;

    const server = serveHere(config, memory, shared, this.namespaces());
    const identity = controllerIdentity(config.shadowDoorbells);
    let pciFunction: PciFunction | undefined;
    const msixVectors = config.interrupts === "msix" ? MAX_IO_QUEUES + 1 : 0;
    const controller = new NvmeController({
      memory,
      shared,
      identity,
      namespaces: config.namespaces,
      msixVectors,
      shadowDoorbells: config.shadowDoorbells,
      host: {
        setInterruptPin: level => pciFunction?.setInterruptPin(level),
        notifyServer: server?.notify ?? (() => shared.serverNotifier.set()),
        msixEnabled: () => pciFunction?.msixEnabled ?? false,
        raiseVector: vector => pciFunction?.raiseVector(vector),
        memoryWritten: (start, end) => cpu.jit_dirty_cache(start, end),
        now: () => performance.now(),
      },
    });
    pciFunction = new PciFunction(cpu, {
      name: "nvme",
      device: NVME_DEVICE,
      vendorId: identity.vendorId,
      deviceId: PCI_DEVICE_ID,
      classCode: [0x01, 0x08, 0x02],
      mmio: controller,
      msixVectors,
    });

    const serialPorts = config.serialPorts.map((port, index) => {
      const serial = new SerialPort(v86, index as 0 | 1, bytes => port.postMessage(bytes, [bytes.buffer]));
      port.onmessage = (event: MessageEvent<Uint8Array>) => serial.send(event.data);
      return serial;
    });
    const watch = new BootWatch(cpu, shared.counters, onEvent);
    let lastOutput = 0;
    new RunLoop({
      emulator: v86,
      device: {
        safePoint(idle) {
          controller.safePoint(idle);
          pciFunction?.safePoint();
        },
        get hasWork() {
          return controller.hasWork;
        },
        get ioInFlight() {
          return controller.ioInFlight;
        },
      },
      notifier: shared.vcpuNotifier,
      turn: createEventLoopTurn(new MessageChannel()),
      counters: shared.counters,
      mainLoop: server,
      haltPollMaxUs: config.haltPollMaxUs,
      onHalted: () => onEvent("halted"),
      housekeeping: idle => {
        watch.look();
        for (const serial of serialPorts) serial.pump();
        const now = performance.now();
        if (!idle && now - lastOutput < OUTPUT_INTERVAL_MS) return;
        lastOutput = now;
        for (const serial of serialPorts) serial.flush();
      },
    });
    return {
      buffer: memory.bytes.buffer as SharedArrayBuffer,
      byteOffset: memory.bytes.byteOffset,
      byteLength: memory.byteLength,
    };
  }

  async run(): Promise<void> {
    if (!this.#emulator) throw new Error("run() before create()");
    await this.#emulator.v86.run();
  }
}

reportRejections();
Comlink.expose(new VcpuWorker());
postMessage(WORKER_READY);
