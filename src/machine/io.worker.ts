/** The I/O worker: the iothread's event loop, the serving side of the NVMe queues, and the disks. */
import * as Comlink from "comlink";
import { createGuestMemory } from "../devices/guest_memory.ts";
import { IoServer } from "../devices/nvme/io/io_server.ts";
import { SharedState } from "../devices/nvme/shared_state.ts";
import { AioContext } from "../eventloop/aio_context.ts";
import { createEventLoopTurn } from "../eventloop/turn.ts";
import { Disk, wipeDisk } from "../storage/disk.ts";
import { seedDisk } from "../storage/seed.ts";
import { nguid } from "./identity.ts";
import { type DiskConfig, type IoWorkerApi, WORKER_READY } from "./protocol.ts";

const LBA_SHIFT = 9;

interface AttachedDisk {
  readonly nsid: number;
  readonly disk: Disk;
}

const disks = new Map<string, AttachedDisk>();
const turn = createEventLoopTurn(new MessageChannel());
let context: AioContext | undefined;
let running: Promise<void> = Promise.resolve();

/** Ends the event loop of the machine before: from then on nothing touches its memory. */
async function detach(): Promise<void> {
  context?.stop();
  context = undefined;
  await running;
}

const namespaceInfo = ({ nsid, disk }: AttachedDisk) => ({
  nsid,
  lbaShift: LBA_SHIFT,
  blocks: disk.cache.byteLength / 2 ** LBA_SHIFT,
  nguid: nguid(nsid),
});

const api: IoWorkerApi = {
  async open(configs: readonly DiskConfig[]) {
    const opened = await Promise.all(
      configs.map(async ({ name, nsid, byteLength }) => {
        let attached = disks.get(name);
        if (!attached) {
          attached = { nsid, disk: await Disk.open(name, { create: { capacityBytes: byteLength } }) };
          disks.set(name, attached);
        }
        return attached;
      }),
    );
    return opened.map(attached => ({
      namespace: namespaceInfo(attached),
      seeded: attached.disk.seededSha256 !== undefined,
    }));
  },

  async seed(name, image, sha256) {
    const attached = disks.get(name);
    if (!attached) throw new Error(`disk ${name} is not open`);
    await seedDisk(attached.disk, new Uint8Array(image), sha256);
  },

  async attach({ ram, shared, pollMaxUs, stronglyOrderedHost }) {
    await detach();
    const state = new SharedState(shared);
    context = new AioContext({
      notifier: state.serverNotifier,
      turn,
      now: () => performance.now(),
      counters: state.counters,
      pollMaxUs,
    });
    context.addHandler(
      new IoServer({
        memory: createGuestMemory(ram.buffer, ram.byteOffset, ram.byteLength),
        shared: state,
        namespaces: Array.from(disks.values(), attached => ({
          ...namespaceInfo(attached),
          disk: attached.disk.cache,
        })),
        stronglyOrderedHost,
        reportBug: error => console.error("NVMe command failed unexpectedly", error),
      }),
    );
    running = context.run();
  },

  async status() {
    return Array.from(disks.values(), ({ nsid, disk }) => {
      const counters = disk.cache.counters();
      return {
        name: disk.name,
        nsid,
        byteLength: disk.cache.byteLength,
        allocatedBytes: counters.allocatedBytes,
        dirtyBytes: counters.dirtyBytes,
        flushing: counters.pendingFlushes > 0,
      };
    });
  },

  async wipe(names) {
    await detach();
    for (const name of names) {
      const attached = disks.get(name);
      disks.delete(name);
      // What could not be saved any more is about to be deleted anyway.
      await attached?.disk.close().catch(() => {});
      await wipeDisk(name);
    }
  },

  async close() {
    await detach();
    const closing = Array.from(disks.values(), ({ disk }) => disk.close());
    disks.clear();
    await Promise.all(closing);
  },
};

Comlink.expose(api);
postMessage(WORKER_READY);
