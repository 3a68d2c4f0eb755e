import type { BlockDevice } from "../../../storage/block_device.ts";
import type { NamespaceInfo } from "../namespace.ts";
import {
  type AllocatedNamespace,
  NamespaceError,
  type NamespaceRefusal,
  type NamespaceStore,
  type NamespaceUser,
  type NewNamespace,
} from "../namespace_store.ts";

/** A disk in memory that a namespace stands on. */
export interface MemoryDisk {
  readonly info: NamespaceInfo;
  readonly device: BlockDevice;
}

/** A NamespaceStore for tests: disks in memory that `makeDisk` makes. */
export class MemoryNamespaces implements NamespaceStore {
  readonly highestNsid: number;
  /** Bytes that disks can take together. */
  capacityBytes = 64 << 20;
  /** What the next call is to be refused for. */
  refusal: NamespaceRefusal | undefined;
  readonly #makeDisk: (info: NamespaceInfo) => Promise<MemoryDisk>;
  readonly #disks = new Map<number, MemoryDisk & { attached: boolean }>();
  #user: NamespaceUser | undefined;

  constructor(
    disks: readonly MemoryDisk[],
    highestNsid: number,
    makeDisk: (info: NamespaceInfo) => Promise<MemoryDisk>,
  ) {
    for (const disk of disks) this.#disks.set(disk.info.nsid, { ...disk, attached: true });
    this.highestNsid = highestNsid;
    this.#makeDisk = makeDisk;
  }

  list(): readonly AllocatedNamespace[] {
    return [...this.#disks.values()].map(({ info, device, attached }) => ({
      ...info,
      allocatedBytes: device.allocatedBytes,
      disk: attached ? device : undefined,
    }));
  }

  use(user: NamespaceUser): void {
    this.#user = user;
  }

  async unallocatedBytes(): Promise<number> {
    const taken = [...this.#disks.values()].reduce(
      (sum, { info }) => sum + info.blocks * 2 ** info.lbaShift,
      0,
    );
    return Math.max(0, this.capacityBytes - taken);
  }

  async create({ lbaShift, blocks }: NewNamespace): Promise<number> {
    this.#check();
    if (blocks * 2 ** lbaShift > (await this.unallocatedBytes())) {
      throw new NamespaceError("insufficient-capacity");
    }
    let nsid = 1;
    while (this.#disks.has(nsid)) nsid += 1;
    if (nsid > this.highestNsid) throw new NamespaceError("identifier-unavailable");
    const nguid = `ffeeddccbbaa998877665544332211${nsid.toString(16).padStart(2, "0")}`;
    const disk = await this.#makeDisk({ nsid, lbaShift, blocks, nguid });
    this.#disks.set(nsid, { ...disk, attached: false });
    this.#user?.changed();
    return nsid;
  }

  async delete(nsid: number): Promise<void> {
    this.#check();
    const disk = this.#find(nsid);
    await this.#user?.withdraw(nsid);
    disk.attached = false;
    this.#disks.delete(nsid);
    this.#user?.changed();
    await disk.device.close().catch(() => {});
  }

  async erase(nsid: number): Promise<void> {
    this.#check();
    const { device } = this.#find(nsid);
    while (!device.tryZero(0, device.byteLength)) await device.prepare("write", 0, device.byteLength);
    await device.flush();
  }

  async attach(nsid: number): Promise<void> {
    this.#check();
    const disk = this.#find(nsid);
    if (disk.attached) throw new NamespaceError("already-attached");
    disk.attached = true;
    this.#user?.changed();
  }

  async detach(nsid: number): Promise<void> {
    this.#check();
    const disk = this.#find(nsid);
    if (!disk.attached) throw new NamespaceError("not-attached");
    await this.#user?.withdraw(nsid);
    try {
      await disk.device.flush();
      disk.attached = false;
    } finally {
      this.#user?.changed();
    }
  }

  async setLbaShift(nsid: number, lbaShift: number): Promise<void> {
    this.#check();
    const disk = this.#find(nsid);
    const blocks = (disk.info.blocks * 2 ** disk.info.lbaShift) / 2 ** lbaShift;
    this.#disks.set(nsid, { ...disk, info: { ...disk.info, lbaShift, blocks } });
    this.#user?.changed();
  }

  #check(): void {
    const refusal = this.refusal;
    this.refusal = undefined;
    if (refusal) throw new NamespaceError(refusal);
  }

  #find(nsid: number) {
    const disk = this.#disks.get(nsid);
    if (!disk) throw new NamespaceError("not-allocated");
    return disk;
  }
}
