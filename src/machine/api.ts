/** What the page (and whoever drives it) sees of a machine. Types only: no worker, no DOM. */
import type { ShadowExtension } from "../devices/nvme/admin/shadow_extension.ts";
import type { ArmedRule, FaultRule, FiredFault } from "../devices/nvme/faults/rules.ts";
import type { StepName } from "../devices/pace.ts";
import type { CounterName } from "../trace/counters.ts";
import type { Observation } from "./observation.ts";
import type { OwnMachine } from "./own/own_machine.ts";
import type { MachineScreen } from "./screen_protocol.ts";

/** Which thread serves a doorbell, and how. See docs/architecture.md; the 2015 thread's call paths. */
export type ServingMode = "mmio" | "mainloop" | "iothread" | "iothread+poll";

/** How the controller interrupts: by its pin, or by messages to the local APIC. */
export type InterruptKind = "intx" | "msix";

/**
 * What the guest boots: the shipped kernel, which the page puts into its memory, or what the firmware finds on the NVMe
 * disks: a boot loader, and what that loads.
 */
export type BootSource = "kernel" | "disk";

/** Boot each time, or go on from a snapshot where there is one that fits. */
export type StartKind = "boot" | "snapshot";

/** Where a snapshot is from: it is shipped with the page, or was taken in this browser. */
export type SnapshotOrigin = "shipped" | "own";

/** Which device the scratch disk hangs on. The system disk is always the NVMe controller's first namespace. */
export type ScratchDevice = "nvme" | "virtio-blk" | "virtio-scsi" | "ide";

/**
 * How a start gets its disks: `own` them if no other tab does; `takeover`: ask the tab that has them to save and stop,
 * and take them away if it does not answer; `steal` them without asking; `readonly`: work on a copy of them in memory,
 * which is dropped in the end.
 */
export type DiskAccess = "own" | "takeover" | "steal" | "readonly";

/** A tab that has disks open, as it describes itself. */
export interface DiskOwner {
  readonly url: string;
  /** When it opened them, in milliseconds as of Date.now(). */
  readonly since: number;
  readonly disks: readonly string[];
}

/** Why a machine is "blocked". */
export interface Blockade {
  /**
   * `in-use`: another tab has the disks · `taken-over`: another tab took them from this one · `refused`: the other tab
   * does not let go, as it would lose data (`detail` says why) · `too-large`: a copy of them does not fit into memory.
   */
  readonly reason: "in-use" | "taken-over" | "refused" | "too-large";
  /** A sentence for the user. */
  readonly detail: string;
}

export interface MachineSettings {
  /** How the first start gets its disks. */
  readonly diskAccess: DiskAccess;
  /** Guest RAM in MiB. */
  readonly memoryMiB: number;
  readonly boot: BootSource;
  /**
   * What the first start does: `boot`, or go on where the machine was switched off with a snapshot, or else from the shipped snapshot of
   * a machine that has just booted, if they still fit the disks.
   */
  readonly start: StartKind;
  readonly serving: ServingMode;
  /** With "google" the PCI vendor is Google's, as it was in 2015; today's Linux then uses no shadow doorbells. */
  readonly shadowDoorbells: ShadowExtension;
  readonly interrupts: InterruptKind;
  /** "ide" is v86's own disk, in memory: it is empty at each boot. */
  readonly scratch: ScratchDevice;
  /** Longest busy wait of the iothread before it sleeps, in microseconds. */
  readonly pollMaxUs: number;
  /** Longest busy wait of the vCPU thread for a completion while the guest is halted, in microseconds. */
  readonly haltPollMaxUs: number;
  /**
   * Where the guest's network card leads: "" for no card, "fetch", or the address of a relay that takes Ethernet frames
   * (ws:, wss:) or connections (wisp:, wisps:). docs/network.md.
   */
  readonly network: string;
  /** Appended to the kernel command line; on a disk its boot loader has the say. */
  readonly kernelArguments: string;
  /** A machine with other drives and disks than the built-in one, of which it then has none. */
  readonly own?: OwnMachine | undefined;
}

export type MachineState =
  /** Made, not started. */
  | "new"
  /** Fetching images, opening disks, or the guest is on its way to the prompt. */
  | "booting"
  /** A shell prompt has been reached. */
  | "running"
  /** The guest shut down or was stopped. */
  | "stopped"
  /** Another tab has the disks: see `blockade`. */
  | "blocked"
  /** A worker died or the start failed; `restart()` may help. */
  | "failed";

/**
 * The steps from click to prompt, in order; several may overlap. Only a boot from disk has a boot loader; a machine that goes on
 * from a snapshot has `restore` in place of all that follows it.
 */
export type BootStage = "images" | "disks" | "restore" | "firmware" | "bootloader" | "kernel" | "userspace";

/** Where the time to the prompt went. Milliseconds since start() was called. */
export interface BootStageTiming {
  readonly stage: BootStage;
  readonly startMs: number;
  /** Absent while the stage is going on. */
  readonly endMs?: number;
  /** Bytes so far and in total, for stages that move bytes. */
  readonly loaded?: number;
  readonly total?: number;
}

export interface ExecResult {
  /** stdout and stderr of the command, as they came. */
  readonly output: string;
  readonly exitCode: number;
  /** Host wall-clock time from sending the command to its exit status. */
  readonly ms: number;
}

/** A disk as the status line shows it. Sizes in bytes. */
export interface DiskStatus {
  /** What storage knows the disk by; never changes. */
  readonly id: string;
  readonly name: string;
  /** Where the guest finds it: /dev/nvme0n1, /dev/vda, … Linux numbers the former as it finds them, not by namespace id. */
  readonly path: string;
  /** Of a namespace of the NVMe controller. */
  readonly nsid?: number;
  readonly byteLength: number;
  readonly allocatedBytes: number;
  /** Written by the guest, not yet durable. */
  readonly dirtyBytes: number;
  readonly flushing: boolean;
  /** Why data could not be saved at the last try; a sentence for the user. */
  readonly failure?: string;
}

/** A disk that is kept in this browser. Sizes in bytes. */
export interface CatalogueDisk {
  /** What storage knows it by; never changes. */
  readonly id: string;
  readonly name: string;
  /** The backend that keeps it: "http" is an image on a server under an overlay of what was written. */
  readonly kind: "indexeddb" | "opfs" | "http";
  readonly lbaBytes: 512 | 4096;
  readonly capacityBytes: number;
  /** What it takes in storage; absent where that cannot be told now. */
  readonly usedBytes?: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** In the machine, now or at its next boot. */
  readonly attached: boolean;
  /** Its NVMe namespace id; of one that is not attached only if Linux has made or detached it, and may attach or delete it. */
  readonly nsid?: number;
  /** Where the guest finds it at present; absent when it is not in the machine. */
  readonly path?: string;
  /** One of the machine's own two disks: they cannot be detached, renamed or deleted, but reset. */
  readonly builtIn: boolean;
}

export interface NewCatalogueDisk {
  readonly name: string;
  /** A multiple of lbaBytes, from 1 MiB to 256 GiB. */
  readonly capacityBytes: number;
  /** Logical block size. Default: 512. */
  readonly lbaBytes?: 512 | 4096 | undefined;
  /** Default: "indexeddb". */
  readonly kind?: "indexeddb" | "opfs" | undefined;
}

export interface NewDiskOnImage {
  readonly name: string;
  readonly url: string;
  readonly manifestUrl?: string | undefined;
  /** Default: 512. */
  readonly lbaBytes?: 512 | 4096 | undefined;
}

export interface TransferOptions {
  /** Cancels the transfer, which then rejects and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/**
 * The disks that people own: docs/storage.md. Everything rejects with an Error whose message says what happened and
 * what to do. Disks are named by their names.
 */
export interface DiskCatalogue {
  list(): Promise<readonly CatalogueDisk[]>;
  create(disk: NewCatalogueDisk): Promise<void>;
  /**
   * Makes a disk that begins as a raw image on a web server, which must answer byte ranges (and, on another origin, allow
   * this one by CORS). Nothing is fetched before it is read; what is written stays in this browser. With a manifest
   * (scripts/image_manifest.ts) each chunk is checked against its SHA-256. Addresses may be relative to the page.
   */
  createOnImage(disk: NewDiskOnImage): Promise<void>;
  rename(name: string, newName: string): Promise<void>;
  /**
   * Puts a disk into the machine, at once when it runs. Resolves to where Linux has found it (/dev/nvme0n3, …), or to
   * undefined when Linux does not run, or has not found it within some seconds. A disk keeps its namespace id.
   */
  attach(name: string): Promise<string | undefined>;
  /** Takes a disk out of the machine, at once when it runs. Rejects while Linux has it mounted. */
  detach(name: string): Promise<void>;
  /** Makes a disk larger; a running guest sees that at its next boot. */
  resize(name: string, capacityBytes: number): Promise<void>;
  /** Empties a disk that is not in the running machine. */
  wipe(name: string): Promise<void>;
  /** Deletes a disk that is not in the running machine. */
  remove(name: string): Promise<void>;
  /** A running guest's disk is copied as it durably is at one moment, after a `sync`. */
  clone(name: string, newName: string, options?: TransferOptions): Promise<void>;
  /** Makes a disk of an image: raw, raw packed with gzip, or qcow2. An odd end is padded with zeroes to a whole block. */
  importImage(
    image: Blob,
    disk: Omit<NewCatalogueDisk, "capacityBytes">,
    options?: TransferOptions,
  ): Promise<{ readonly paddedBytes: number }>;
  /** The disk as a raw image: written to `file` if that is given, else as a Blob. For a running guest as with clone. */
  exportImage(
    name: string,
    options?: TransferOptions & { readonly file?: FileSystemFileHandle | undefined },
  ): Promise<Blob | undefined>;
}

/** A rule with how often it has fired. */
export interface ListedFault extends ArmedRule {
  readonly fired: number;
}

/**
 * Fault injection: docs/faults.md. Rules are checked first: a bad one rejects with an error that says what is wrong with
 * it, and nothing has changed. Everything rejects while no machine runs. With each boot there are no rules.
 */
export interface MachineFaults {
  /** The rules that are armed now, in the order in which commands are held against them. */
  readonly armed: readonly ArmedRule[];
  /** Arms these rules in place of those before. */
  set(rules: readonly FaultRule[]): Promise<void>;
  /** Arms one more, behind the others. Resolves with its number. */
  arm(rule: FaultRule): Promise<number>;
  /** Lifts one. */
  disarm(id: number): Promise<void>;
  /** Back to normal: lifts all; what was delayed goes on, a controller that was pulled out is back in. */
  clear(): Promise<void>;
  list(): Promise<readonly ListedFault[]>;
  /** The latest faults of this boot, oldest first, also those of rules that are lifted. */
  fired(): Promise<readonly FiredFault[]>;
}

/** Full speed, slow motion of 1/N, or standing still. */
export type Speed = 1 | 10 | 100 | 1000 | "paused";

/**
 * Slow motion and single steps of the NVMe controller: docs/slow-motion.md. The guest's CPU and its clock stand still with
 * it, so that its driver notices nothing. Each boot begins at full speed.
 */
export interface MachineSlowMotion {
  readonly speed: Speed;
  /** The step that is going on: until it has happened. */
  readonly stepping: StepName | undefined;
  /** Paused, and the guest's CPU does stand still by now. */
  readonly standsStill: boolean;
  pause(): void;
  /** Full speed. */
  resume(): void;
  /** Throws for any other value, and, but for full speed, while no machine runs. */
  set(speed: Speed): void;
  /**
   * Lets everything go on until the next doorbell, fetch or completion of an NVMe queue, pausing first if need be.
   * Resolves with true when it has happened and all stands still again, which may be never where the guest does no I/O;
   * with false when it was called off by resume(), set() or a restart, or when a step is going on.
   */
  step(kind: StepName): Promise<boolean>;
}

/** A snapshot that is kept in this browser. */
export interface ListedSnapshot {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly takenAt: number;
  readonly bytes: number;
  /** Why it cannot be restored now, as a sentence for the user; absent where nothing is known to be in the way. */
  readonly refusal?: string;
}

/**
 * Snapshots of the whole machine: docs/snapshots.md. One names the disks with what is on them, and is refused once they have moved
 * on, as Linux would write what it has in its memory over what came since. All rejects with a sentence for the user.
 */
export interface MachineSnapshots {
  /** The newest first. */
  list(): Promise<readonly ListedSnapshot[]>;
  /** Takes one of the running machine, which goes on. Good until a disk is written to. */
  take(): Promise<ListedSnapshot>;
  /** Takes one and switches the machine off at that point: the next start, of this page or another visit, goes on from there. */
  suspend(): Promise<ListedSnapshot>;
  /** Goes on from a snapshot, in place of what runs. Rejects, and what runs goes on, where that can be told beforehand. */
  restore(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  /** As a file, for `add`. */
  save(id: string): Promise<Blob>;
  /** Keeps a file that `save` has made. It fits the disks of the browser that it was taken in, and no others. */
  add(file: Blob): Promise<ListedSnapshot>;
}

export interface MachineEvents {
  state: (state: MachineState) => void;
  /** The whole list, at each change. */
  boot: (stages: readonly BootStageTiming[]) => void;
  /** Bytes from the guest's serial console, batched to about one call a frame. The first listener gets what came before. */
  output: (bytes: Uint8Array) => void;
  /** A sentence for the user: what happened and what to do next. */
  notice: (message: string) => void;
  /**
   * What was written last could not be saved, for this reason (a sentence for the user); undefined once all is saved
   * after all. Noticed when `disks()` is asked.
   */
  unsaved: (reason: string | undefined) => void;
  /** Other fault rules are armed. */
  faults: (armed: readonly ArmedRule[]) => void;
  /** The speed is another one, or a step has begun or ended. */
  pace: (speed: Speed) => void;
}

export interface Machine {
  readonly settings: MachineSettings;
  readonly state: MachineState;
  /** Why the state is what it is, as a sentence for the user, where there is more to say than its name. */
  readonly stateDetail: string | undefined;
  /** Resolves at the first shell prompt (also the rescue shell's); rejects when the start fails. */
  readonly ready: Promise<void>;
  /** True when the initramfs offered its rescue shell because the system disk did not mount. */
  readonly rescue: boolean;
  readonly bootStages: readonly BootStageTiming[];
  /** Why the state is "blocked"; undefined in every other state. */
  readonly blockade: Blockade | undefined;
  /** Whether the disks are a copy in memory: nothing that is written will be kept. */
  readonly readOnly: boolean;
  /** Has the present life begun with a snapshot, and not with a boot? */
  readonly restored: boolean;
  /** … and with which? Undefined after a boot. */
  readonly restoredFrom: SnapshotOrigin | undefined;
  /** When the present boot began, on performance.now()'s scale. */
  readonly startedAt: number;

  on<E extends keyof MachineEvents>(event: E, listener: MachineEvents[E]): () => void;

  /**
   * Boots. Without `access` the disks stay what they are: the machine's own, or the copy that it works on. Rejects, and
   * the state is "blocked", when another tab has the disks.
   */
  start(access?: DiskAccess): Promise<void>;
  /** Hard reset: as the reset button of a PC. What was flushed stays. Renews `ready`. */
  restart(): Promise<void>;
  /** Flushes the disks and ends both workers. */
  stop(): Promise<void>;

  /** Types into the serial console. */
  send(text: string): void;
  /** Tells the guest how large the terminal is. */
  resize(columns: number, rows: number): void;
  /** Runs a command in the guest's automation shell (a persistent one on the second serial port). */
  exec(command: string): Promise<ExecResult>;

  /** Counters now: cheap, reads shared memory. */
  counters(): Record<CounterName, number>;
  /** Measures the time of register accesses (counter `exitTimeUs`) from now on, or no more; it costs two looks at the clock each. */
  timeExits(on: boolean): void;
  /** The tabs, this one included, that have the machine's disks now; empty also where they do not say. */
  diskOwners(): Promise<readonly DiskOwner[]>;
  /** The present boot seen from outside; another one after each restart, undefined before the first. */
  readonly observation: Observation | undefined;
  /** Turns observation on, for this boot and those that follow, until the function that it returns is called. */
  observe(): () => void;
  /** Screen, keyboard and mouse; only of a machine of one's own. */
  readonly screen: MachineScreen | undefined;
  readonly catalogue: DiskCatalogue;
  readonly snapshots: MachineSnapshots;
  readonly faults: MachineFaults;
  readonly slowMotion: MachineSlowMotion;
  /** A round trip to the I/O worker: for a status line, about once a second. */
  disks(): Promise<readonly DiskStatus[]>;
  /**
   * Throws away all that was written: the system disk is the shipped image again, the scratch disk empty.
   * Restarts the machine.
   */
  resetDisks(which: "system" | "scratch" | "all"): Promise<void>;
}
