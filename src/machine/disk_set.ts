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

  /** Calls that change what is open come one after the other, however they overlap. */
  #last: Promise<unknown> = Promise.resolve();

  open(configs: readonly DiskConfig[]) {
    return this.#oneByOne(() => this.#openAll(configs));
  }

  seed(name: string, image: ArrayBuffer, sha256: string) {
    return this.#oneByOne(() => this.#seed(name, image, sha256));
  }

  wipe(names: readonly string[]) {
    return this.#oneByOne(() => this.#wipe(names));
  }

  close() {
    return this.#oneByOne(() => this.#close());
  }

  #oneByOne<T>(call: () => Promise<T>): Promise<T> {
    const result = this.#last.then(call);
    this.#last = result.catch(() => {});
    return result;
  }

  async #openAll(configs: readonly DiskConfig[]) {
    const opened = await Promise.all(configs.map(config => this.#open(config)));
    return opened.map(attached => ({
      namespace: namespaceInfo(attached),
      seeded: attached.disk.seededSha256 !== undefined,
    }));
  }

  async #seed(name: string, image: ArrayBuffer, sha256: string) {
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
        ...failureOf(disk),
      };
    });
  }

  async #wipe(names: readonly string[]) {
    for (const name of names) {
      const attached = this.#disks.get(name);
      this.#disks.delete(name);
      // What could not be saved any more is about to be deleted anyway.
      await attached?.disk.close().catch(() => {});
      await wipeDisk(name);
    }
  }

  async #close() {
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
    // The browser may have closed or deleted its database: then it is opened anew.
    if (!attached?.disk.isOpen) {
      await attached?.disk.close().catch(() => {});
      attached = { nsid, disk: await Disk.open(name, { create: { capacityBytes: byteLength } }) };
      this.#disks.set(name, attached);
    }
    return attached;
  }
}

function failureOf(disk: Disk): { readonly failure?: string } {
  const { failure } = disk.cache;
  if (!failure) return {};
  return {
    failure:
      failure.kind === "no-space"
        ? `The browser gives no more room for the ${disk.name} disk: what was written last is not saved. Free space on this computer, or delete files in Linux and run fstrim.`
        : `What was written last to the ${disk.name} disk could not be saved: ${failure.message}`,
  };
}

function namespaceInfo({ nsid, disk }: Attached): NamespaceInfo {
  return { nsid, lbaShift: LBA_SHIFT, blocks: disk.cache.byteLength / 2 ** LBA_SHIFT, nguid: nguid(nsid) };
}
