import type { NamespaceInfo } from "../devices/nvme/namespace.ts";
import {
  type AllocatedNamespace,
  NamespaceError,
  type NamespaceStore,
  type NamespaceUser,
  type NewNamespace,
} from "../devices/nvme/namespace_store.ts";
import type { LbaBytes } from "../storage/disk_store.ts";
import {
  type DiskEntry,
  isBuiltIn,
  isWhole,
  MAX_CAPACITY_BYTES,
  MIN_CAPACITY_BYTES,
} from "../storage/disks/disk_entry.ts";
import type { DiskLibrary } from "../storage/disks/disk_library.ts";
import { freeNsid, HIGHEST_NSID } from "../storage/disks/namespace_numbers.ts";
import { type Attached, openCatalogueDisk } from "./open_disks.ts";

/** What the namespaces need of the machine's disks. */
export interface NamespacesHost {
  readonly library: DiskLibrary;
  /** The disks that are open, by id. */
  readonly disks: Map<string, Attached>;
  /** Runs changes of what is open one after the other. */
  oneByOne<T>(change: () => Promise<T>): Promise<T>;
  /** Another tab has taken a disk away. */
  onStolen(): void;
}

/** The disks of a machine as the namespaces of its controller; the guest and the page attach, detach and make them. */
export class MachineNamespaces implements NamespaceStore {
  readonly highestNsid = HIGHEST_NSID;
  readonly #host: NamespacesHost;
  #user: NamespaceUser | undefined;
  /** Disks that the guest may attach. */
  #detached: readonly DiskEntry[] = [];
  /** Bytes that disks which are not open took when they were closed, by id. */
  readonly #usedBytes = new Map<string, number>();
  /** The machine works on copies of its own disks: there are no others, and none can be made. */
  #readOnly = true;

  constructor(host: NamespacesHost) {
    this.#host = host;
  }

  /** The machine's disks were opened: `entries` are those of the catalogue. */
  opened(entries: readonly DiskEntry[], readOnly: boolean): void {
    this.#readOnly = readOnly;
    this.#look(entries);
    this.#user?.changed();
  }

  /** The machine's disks are closed: from now on attaching is a thing of the catalogue alone. */
  closed(): void {
    this.#readOnly = true;
    this.#detached = [];
  }

  // --- For the page

  /** Puts a disk into the machine. Resolves to its namespace id; undefined where that waits for the next boot. */
  attachByName(name: string): Promise<number | undefined> {
    return this.#host.oneByOne(async () => {
      const { library, disks } = this.#host;
      const { id, attached } = await library.catalogue.find(name);
      if (this.#readOnly || disks.has(id)) {
        if (!attached) await library.setAttached(name, true);
        const role = disks.get(id)?.role;
        return role?.on === "nvme" ? role.nsid : undefined;
      }
      return await this.#attach(name, false);
    });
  }

  /** Takes a disk out of the machine. */
  detachByName(name: string): Promise<void> {
    return this.#host.oneByOne(async () => {
      const { library, disks } = this.#host;
      const { id } = await library.catalogue.find(name);
      const attached = disks.get(id);
      if (!attached || isBuiltIn(id)) await library.setAttached(name, false);
      else await this.#detach(id, attached, false);
      await this.#reread();
    });
  }

  /** The catalogue was changed by someone else. */
  refresh(): Promise<void> {
    return this.#host.oneByOne(async () => {
      if (!this.#readOnly) await this.#reread();
    });
  }

  // --- NamespaceStore

  list(): readonly AllocatedNamespace[] {
    const attached = [...this.#host.disks.values()].flatMap((each): AllocatedNamespace[] => {
      if (each.role.on !== "nvme") return [];
      const { device } = each;
      return [
        { ...namespaceInfo(each.role.nsid, each), allocatedBytes: device.allocatedBytes, disk: device },
      ];
    });
    const detached = this.#detached.map(
      ({ id, nsid = 0, nguid, lbaBytes, capacityBytes }): AllocatedNamespace => ({
        nsid,
        ...geometry(capacityBytes, lbaBytes),
        nguid,
        allocatedBytes: this.#usedBytes.get(id) ?? 0,
        disk: undefined,
      }),
    );
    return [...attached, ...detached];
  }

  use(user: NamespaceUser): void {
    this.#user = user;
  }

  /**
   * What the browser still gives, less what the namespaces are promised and do not take yet. Those that were not open
   * since the page was loaded count as if they took nothing: rather too little than too much.
   */
  async unallocatedBytes(): Promise<number> {
    if (this.#readOnly) return 0;
    const { quota = 0, usage = 0 } = await navigator.storage.estimate();
    const promised = this.list().reduce(
      (sum, { blocks, lbaShift, allocatedBytes }) =>
        sum + Math.max(0, blocks * 2 ** lbaShift - allocatedBytes),
      0,
    );
    return Math.max(0, quota - usage - promised);
  }

  create({ lbaShift, blocks }: NewNamespace): Promise<number> {
    return this.#change(async () => {
      const { library } = this.#host;
      const bytes = blocks * 2 ** lbaShift;
      if (bytes < MIN_CAPACITY_BYTES) throw new NamespaceError("too-small");
      if (bytes > MAX_CAPACITY_BYTES || bytes > (await this.unallocatedBytes())) {
        throw new NamespaceError("insufficient-capacity");
      }
      if (freeNsid(await library.catalogue.entries()) === undefined) {
        throw new NamespaceError("identifier-unavailable");
      }
      const { nsid = 0 } = await library.createNamespace(bytes, lbaBytesOf(lbaShift));
      await this.#reread();
      return nsid;
    });
  }

  delete(nsid: number): Promise<void> {
    return this.#change(async () => {
      const { library, disks } = this.#host;
      const { id, name } = await this.#find(nsid);
      const attached = disks.get(id);
      if (attached) {
        await this.#user?.withdraw(nsid);
        disks.delete(id);
        attached.disk.discard();
      }
      this.#usedBytes.delete(id);
      try {
        await library.remove(name);
      } finally {
        await this.#reread();
      }
    });
  }

  attach(nsid: number): Promise<void> {
    return this.#change(async () => {
      const { id, name } = await this.#find(nsid);
      if (this.#host.disks.has(id)) throw new NamespaceError("already-attached");
      await this.#attach(name, true);
    });
  }

  erase(nsid: number): Promise<void> {
    return this.#change(async () => {
      const { id, name } = await this.#find(nsid);
      if (this.#host.disks.has(id)) throw new NamespaceError("already-attached");
      await this.#host.library.wipe(name);
      this.#usedBytes.set(id, 0);
      this.#user?.changed();
    });
  }

  detach(nsid: number): Promise<void> {
    return this.#change(async () => {
      const { id } = await this.#find(nsid);
      const attached = this.#host.disks.get(id);
      if (!attached) throw new NamespaceError("not-attached");
      await this.#detach(id, attached, true);
    });
  }

  setLbaShift(nsid: number, lbaShift: number): Promise<void> {
    return this.#host.oneByOne(async () => {
      const attached = this.#attachedAs(nsid);
      if (!attached) throw new NamespaceError("not-attached");
      const lbaBytes = lbaBytesOf(lbaShift);
      await attached.disk.setLbaBytes(lbaBytes);
      if (!attached.readOnly) await this.recordLbaBytes(attached);
      this.#user?.changed();
    });
  }

  /** Has the catalogue say what the disk itself knows; if that fails, the next opening does it. */
  async recordLbaBytes({ disk }: Attached): Promise<void> {
    const { lbaBytes } = disk.describe();
    await this.#host.library.catalogue.update(disk.name, () => ({ lbaBytes })).catch(() => {});
  }

  // --- The work

  /** A change that a guest asks for: not of copies. */
  #change<T>(change: () => Promise<T>): Promise<T> {
    return this.#host.oneByOne(async () => {
      if (this.#readOnly) throw new NamespaceError("protected");
      return await change();
    });
  }

  /** The entry of a namespace that may be changed. */
  async #find(nsid: number): Promise<DiskEntry> {
    const id = this.#attachedAs(nsid)?.disk.name;
    if (id !== undefined && isBuiltIn(id)) throw new NamespaceError("protected");
    const entries = await this.#host.library.catalogue.entries();
    const entry = entries.find(each =>
      id === undefined ? each.allocated && each.nsid === nsid : each.id === id,
    );
    if (!entry || !isWhole(entry)) throw new NamespaceError("not-allocated");
    return entry;
  }

  #attachedAs(nsid: number): Attached | undefined {
    return [...this.#host.disks.values()].find(({ role }) => role.on === "nvme" && role.nsid === nsid);
  }

  /** `allocated`: whether it was within the guest's reach, and is again when it cannot be attached. */
  async #attach(name: string, allocated: boolean): Promise<number> {
    const { library, disks } = this.#host;
    const entry = await library.setAttached(name, true);
    const { id, nsid } = entry;
    try {
      if (nsid === undefined) throw new NamespaceError("identifier-unavailable");
      const taking = { onStolen: () => this.#host.onStolen() };
      const attached = await openCatalogueDisk(library.catalogue, entry, nsid, undefined, taking);
      disks.set(id, attached);
      if (attached.disk.describe().lbaBytes !== entry.lbaBytes) await this.recordLbaBytes(attached);
      return nsid;
    } catch (error) {
      await library.setAttached(name, false, allocated).catch(() => {});
      throw error;
    } finally {
      await this.#reread();
    }
  }

  /** `allocated`: whether it stays within the guest's reach. */
  async #detach(id: string, attached: Attached, allocated: boolean): Promise<void> {
    const { library, disks } = this.#host;
    const { disk, name, role } = attached;
    if (role.on === "nvme") await this.#user?.withdraw(role.nsid);
    try {
      // One whose storage is gone cannot be saved any more.
      if (disk.isOpen) await disk.cache.flush();
      await library.setAttached(name, false, allocated);
      this.#usedBytes.set(id, disk.cache.allocatedBytes);
      disks.delete(id);
      // Everything is saved.
      await disk.close().catch(() => {});
    } finally {
      await this.#reread();
    }
  }

  /** Never rejects: what cannot be read now is as it was. */
  async #reread(): Promise<void> {
    const entries = await this.#host.library.catalogue.entries().catch(() => undefined);
    if (entries) this.#look(entries);
    this.#user?.changed();
  }

  #look(entries: readonly DiskEntry[]): void {
    const isDetached = ({ id, nsid, allocated }: DiskEntry) =>
      allocated === true && nsid !== undefined && !this.#host.disks.has(id);
    this.#detached = this.#readOnly ? [] : entries.filter(entry => isWhole(entry) && isDetached(entry));
  }
}

const lbaBytesOf = (lbaShift: number): LbaBytes => (lbaShift === 12 ? 4096 : 512);

/** A disk whose size is no multiple of the block has an end that cannot be reached. */
export function geometry(capacityBytes: number, lbaBytes: LbaBytes) {
  return { lbaShift: Math.log2(lbaBytes), blocks: Math.floor(capacityBytes / lbaBytes) };
}

function namespaceInfo(nsid: number, { disk, capacityBytes, nguid }: Attached): NamespaceInfo {
  return { nsid, ...geometry(capacityBytes, disk.describe().lbaBytes), nguid };
}
