import type { Namespace, NamespaceInfo } from "../devices/nvme/namespace.ts";
import { Disk, wipeDisk } from "../storage/disk.ts";
import { seedDisk } from "../storage/seed.ts";
import { nguid } from "./identity.ts";
import type { DiskApi, DiskConfig } from "./protocol.ts";

const LBA_SHIFT = 9;

interface Attached {
  readonly nsid: number;
  readonly disk: Disk;
}

/** The disks of a machine, in the worker that serves its I/O. */
export class DiskSet implements DiskApi {
  readonly #disks = new Map<string, Attached>();

  async open(configs: readonly DiskConfig[]) {
    const opened = await Promise.all(configs.map(config => this.#open(config)));
    return opened.map(attached => ({
      namespace: namespaceInfo(attached),
      seeded: attached.disk.seededSha256 !== undefined,
    }));
  }

  async seed(name: string, image: ArrayBuffer, sha256: string) {
    const attached = this.#disks.get(name);
    if (!attached) throw new Error(`disk ${name} is not open`);
    await seedDisk(attached.disk, new Uint8Array(image), sha256);
  }

  async status() {
    return Array.from(this.#disks.values(), ({ nsid, disk }) => {
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
  }

  async wipe(names: readonly string[]) {
    for (const name of names) {
      const attached = this.#disks.get(name);
      this.#disks.delete(name);
      // What could not be saved any more is about to be deleted anyway.
      await attached?.disk.close().catch(() => {});
      await wipeDisk(name);
    }
  }

  async close() {
    const closing = Array.from(this.#disks.values(), ({ disk }) => disk.close());
    this.#disks.clear();
    await Promise.all(closing);
  }

  /** The open disks as namespaces of a controller. */
  namespaces(): Namespace[] {
    return Array.from(this.#disks.values(), attached => ({
      ...namespaceInfo(attached),
      disk: attached.disk.cache,
    }));
  }

  async #open({ name, nsid, byteLength }: DiskConfig): Promise<Attached> {
    let attached = this.#disks.get(name);
    if (!attached) {
      attached = { nsid, disk: await Disk.open(name, { create: { capacityBytes: byteLength } }) };
      this.#disks.set(name, attached);
    }
    return attached;
  }
}

function namespaceInfo({ nsid, disk }: Attached): NamespaceInfo {
  return { nsid, lbaShift: LBA_SHIFT, blocks: disk.cache.byteLength / 2 ** LBA_SHIFT, nguid: nguid(nsid) };
}
