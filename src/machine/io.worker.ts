/** The I/O worker: the iothread's event loop, the serving side of the devices, and the disks. */
import * as Comlink from "comlink";
import { createGuestMemory } from "../devices/guest_memory.ts";
import type { IoFaults } from "../devices/nvme/faults/io_faults.ts";
import type { ArmedRule, FaultReport } from "../devices/nvme/faults/rules.ts";
import { AioContext } from "../eventloop/aio_context.ts";
import { createEventLoopTurn } from "../eventloop/turn.ts";
import { DiskSet } from "./disk_set.ts";
import { ioFaultsOf, mergeReports, NO_MACHINE } from "./fault_injection.ts";
import type { IoWorkerApi, IoWorkerConfig } from "./protocol.ts";
import { reportRejections } from "./report.ts";
import { abandon, createServers, type DeviceStates, openStates, serversOf } from "./servers.ts";
import { announceWorker } from "./worker_life.ts";

const turn = createEventLoopTurn(new MessageChannel());

class IoWorker extends DiskSet implements IoWorkerApi {
  #context: AioContext | undefined;
  #states: DeviceStates | undefined;
  #faults: IoFaults | undefined;
  #running: Promise<void> = Promise.resolve();

  async attach({ ram, devices, pollMaxUs, stronglyOrderedHost }: IoWorkerConfig): Promise<void> {
    await this.detach();
    const states = openStates(devices);
    const context = new AioContext({
      notifier: states.signals.serverNotifier,
      turn,
      now: () => performance.now(),
      counters: states.signals.counters,
      trace: states.signals.serverTrace,
      pollMaxUs,
    });
    const memory = createGuestMemory(ram.buffer, ram.byteOffset, ram.byteLength);
    const servers = createServers(states, memory, this, stronglyOrderedHost);
    this.#faults = ioFaultsOf(servers.nvme, states);
    for (const server of serversOf(servers)) context.addHandler(server);
    this.#context = context;
    this.#states = states;
    this.#running = context.run().catch(reportError);
  }

  /** Ends the event loop of the machine before: from then on nothing of it touches its memory or the disks. */
  async detach(): Promise<void> {
    this.#context?.stop();
    this.#context = undefined;
    this.#faults?.set([]);
    this.#faults = undefined;
    await this.#running;
    if (this.#states) abandon(this.#states);
    this.#states = undefined;
  }

  async setFaults(armed: readonly ArmedRule[]): Promise<void> {
    if (!this.#faults) throw new Error(NO_MACHINE);
    this.#faults.set(armed);
  }

  async faultReport(): Promise<FaultReport> {
    return mergeReports(this.#faults ? [this.#faults.reported] : []);
  }

  override async wipe(names: readonly string[]): Promise<void> {
    await this.detach();
    await super.wipe(names);
  }

  override async close(): Promise<void> {
    await this.detach();
    await super.close();
  }
}

reportRejections();
Comlink.expose(new IoWorker());
announceWorker();
