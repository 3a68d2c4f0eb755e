import * as Comlink from "comlink";
import { SCRATCH, SYSTEM } from "../storage/disks/disk_entry.ts";
import { answered } from "./answered.ts";
import type { DiskAccess, MachineSettings } from "./api.ts";
import type { ImageStore } from "./images.ts";
import { ownDiskConfigs } from "./own/own_disks.ts";
import { Ownership } from "./ownership.ts";
import type { DiskApi, DiskConfig, IoWorkerApi, OpenedDisk, VcpuWorkerApi } from "./protocol.ts";
import { isServedByVcpu } from "./serve_here.ts";
import { type Connected, connectIo } from "./workers.ts";

const GIB = 1 << 30;

export interface MachineDisksOptions {
  readonly settings: MachineSettings;
  /** The scratch disk is a new one in memory. */
  readonly scratchInMemory: boolean;
  /** The worker of the present guest. */
  readonly vcpu: () => Connected<VcpuWorkerApi> | undefined;
  /** Another tab asks for the disks: saves and closes them; rejects, and keeps them, when that would lose data. */
  readonly handOver: () => Promise<void>;
  /** Another tab has taken a disk away. */
  readonly stolen: () => void;
  /** A sentence for the user. */
  readonly notice: (message: string) => void;
  /** The I/O worker has died, and the disks are free. */
  readonly died: (error: Error) => void;
}

/** The machine's disks as the page holds them: the worker that has them open, and what other tabs are told. */
export class MachineDisks {
  readonly #options: MachineDisksOptions;
  readonly #ownership: Ownership;
  /** It and its disks outlive the guest. */
  #io: Promise<Connected<IoWorkerApi>> | undefined;
  /** How they are opened next. */
  access: DiskAccess;

  constructor(options: MachineDisksOptions) {
    this.#options = options;
    this.#ownership = new Ownership(options.handOver);
    this.access = options.settings.diskAccess;
  }

  /** Are they a copy in memory? */
  get isCopy(): boolean {
    return this.access === "readonly";
  }

  get names(): readonly string[] {
    return this.#configs.map(({ name }) => name);
  }

  /** Without an iothread the disks are the machine worker's. */
  get areServedByVcpu(): boolean {
    return isServedByVcpu(this.#options.settings.serving);
  }

  /** The system disk is the first one. */
  get #configs(): readonly DiskConfig[] {
    const { settings, scratchInMemory } = this.#options;
    const { scratch, own } = settings;
    if (own) return ownDiskConfigs(own);
    const system: DiskConfig = { name: SYSTEM, role: { on: "nvme", nsid: 1 }, byteLength: GIB };
    if (scratch === "ide") return [system];
    const role = scratch === "nvme" ? { on: scratch, nsid: 2 } : { on: scratch };
    return [system, { name: SCRATCH, role, byteLength: GIB, inMemory: scratchInMemory }];
  }

  /** The I/O worker, started if there is none. */
  connectIo(): Promise<Connected<IoWorkerApi>> {
    this.#io ??= connectIo(error => {
      // Its death has freed the disks.
      this.#io = undefined;
      this.#ownership.unclaim();
      this.#options.died(error);
    });
    return this.#io;
  }

  /** The I/O worker, if there is one that serves the disks. */
  async io(): Promise<Connected<IoWorkerApi> | undefined> {
    return this.areServedByVcpu ? undefined : await this.#io;
  }

  /** The worker that has the disks, if there is one. */
  async storage(): Promise<Connected<DiskApi> | undefined> {
    return this.areServedByVcpu ? this.#options.vcpu() : await this.#io;
  }

  /** The worker that has the disks, also while it is only being made. */
  async connectServer(connectingVcpu: Promise<Connected<VcpuWorkerApi>>): Promise<Connected<DiskApi>> {
    return this.areServedByVcpu ? await connectingVcpu : await this.connectIo();
  }

  /** Opens the disks. A system disk that is empty is then to be filled. */
  async open(connectingVcpu: Promise<Connected<VcpuWorkerApi>>): Promise<readonly OpenedDisk[]> {
    const storage = await this.connectServer(connectingVcpu);
    let steal = this.access === "steal";
    if (this.access === "takeover" && !this.#ownership.claims) {
      steal = !(await this.#ownership.ask(this.names));
    }
    const mode = { readOnly: this.isCopy, steal, onlyThese: this.#options.settings.own !== undefined };
    const onStolen = Comlink.proxy(() => this.#options.stolen());
    const { disks, notices } = await storage.answer(storage.api.open(this.#configs, mode, onStolen));
    if (!this.isCopy) {
      this.access = "own";
      this.#ownership.claim(this.names);
    }
    for (const notice of notices) this.#options.notice(notice);
    return disks;
  }

  /**
   * Writes the shipped image to the system disk that has none yet, with what the shipped snapshot's machine has changed if a guest
   * is to go on from that. Resolves when it is durable; I/O on the disk waits until then.
   */
  async fill(
    images: ImageStore,
    connectingVcpu: Promise<Connected<VcpuWorkerApi>>,
    asSnapshot: boolean,
  ): Promise<void> {
    const storage = await this.connectServer(connectingVcpu);
    const { files, snapshot } = images.manifest;
    const [image, file] = await Promise.all([
      images.get("rootfs"),
      asSnapshot ? images.get("systemChanges") : undefined,
    ]);
    const generation = snapshot?.disks.find(({ id }) => id === SYSTEM)?.generation;
    const patch = file && generation !== undefined ? { file, generation } : undefined;
    // Copied, not transferred: another boot that overlaps with this one may need it too.
    await storage.answer(storage.api.seed(SYSTEM, { image, sha256: files.rootfs.sha256, patch }));
    images.forget("rootfs");
  }

  /** Takes the guest, whose worker is given if it has the disks, off them. */
  async detach(vcpu: Connected<VcpuWorkerApi> | undefined): Promise<void> {
    if (this.areServedByVcpu) {
      // Flushed now, unless the worker hangs.
      if (vcpu) await answered(vcpu.answer(vcpu.api.close()));
      vcpu?.terminate();
      return;
    }
    vcpu?.terminate();
    const io = await this.#io?.catch(() => undefined);
    if (!io || (await answered(io.answer(io.api.detach())))) return;
    // It hangs: the next boot has a new one.
    io.terminate();
    this.#io = undefined;
  }

  /** Flushes and closes the disks and lets other tabs have them, once the guest is off them. */
  async close(): Promise<void> {
    const io = await this.#io?.catch(() => undefined);
    this.#io = undefined;
    try {
      await io?.answer(io.api.close());
    } finally {
      io?.terminate();
      this.#ownership.unclaim();
    }
  }

  /** Throws away all that was written to the system disk, the scratch disk or both. No guest may be on them. */
  async wipe(which: "system" | "scratch" | "all"): Promise<void> {
    const io = await this.connectIo();
    await io.answer(io.api.wipe([SYSTEM, SCRATCH].filter(name => which === "all" || which === name)));
  }
}
