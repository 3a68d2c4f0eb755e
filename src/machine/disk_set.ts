import type { Namespace, NamespaceInfo } from "../devices/nvme/namespace.ts";
import type { VirtioDiskInfo } from "../devices/virtio/disk_info.ts";
import type { BlockDevice } from "../storage/block_device.ts";
import { Disk, wipeDisk } from "../storage/disk.ts";
import { seedDisk } from "../storage/seed.ts";
import { nguid, virtioIdentity } from "./identity.ts";
import type { DiskApi, DiskConfig, DiskRole, OpenMode } from "./protocol.ts";
import { scratchPaths } from "./scratch.ts";

interface Attached {
  readonly role: DiskRole;
  readonly readOnly: boolean;
  readonly disk: Disk;
}

/** The disks of a machine, in the worker that serves its I/O. */
export class DiskSet implements DiskApi {
  readonly #disks = new Map<string, Attached>();

  /** Calls that change what is open come one after the other, however they overlap. */
  #last: Promise<unknown> = Promise.resolve();

  open(configs: readonly DiskConfig[], mode: OpenMode, onStolen: () => void) {
    return this.#oneByOne(() => this.#openAll(configs, mode, onStolen));
  }

  async flush() {
    await Promise.all(Array.from(this.#disks.values(), ({ disk }) => disk.cache.flush()));
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

  async #openAll(configs: readonly DiskConfig[], mode: OpenMode, onStolen: () => void) {
    const results = await Promise.allSettled(configs.map(config => this.#open(config, mode, onStolen)));
    const failed = results.find(result => result.status === "rejected");
    if (failed) {
      // None is kept from other tabs by a machine that cannot run.
      await this.#close().catch(() => {});
      throw failed.reason;
    }
    const opened = results.flatMap(result => (result.status === "fulfilled" ? [result.value] : []));
    return opened.map(({ role, disk }) => ({
      ...(role.on === "nvme"
        ? { namespace: namespaceInfo(role.nsid, disk) }
        : { virtio: virtioInfo(role.on, disk) }),
      seeded: disk.seededSha256 !== undefined,
    }));
  }

  async #seed(name: string, image: ArrayBuffer, sha256: string) {
    const attached = this.#disks.get(name);
    if (!attached) throw new Error(`disk ${name} is not open`);
    await seedDisk(attached.disk, new Uint8Array(image), sha256);
  }

  async status() {
    return Array.from(this.#disks.values(), ({ role, disk }) => {
      const counters = disk.cache.counters();
      return {
        name: disk.name,
        path: role.on === "nvme" ? `/dev/nvme0n${role.nsid}` : scratchPaths[role.on],
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

  /** The open disks that are namespaces of the controller. */
  namespaces(): Namespace[] {
    return Array.from(this.#disks.values()).flatMap(({ role, disk }) =>
      role.on === "nvme" ? [{ ...namespaceInfo(role.nsid, disk), disk: disk.cache }] : [],
    );
  }

  /** The open disk that hangs on a virtio device. */
  virtioDisk(): { readonly info: VirtioDiskInfo; readonly disk: BlockDevice } | undefined {
    for (const { role, disk } of this.#disks.values()) {
      if (role.on !== "nvme") return { info: virtioInfo(role.on, disk), disk: disk.cache };
    }
    return undefined;
  }

  async #open(config: DiskConfig, { readOnly, steal }: OpenMode, onStolen: () => void): Promise<Attached> {
    const { name, role, byteLength } = config;
    let attached = this.#disks.get(name);
    // The browser may have closed or deleted its database: then it is opened anew.
    if (!attached?.disk.isOpen || attached.readOnly !== readOnly) {
      await attached?.disk.close().catch(() => {});
      this.#disks.delete(name);
      const create = { capacityBytes: byteLength };
      const disk = readOnly
        ? await Disk.openCopy(name, { create })
        : await Disk.open(name, { create, steal, onStolen });
      attached = { role, readOnly, disk };
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

function geometry(disk: Disk) {
  const { capacityBytes, lbaBytes } = disk.describe();
  return { lbaShift: Math.log2(lbaBytes), blocks: capacityBytes / lbaBytes };
}

function namespaceInfo(nsid: number, disk: Disk): NamespaceInfo {
  return { nsid, ...geometry(disk), nguid: nguid(nsid) };
}

function virtioInfo(on: "virtio-blk" | "virtio-scsi", disk: Disk): VirtioDiskInfo {
  return { ...virtioIdentity, type: on === "virtio-blk" ? "block" : "scsi", ...geometry(disk) };
}
