import {
  type AllocatedNamespace,
  NamespaceError,
  type NamespaceStore,
  type NamespaceUser,
} from "../devices/nvme/namespace_store.ts";
import { MAX_NAMESPACES } from "../devices/nvme/shared_state.ts";
import type { VirtioDiskInfo } from "../devices/virtio/disk_info.ts";
import { nguid, virtioIdentity } from "../machine/identity.ts";
import type { ServedDisks } from "../machine/servers.ts";
import type { BlockDevice } from "../storage/block_device.ts";
import type { LbaBytes } from "../storage/disk_store.ts";
import type { OpenDisk } from "./open_disk.ts";

/** A disk with its place in the guest: a namespace id, or the type of the virtio device. */
export interface PlacedDisk {
  readonly disk: OpenDisk;
  readonly place: number | VirtioDiskInfo["type"];
}

/** The disks that were attached, as the devices' serving sides see them. None comes or goes while they are served. */
export class AttachedDisks implements ServedDisks {
  readonly namespaces: NamespaceStore;
  readonly #disks: readonly PlacedDisk[];

  constructor(disks: readonly PlacedDisk[]) {
    this.#disks = disks;
    this.namespaces = new FixedNamespaces(
      new Map(disks.flatMap(({ disk, place }) => (typeof place === "number" ? [[place, disk]] : []))),
    );
  }

  virtioDisk(): { readonly info: VirtioDiskInfo; readonly disk: BlockDevice } | undefined {
    for (const { disk, place } of this.#disks) {
      if (typeof place === "string") return { info: virtioInfo(disk, place), disk: disk.cache };
    }
    return undefined;
  }
}

export function virtioInfo(disk: OpenDisk, type: VirtioDiskInfo["type"]): VirtioDiskInfo {
  return { ...virtioIdentity, type, ...geometry(disk) };
}

function geometry({ cache, lbaBytes }: OpenDisk) {
  return { lbaShift: Math.log2(lbaBytes), blocks: Math.floor(cache.byteLength / lbaBytes) };
}

/** Namespaces that the guest may format, but neither make nor remove. */
class FixedNamespaces implements NamespaceStore {
  readonly highestNsid = MAX_NAMESPACES;
  readonly #disks: ReadonlyMap<number, OpenDisk>;
  #user: NamespaceUser | undefined;

  constructor(disks: ReadonlyMap<number, OpenDisk>) {
    this.#disks = disks;
  }

  list(): readonly AllocatedNamespace[] {
    return [...this.#disks].map(([nsid, disk]) => ({
      nsid,
      ...geometry(disk),
      nguid: nguid(nsid),
      allocatedBytes: disk.cache.allocatedBytes,
      disk: disk.cache,
    }));
  }

  use(user: NamespaceUser): void {
    this.#user = user;
  }

  async unallocatedBytes(): Promise<number> {
    return 0;
  }

  async create(): Promise<number> {
    throw new NamespaceError("insufficient-capacity");
  }

  delete(nsid: number): Promise<void> {
    return this.#refuse(nsid);
  }

  erase(nsid: number): Promise<void> {
    return this.#refuse(nsid);
  }

  async attach(nsid: number): Promise<void> {
    throw new NamespaceError(this.#disks.has(nsid) ? "already-attached" : "not-allocated");
  }

  detach(nsid: number): Promise<void> {
    return this.#refuse(nsid);
  }

  async setLbaShift(nsid: number, lbaShift: number): Promise<void> {
    const disk = this.#disks.get(nsid);
    if (!disk) throw new NamespaceError("not-allocated");
    await disk.setLbaBytes((2 ** lbaShift) as LbaBytes);
    this.#user?.changed();
  }

  async #refuse(nsid: number): Promise<never> {
    throw new NamespaceError(this.#disks.has(nsid) ? "protected" : "not-allocated");
  }
}
