/** What the page's facade (machine.ts) asks of the two workers, over comlink. Nothing per-I/O goes this way. */
import type { ShadowExtension } from "../devices/nvme/admin/shadow_extension.ts";
import type { ArmedRule, FaultReport } from "../devices/nvme/faults/rules.ts";
import type { VirtioDiskInfo } from "../devices/virtio/disk_info.ts";
import type { DiskEntry } from "../storage/disks/disk_entry.ts";
import type { BaseImage, DiskSpec, Imported } from "../storage/disks/disk_library.ts";
import type { DiskStatus, InterruptKind, ServingMode } from "./api.ts";
import type { OnProgress } from "./jobs.ts";
import type { ImageSource, OwnDisk } from "./own/own_machine.ts";
import type { MachineStateBytes } from "./snapshots/machine_state.ts";
import type { SnapshotDisk, SnapshotFront } from "./snapshots/snapshot_file.ts";
import type { GuestStage } from "./v86/boot_watch.ts";
import type { HandedKernel } from "./v86/emulator.ts";
import type { BootDevice } from "./v86/media.ts";

export interface GuestRam {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
}

export interface VcpuWorkerConfig {
  readonly bios: ArrayBuffer;
  readonly vgaBios: ArrayBuffer;
  /** Undefined: the firmware boots from the NVMe disks. */
  readonly kernel: HandedKernel | undefined;
  readonly memoryBytes: number;
  readonly devices: SharedDevices;
  readonly disks: readonly OpenedDisk[];
  /** Plug in v86's own IDE disk of so many bytes; 0 for none. */
  readonly ideBytes: number;
  /** As in MachineSettings. */
  readonly network: string;
  readonly shadowDoorbells: ShadowExtension;
  readonly haltPollMaxUs: number;
  readonly interrupts: InterruptKind;
  readonly serving: ServingMode;
  /** Serial ports 0 and 1: bytes in both directions, as Uint8Array messages. */
  readonly serialPorts: readonly [MessagePort, MessagePort];
  /** Of a machine of one's own. */
  readonly own?: OwnHardware | undefined;
  /** The machine goes on where this snapshot was taken; `kernel` is undefined then. */
  readonly resume?: MachineStateBytes | undefined;
}

/** What a machine of one's own has that the built-in one has not. Its disks are the opened ones. */
export interface OwnHardware {
  readonly screenPort: MessagePort;
  readonly cdrom: ImageSource | undefined;
  readonly floppy: ArrayBuffer | undefined;
  readonly bootOrder: readonly BootDevice[];
}

/** What the guest does, as far as the vCPU thread can tell. */
export type VcpuEvent = GuestStage | "reboot" | "halted";

/** Fault injection, in each worker that has a part of the NVMe controller. */
export interface FaultApi {
  /** All rules; each worker applies its own. Rejects where there is no machine yet. */
  setFaults(armed: readonly ArmedRule[]): Promise<void>;
  faultReport(): Promise<FaultReport>;
}

export interface VcpuWorkerApi extends DiskApi, FaultApi {
  /** Makes the machine; the guest does not run yet. */
  create(config: VcpuWorkerConfig, onEvent: (event: VcpuEvent) => void): Promise<GuestRam>;
  run(): Promise<void>;
  /**
   * Has the guest stand still, with nothing under way in its devices. Resolves to what it is still busy with after some seconds:
   * then it goes on. Rejects where there is no machine.
   */
  freeze(): Promise<string | undefined>;
  /** The frozen machine as a snapshot file. Packed here: on the page it would hold up everything for a second. */
  saveSnapshot(front: SnapshotFront): Promise<Blob>;
  /** Lets it go on. */
  thaw(): Promise<void>;
}

/** The buffers of MachineSignals, SharedState and, in a machine with a virtio device, VirtioSharedState. */
export interface SharedDevices {
  readonly signals: SharedArrayBuffer;
  readonly nvme: SharedArrayBuffer;
  readonly virtio?: SharedArrayBuffer;
}

/** What a disk is to the guest: a namespace of the NVMe controller, the disk of a virtio device, or an IDE drive. */
export type DiskRole =
  | { readonly on: "nvme"; readonly nsid: number }
  | { readonly on: "virtio-blk" | "virtio-scsi" }
  /** Of the first channel: master and slave. */
  | { readonly on: "ide"; readonly drive: 0 | 1 };

export interface DiskConfig {
  readonly name: string;
  readonly role: DiskRole;
  readonly byteLength: number;
  /** Empty and in memory, whatever is in storage under its name. */
  readonly inMemory?: boolean;
  /** A disk of a machine of one's own; what it is decides its size. */
  readonly own?: OwnDisk | undefined;
}

export interface OpenedDisk {
  /** For the disk of a virtio device. Those that are namespaces are published by the serving side. */
  readonly virtio?: VirtioDiskInfo;
  /** Holds data or has been seeded. */
  readonly seeded: boolean;
}

/** What opening the disks came to. */
export interface OpenedDisks {
  /** Those that were asked for, in that order, then the attached disks of the catalogue. */
  readonly disks: readonly OpenedDisk[];
  /** Sentences for the user: attached disks that are not there, and why. */
  readonly notices: readonly string[];
}

export interface IoWorkerConfig {
  readonly ram: GuestRam;
  readonly devices: SharedDevices;
  readonly pollMaxUs: number;
  readonly stronglyOrderedHost: boolean;
}

/** What a disk is seeded with. */
export interface SeedImage {
  readonly image: ArrayBuffer;
  readonly sha256: string;
  /** What lies over it (src/storage/disks/seed_patch.ts), and the name of what is on the disk then. */
  readonly patch?: { readonly file: ArrayBuffer; readonly generation: string } | undefined;
}

/** How disks are opened. */
export interface OpenMode {
  /** Copies of the disks in memory; what is written is dropped. */
  readonly readOnly: boolean;
  /** Take them away from a tab that does not answer. */
  readonly steal: boolean;
  /** A machine of one's own: it has the disks that are named and no others, whatever is attached in the catalogue. */
  readonly onlyThese: boolean;
}

/** Copies disks, whoever has them. An open one is flushed and copied as it is then. Named as in the catalogue. */
export interface DiskCopying {
  /** Makes a second disk of it, as job `job`. */
  clone(job: number, name: string, newName: string, onProgress: OnProgress): Promise<DiskEntry>;
  /** Writes it as a raw image into `file`, or a Blob. */
  exportImage(
    job: number,
    name: string,
    file: FileSystemFileHandle | undefined,
    onProgress: OnProgress,
  ): Promise<Blob | undefined>;
  /** Cancels a job; one that has ended is fine. */
  cancel(job: number): Promise<void>;
}

/** The disks, in whichever worker serves the I/O. */
export interface DiskApi extends DiskCopying {
  /**
   * All or none, and the attached disks of the catalogue as far as they can be opened. Rejects with an error named DISK_IN_USE when another tab has one of them, SNAPSHOT_TOO_LARGE when
   * copies do not fit. `onStolen` is called when another tab has taken one away.
   */
  open(disks: readonly DiskConfig[], mode: OpenMode, onStolen: () => void): Promise<OpenedDisks>;
  /**
   * Puts a disk of the catalogue into the machine, for good. Resolves to its namespace id, or to undefined when it
   * comes at the next boot. Rejects when it cannot be opened; then it is not attached.
   */
  attachDisk(name: string): Promise<number | undefined>;
  /** Takes a disk out of the machine. Rejects, and it stays, when what was written could not be saved. */
  detachDisk(name: string): Promise<void>;
  /** Disks that are not open were renamed, resized or deleted: the guest may see some of them. */
  catalogueChanged(): Promise<void>;
  /** Writes the shipped image to a disk that has none yet; until that is durable all I/O on the disk waits. */
  seed(name: string, image: SeedImage): Promise<void>;
  status(): Promise<DiskStatus[]>;
  /**
   * Flushes the disks and names what is on them then, for a snapshot. Rejects with a sentence when one of them is kept in a way
   * that has no names for what is on it.
   */
  seal(): Promise<SnapshotDisk[]>;
  /** As seal(), but a disk with nothing on it, or without its image, has that as its generation (BLANK, UNSEEDED). */
  survey(): Promise<SnapshotDisk[]>;
  /** Deletes disks; they must be opened anew. */
  wipe(names: readonly string[]): Promise<void>;
  /** Flushes all disks. */
  flush(): Promise<void>;
  /** Flushes and closes all disks. */
  close(): Promise<void>;
}

export interface IoWorkerApi extends DiskApi, FaultApi {
  /** Serves the I/O queues of a machine, in place of the one before. */
  attach(config: IoWorkerConfig): Promise<void>;
  /** Serves no machine any more; the disks stay open. */
  detach(): Promise<void>;
}

/** A disk of the catalogue, with the bytes that it takes in storage if that can be told. */
export interface ListedDisk {
  readonly entry: DiskEntry;
  readonly usedBytes?: number;
}

/** Works on disks that are not open: DiskLibrary, for the page. Long work has a number by which it can be cancelled. */
export interface CatalogueWorkerApi extends DiskCopying {
  /** All disks; those whose ids are `open` are not looked into. */
  list(open: readonly string[]): Promise<ListedDisk[]>;
  find(name: string): Promise<DiskEntry>;
  create(spec: DiskSpec, capacityBytes: number): Promise<DiskEntry>;
  createOnImage(spec: Omit<DiskSpec, "kind">, base: BaseImage): Promise<DiskEntry>;
  rename(name: string, newName: string): Promise<DiskEntry>;
  setAttached(name: string, attached: boolean): Promise<DiskEntry>;
  resize(name: string, capacityBytes: number): Promise<DiskEntry>;
  wipe(name: string): Promise<void>;
  remove(name: string): Promise<void>;
  importImage(job: number, image: Blob, spec: DiskSpec, onProgress: OnProgress): Promise<Imported>;
}

/** The first message of each worker: calls sent before comlink listens would be lost. */
export const WORKER_READY = "doorbell-worker-ready";
