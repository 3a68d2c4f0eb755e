import { createGuestMemory, type GuestMemory } from "../devices/guest_memory.ts";
import type { IoFaults } from "../devices/nvme/faults/io_faults.ts";
import type { ArmedRule, FaultReport } from "../devices/nvme/faults/rules.ts";
import type { VirtioDiskInfo } from "../devices/virtio/disk_info.ts";
import { AioContext, type AioHandler } from "../eventloop/aio_context.ts";
import { createEventLoopTurn } from "../eventloop/turn.ts";
import { ioFaultsOf, mergeReports } from "../machine/fault_injection.ts";
import type { FaultApi, GuestRam, IoWorkerConfig } from "../machine/protocol.ts";
import { abandon, createServers, type DeviceStates, openStates, serversOf } from "../machine/servers.ts";
import type { BlockBackend } from "../storage/block_backend.ts";
import type { LbaBytes } from "../storage/disk_store.ts";
import { AttachedDisks, type PlacedDisk, virtioInfo } from "./attached_disks.ts";
import type { BuiltInDisk } from "./backends.ts";
import { openDisk } from "./open_disk.ts";
import { type RemoteBackend, useBackend } from "./remote_backend.ts";

/** What is to be opened; plain data but for the port of a backend that is elsewhere. */
export interface DiskRequest {
  readonly place: PlacedDisk["place"];
  /** A BlockBackend only within one thread. */
  readonly backend: BuiltInDisk | RemoteBackend | BlockBackend;
  readonly lbaBytes: LbaBytes;
  readonly cacheBytes: number | undefined;
}

/** How an attached disk fares. Sizes in bytes. */
export interface DiskState {
  /** Its namespace id; undefined for the disk of a virtio device. */
  readonly nsid: number | undefined;
  readonly capacityBytes: number;
  /** Logical block size. */
  readonly lbaBytes: number;
  /** What it takes in storage or in the cache. */
  readonly allocatedBytes: number;
  /** Written by the guest and not durable yet. */
  readonly dirtyBytes: number;
  readonly flushing: boolean;
  /** Why what was written last could not be saved; it is tried again, and nothing is lost meanwhile. */
  readonly failure: string | undefined;
}

/** The disks, in whichever thread serves their I/O. */
export interface DiskHostApi extends FaultApi {
  /** All or none. Resolves to what a virtio device must know of its disk. */
  open(requests: readonly DiskRequest[], onStolen: () => void): Promise<VirtioDiskInfo | undefined>;
  /** Starts the iothread's event loop. */
  serve(config: IoWorkerConfig): Promise<void>;
  states(): Promise<readonly DiskState[]>;
  flush(): Promise<void>;
  /** Serves no machine any more, flushes and closes all. Rejects when something could not be saved. */
  close(): Promise<void>;
}

/** Opens disks and serves a machine's I/O queues from them. */
export class DiskHost implements DiskHostApi {
  #disks: readonly PlacedDisk[] = [];
  #states: DeviceStates | undefined;
  #faults: IoFaults | undefined;
  #context: AioContext | undefined;
  #running: Promise<void> = Promise.resolve();

  async open(requests: readonly DiskRequest[], onStolen: () => void): Promise<VirtioDiskInfo | undefined> {
    const results = await Promise.allSettled(
      requests.map(async ({ place, backend, lbaBytes, cacheBytes }): Promise<PlacedDisk> => {
        const options = { lbaBytes, cache: cacheBytes === undefined ? {} : { cacheBytes }, onStolen };
        return { place, disk: await openDisk("port" in backend ? useBackend(backend) : backend, options) };
      }),
    );
    this.#disks = results.flatMap(result => (result.status === "fulfilled" ? [result.value] : []));
    const failed = results.find(result => result.status === "rejected");
    if (failed) {
      await this.close().catch(() => {});
      throw failed.reason;
    }
    for (const { disk, place } of this.#disks) if (typeof place === "string") return virtioInfo(disk, place);
    return undefined;
  }

  /** The serving sides, for the thread that runs the guest. */
  serveHere(states: DeviceStates, memory: GuestMemory): readonly AioHandler[] {
    return this.#createServers(states, memory, true);
  }

  async serve({ ram, devices, pollMaxUs, stronglyOrderedHost }: IoWorkerConfig): Promise<void> {
    const states = openStates(devices);
    const context = new AioContext({
      notifier: states.signals.serverNotifier,
      turn: createEventLoopTurn(new MessageChannel()),
      now: () => performance.now(),
      counters: states.signals.counters,
      trace: states.signals.serverTrace,
      pollMaxUs,
    });
    for (const server of this.#createServers(states, memoryOf(ram), stronglyOrderedHost)) {
      context.addHandler(server);
    }
    this.#context = context;
    this.#running = context.run().catch(reportError);
  }

  #createServers(states: DeviceStates, memory: GuestMemory, ordered: boolean): readonly AioHandler[] {
    const servers = createServers(states, memory, new AttachedDisks(this.#disks), ordered);
    this.#states = states;
    this.#faults = ioFaultsOf(servers.nvme, states);
    return serversOf(servers);
  }

  async setFaults(armed: readonly ArmedRule[]): Promise<void> {
    this.#faults?.set(armed);
  }

  async faultReport(): Promise<FaultReport> {
    return mergeReports(this.#faults ? [this.#faults.reported] : []);
  }

  async states(): Promise<readonly DiskState[]> {
    return this.#disks.map(({ place, disk }) => {
      const { cache, lbaBytes } = disk;
      const { allocatedBytes, dirtyBytes, pendingFlushes } = cache.counters();
      return {
        nsid: typeof place === "number" ? place : undefined,
        capacityBytes: cache.byteLength,
        lbaBytes,
        allocatedBytes,
        dirtyBytes,
        flushing: pendingFlushes > 0,
        failure: cache.failure?.message,
      };
    });
  }

  async flush(): Promise<void> {
    await Promise.all(this.#disks.map(({ disk }) => disk.cache.flush()));
  }

  async close(): Promise<void> {
    this.#context?.stop();
    this.#context = undefined;
    this.#faults?.set([]);
    this.#faults = undefined;
    await this.#running;
    if (this.#states) abandon(this.#states);
    this.#states = undefined;
    const disks = this.#disks;
    this.#disks = [];
    const results = await Promise.allSettled(disks.map(({ disk }) => disk.close()));
    const failed = results.find(result => result.status === "rejected");
    if (failed) throw failed.reason;
  }
}

const memoryOf = ({ buffer, byteOffset, byteLength }: GuestRam): GuestMemory =>
  createGuestMemory(buffer, byteOffset, byteLength);
