import type { NamespaceStore } from "../devices/nvme/namespace_store.ts";
import type { VirtioDiskInfo } from "../devices/virtio/disk_info.ts";
import type { BlockDevice } from "../storage/block_device.ts";
import { type Disk, wipeDisk } from "../storage/disks/disk.ts";
import { type DiskEntry, isBuiltIn, isWhole, SYSTEM } from "../storage/disks/disk_entry.ts";
import { DiskLibrary } from "../storage/disks/disk_library.ts";
import { numberAttached } from "../storage/disks/namespace_numbers.ts";
import { seedDisk } from "../storage/disks/seed.ts";
import { readPatch } from "../storage/disks/seed_patch.ts";
import type { DiskStatus } from "./api.ts";
import { virtioIdentity } from "./identity.ts";
import { Jobs, type OnProgress } from "./jobs.ts";
import { geometry, MachineNamespaces } from "./machine_namespaces.ts";
import { type Attached, entryOfBuiltIn, openCatalogueDisk, openMachineDisk } from "./open_disks.ts";
import { openOwnDisk } from "./own/open_own_disk.ts";
import type { DiskApi, DiskConfig, DiskRole, OpenMode, SeedImage } from "./protocol.ts";
import { scratchPaths } from "./scratch.ts";
import { BLANK, UNSEEDED } from "./snapshots/shipped_snapshot.ts";
import type { SnapshotDisk } from "./snapshots/snapshot_file.ts";

/** The disks of a machine, in the worker that serves its I/O. */
export class DiskSet implements DiskApi {
  /** By id. */
  readonly #disks = new Map<string, Attached>();
  readonly #library = new DiskLibrary();
  readonly #jobs = new Jobs();
  #cleanedUp = false;
  #onStolen = () => {};
  readonly #namespaces = new MachineNamespaces({
    library: this.#library,
    disks: this.#disks,
    oneByOne: change => this.#oneByOne(change),
    onStolen: () => this.#onStolen(),
  });

  /** Calls that change what is open come one after the other, however they overlap. */
  #last: Promise<unknown> = Promise.resolve();

  open(configs: readonly DiskConfig[], mode: OpenMode, onStolen: () => void) {
    return this.#oneByOne(() => this.#openAll(configs, mode, onStolen));
  }

  async flush() {
    await Promise.all(Array.from(this.#disks.values(), ({ disk }) => disk.cache.flush()));
  }

  seal() {
    return this.#oneByOne(() => Promise.all([...this.#disks.values()].map(sealDisk)));
  }

  survey() {
    return this.#oneByOne(() => Promise.all([...this.#disks.values()].map(surveyDisk)));
  }

  seed(name: string, image: SeedImage) {
    return this.#oneByOne(() => this.#seed(name, image));
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
    this.#onStolen = onStolen;
    const entries = await this.#entries(mode);
    const results = await Promise.allSettled(
      configs.map(async config => {
        const before = this.#disks.get(config.name);
        this.#disks.delete(config.name);
        const entry = entryOf(entries, config.name);
        const disk = config.own
          ? await openOwnDisk(this.#library.catalogue, config, entry, before, { ...mode, onStolen })
          : await openMachineDisk(config, entry, before, mode, onStolen);
        this.#disks.set(config.name, disk);
        return disk;
      }),
    );
    const failed = results.find(result => result.status === "rejected");
    if (failed) {
      // None is kept from other tabs by a machine that cannot run.
      await this.#close().catch(() => {});
      throw failed.reason;
    }
    const opened = results.flatMap(result => (result.status === "fulfilled" ? [result.value] : []));
    const others = mode.onlyThese ? [] : entries;
    const notices = await this.#openAttached(configs, others, mode, onStolen);
    this.#namespaces.opened(typeof others === "string" ? [] : others, mode.readOnly || mode.onlyThese);
    if (typeof entries !== "string" && !mode.readOnly && !mode.onlyThese) this.#tidy(opened, entries);
    const attached = [...this.#disks.values()].filter(disk => !opened.includes(disk));
    return {
      disks: [...opened, ...attached].map(each => ({
        ...(isVirtio(each.role) && { virtio: virtioInfo(each.role.on, each) }),
        seeded: each.disk.seededSha256 !== undefined,
      })),
      notices,
    };
  }

  /**
   * The catalogue, its attached disks with their namespace ids; or why it cannot be read, which the machine's own disks
   * do not need.
   */
  async #entries({ readOnly }: OpenMode): Promise<readonly DiskEntry[] | string> {
    const { catalogue } = this.#library;
    try {
      const entries = await catalogue.entries();
      const numbered = numberAttached(entries);
      if (numbered.length === 0 || readOnly) return entries;
      // Where that cannot be kept, it comes out the same the next time.
      return await catalogue
        .revise(numberAttached)
        .catch(() => entries.map(entry => numbered.find(({ id }) => id === entry.id) ?? entry));
    } catch (error) {
      return messageOf(error);
    }
  }

  /** Opens the attached disks of the catalogue and closes those that are no more. Resolves to what the user must know. */
  async #openAttached(
    configs: readonly DiskConfig[],
    entries: readonly DiskEntry[] | string,
    { readOnly, steal }: OpenMode,
    onStolen: () => void,
  ): Promise<string[]> {
    const wanted = typeof entries === "string" ? [] : attachedOf(entries);
    const notices: string[] = [];
    for (const [id, { name, disk }] of this.#disks) {
      if (configs.some(({ name }) => name === id) || (!readOnly && wanted.some(entry => entry.id === id)))
        continue;
      this.#disks.delete(id);
      await disk.close().catch(error => {
        notices.push(`What was written last to disk “${name}” could not be saved: ${messageOf(error)}`);
      });
    }
    if (typeof entries === "string") return [...notices, entries];
    if (readOnly) {
      if (wanted.length > 0) {
        notices.push(
          "Only the system and the scratch disk are copied; the other disks are not in this machine.",
        );
      }
      return notices;
    }
    const results = await Promise.allSettled(
      wanted.map(async entry => {
        const { catalogue } = this.#library;
        const before = this.#disks.get(entry.id);
        this.#disks.delete(entry.id);
        if (entry.nsid === undefined) throw new Error("All namespace ids are given away.");
        const attached = await openCatalogueDisk(catalogue, entry, entry.nsid, before, { steal, onStolen });
        this.#disks.set(entry.id, attached);
      }),
    );
    for (const [index, result] of results.entries()) {
      if (result.status === "fulfilled") continue;
      notices.push(`Disk “${wanted[index].name}” is not in this machine: ${messageOf(result.reason)}`);
    }
    return notices;
  }

  /**
   * After the boot's own work: has the catalogue say what the disks say, and the first time puts the machine's disks into
   * it and removes what interrupted work left.
   */
  #tidy(opened: readonly Attached[], entries: readonly DiskEntry[]): void {
    const isFirst = !this.#cleanedUp;
    this.#cleanedUp = true;
    const missing = opened.filter(({ disk }) => !entries.some(({ id }) => id === disk.name));
    const { catalogue } = this.#library;
    const tidying = async () => {
      // A format that was interrupted, a catalogue that could not be changed then, or a disk that was reset.
      for (const each of this.#disks.values()) {
        const entry = entryOf(entries, each.disk.name);
        if (entry && entry.lbaBytes !== each.disk.describe().lbaBytes)
          await this.#namespaces.recordLbaBytes(each);
      }
      if (!isFirst) return;
      if (missing.length > 0) await catalogue.adopt(missing.map(entryOfBuiltIn));
      await this.#library.cleanUp();
      await this.#library.adopt();
    };
    // What cannot be tidied now is at the next start; a list that cannot be read was told of when it was needed.
    tidying().catch(() => {});
  }

  async #seed(name: string, { image, sha256, patch }: SeedImage) {
    const attached = this.#disks.get(name);
    if (!attached) throw new Error(`disk ${name} is not open`);
    const over = patch && {
      blocks: readPatch(new Uint8Array(patch.file)),
      generation: patch.generation,
    };
    try {
      await seedDisk(attached.disk, new Uint8Array(image), sha256, over);
      attached.filling?.done();
    } catch (error) {
      attached.filling?.failed(error);
      throw error;
    }
  }

  async status() {
    return Array.from(this.#disks.values(), ({ name, role, disk, capacityBytes }) => {
      const counters = disk.cache.counters();
      return {
        id: disk.name,
        name,
        ...this.#place(role),
        byteLength: capacityBytes,
        allocatedBytes: counters.allocatedBytes,
        dirtyBytes: counters.dirtyBytes,
        flushing: counters.pendingFlushes > 0,
        ...failureOf(name, disk),
      };
    });
  }

  /** Where the guest finds a disk, as far as that can be told without it: Linux counts namespaces as it finds them. */
  #place(role: DiskRole): Pick<DiskStatus, "path" | "nsid"> {
    if (role.on === "ide") return { path: `/dev/sd${"ab"[role.drive]}` };
    if (role.on !== "nvme") return { path: scratchPaths[role.on] };
    const before = [...this.#disks.values()].filter(
      other => other.role.on === "nvme" && other.role.nsid <= role.nsid,
    );
    return { path: `/dev/nvme0n${before.length}`, nsid: role.nsid };
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
    this.#namespaces.closed();
    const closing = Array.from(this.#disks.values(), ({ disk }) => disk.close());
    this.#disks.clear();
    await Promise.all(closing);
  }

  /** The disks as the controller's namespaces. */
  get namespaces(): NamespaceStore {
    return this.#namespaces;
  }

  attachDisk(name: string) {
    return this.#namespaces.attachByName(name);
  }

  detachDisk(name: string) {
    return this.#namespaces.detachByName(name);
  }

  catalogueChanged() {
    return this.#namespaces.refresh();
  }

  /** The open disk that hangs on a virtio device. */
  virtioDisk(): { readonly info: VirtioDiskInfo; readonly disk: BlockDevice } | undefined {
    for (const attached of this.#disks.values()) {
      const { role, disk } = attached;
      if (isVirtio(role)) return { info: virtioInfo(role.on, attached), disk: disk.cache };
    }
    return undefined;
  }

  /** The open disks that are IDE drives, the master first. */
  ideDisks(): readonly Attached[] {
    const drives = [...this.#disks.values()].flatMap(disk =>
      disk.role.on === "ide" ? [{ disk, drive: disk.role.drive }] : [],
    );
    return drives.sort((a, b) => a.drive - b.drive).map(({ disk }) => disk);
  }

  /** Copies an open disk: the job of `clone` or `exportImage`. */
  async clone(job: number, name: string, newName: string, onProgress: OnProgress) {
    const source = await this.#source(name);
    return await this.#jobs.run(job, onProgress, control =>
      this.#library.clone(name, newName, control, source),
    );
  }

  async exportImage(
    job: number,
    name: string,
    file: FileSystemFileHandle | undefined,
    onProgress: OnProgress,
  ) {
    const source = await this.#source(name);
    return await this.#jobs.run(job, onProgress, control =>
      this.#library.exportImage(name, file, control, source),
    );
  }

  async cancel(job: number) {
    this.#jobs.cancel(job);
  }

  async #source(name: string): Promise<Disk> {
    const { id } = await this.#library.catalogue.find(name);
    const attached = this.#disks.get(id);
    if (!attached) throw new Error(`Disk “${name}” is not in the machine any more; try again.`);
    return attached.disk;
  }
}

async function sealDisk({ name, role, disk, nguid, capacityBytes }: Attached): Promise<SnapshotDisk> {
  const generation = await disk.seal();
  if (generation === undefined) {
    throw new Error(
      `Disk “${name}” is an image on a server or in memory, and snapshots do not cover those: they could not tell whether it was written to since. Take it out of the machine first.`,
    );
  }
  const { lbaBytes } = disk.describe();
  return { id: disk.name, name, ...placeOf(role), nguid, lbaBytes, capacityBytes, generation };
}

function placeOf(role: DiskRole): Pick<SnapshotDisk, "nsid" | "on"> {
  if (role.on === "nvme") return { nsid: role.nsid };
  return { on: role.on === "ide" ? `ide ${role.drive}` : role.on };
}

async function surveyDisk(attached: Attached): Promise<SnapshotDisk> {
  const { disk, role, name, nguid, capacityBytes } = attached;
  const isUnseeded = disk.name === SYSTEM && disk.seededSha256 === undefined;
  if (!isUnseeded && disk.cache.allocatedBytes > 0) return await sealDisk(attached);
  const { lbaBytes } = disk.describe();
  const generation = isUnseeded ? UNSEEDED : BLANK;
  return { id: disk.name, name, ...placeOf(role), nguid, lbaBytes, capacityBytes, generation };
}

const entryOf = (entries: readonly DiskEntry[] | string, id: string): DiskEntry | undefined =>
  typeof entries === "string" ? undefined : entries.find(entry => entry.id === id);

/** The disks besides the machine's own that are in the machine. */
const attachedOf = (entries: readonly DiskEntry[]): DiskEntry[] =>
  entries.filter(entry => entry.attached && isWhole(entry) && !isBuiltIn(entry.id));

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function failureOf(name: string, disk: Disk): { readonly failure?: string } {
  const { failure } = disk.cache;
  if (!failure) return {};
  return {
    failure:
      failure.kind === "no-space"
        ? `The browser gives no more room for the ${name} disk: what was written last is not saved. It is tried again every second: free space on this computer, delete a disk that you do not need, or discard blocks in Linux (fstrim, blkdiscard).`
        : `What was written last to the ${name} disk could not be saved: ${failure.message}`,
  };
}

type VirtioRole = Extract<DiskRole, { readonly on: "virtio-blk" | "virtio-scsi" }>;

const isVirtio = (role: DiskRole): role is VirtioRole =>
  role.on === "virtio-blk" || role.on === "virtio-scsi";

function virtioInfo(on: "virtio-blk" | "virtio-scsi", attached: Attached): VirtioDiskInfo {
  return {
    ...virtioIdentity,
    type: on === "virtio-blk" ? "block" : "scsi",
    ...geometry(attached.capacityBytes, attached.disk.describe().lbaBytes),
  };
}
