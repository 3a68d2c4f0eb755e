/** Snapshots of a machine, from the page's side: taken, kept, restored. */
import type { ListedSnapshot, MachineSettings, MachineSnapshots } from "../api.ts";
import type { DiskApi, VcpuWorkerApi } from "../protocol.ts";
import type { Connected } from "../workers.ts";
import { base64 } from "./base64.ts";
import { partsOf } from "./hardware.ts";
import {
  checkDisks,
  checkMachine,
  machineOf,
  readHeader,
  readSnapshot,
  type SnapshotDisk,
  SnapshotError,
  type SnapshotHeader,
} from "./snapshot_file.ts";
import { type KeptSnapshot, snapshotShelf } from "./snapshot_shelf.ts";

/** The running machine, as far as a snapshot of it needs it. */
export interface Snapshotted {
  readonly vcpu: Connected<VcpuWorkerApi>;
  readonly storage: Connected<DiskApi>;
  /** The end of what the console has shown. */
  readonly console: Uint8Array;
}

export interface MachineSnapshotsOptions {
  readonly settings: MachineSettings;
  /**
   * Calls `use` while no automation command is under way and the machine runs at full speed. Rejects with a sentence when the
   * machine cannot be saved now.
   */
  readonly whileCalm: <T>(use: (machine: Snapshotted) => Promise<T>) => Promise<T>;
  /** What is on the disks now; undefined while they are not open. */
  readonly disksNow: () => Promise<readonly SnapshotDisk[] | undefined>;
  /** The guest is to go on no more. */
  readonly stop: () => Promise<void>;
  /** Starts the machine from a snapshot; rejects when that does not work. */
  readonly resume: (file: Blob) => Promise<void>;
}

export class KeptSnapshots implements MachineSnapshots {
  readonly #options: MachineSnapshotsOptions;
  /** What is in the drives of a machine does not change while the page lives. */
  #parts: Promise<SnapshotHeader["hardware"]> | undefined;

  constructor(options: MachineSnapshotsOptions) {
    this.#options = options;
  }

  async list(): Promise<readonly ListedSnapshot[]> {
    const all = await snapshotShelf.list();
    // Another machine's can be restored there, and nowhere else.
    const kept = all.filter(([, { header }]) => machineOf(header) === this.#machine);
    const disks = await this.#options.disksNow().catch(() => undefined);
    const parts = kept.length > 0 ? await this.#partsNow().catch(() => undefined) : undefined;
    const listed = kept.map(([id, snapshot]) => this.#describe(id, snapshot, disks, parts));
    return listed.sort((a, b) => b.takenAt - a.takenAt);
  }

  take(): Promise<ListedSnapshot> {
    return this.#take(async () => {});
  }

  suspend(): Promise<ListedSnapshot> {
    return this.#take(async id => {
      await snapshotShelf.suspend(id, this.#machine);
      await this.#options.stop();
    });
  }

  async restore(id: string): Promise<void> {
    const { disksNow, resume } = this.#options;
    const { header, file } = await this.#find(id);
    // A damaged one, or one that another version has put there, costs the running machine nothing.
    await readSnapshot(file);
    checkMachine(header, await this.#partsNow());
    const disks = await disksNow();
    // Looked at again when the guest is off them; but now it costs the running machine nothing.
    if (disks) checkDisks(header.disks, disks);
    await resume(file);
  }

  async remove(id: string): Promise<void> {
    await snapshotShelf.remove(id);
  }

  async save(id: string): Promise<Blob> {
    return (await this.#find(id)).file;
  }

  async add(file: Blob): Promise<ListedSnapshot> {
    const { header } = await readSnapshot(file);
    const parts = await this.#partsNow();
    // In no list of this machine it would ever be seen.
    if (machineOf(header) !== parts.machine) checkMachine(header, parts);
    const id = crypto.randomUUID();
    // A copy: a file of the user's may change or go.
    await keep(id, { header, file: new Blob([await file.arrayBuffer()], { type: file.type }) });
    return this.#describe(id, { header, file }, undefined, parts);
  }

  /** `then` is called with the snapshot's id when it is kept, and the guest goes on afterwards. */
  #take(then: (id: string) => Promise<void>): Promise<ListedSnapshot> {
    return this.#options.whileCalm(async ({ vcpu, storage, console }) => {
      const parts = await this.#partsNow();
      const busyWith = await vcpu.answer(vcpu.api.freeze());
      if (busyWith !== undefined) {
        throw new SnapshotError(`The machine is busy with ${busyWith}. Take the snapshot when that is over.`);
      }
      try {
        const disks = await storage.answer(storage.api.seal());
        const { own } = this.#options.settings;
        const front = {
          takenAt: Date.now(),
          hardware: parts,
          ...(own && { machineName: own.name }),
          disks,
          console: base64(console),
        };
        const file = await vcpu.answer(vcpu.api.saveSnapshot(front));
        const snapshot = { header: await readHeader(file), file };
        const id = crypto.randomUUID();
        await keep(id, snapshot);
        await then(id);
        return this.#describe(id, snapshot, disks, parts);
      } finally {
        // One that was ended does not answer.
        vcpu.answer(vcpu.api.thaw()).catch(() => {});
      }
    });
  }

  #describe(
    id: string,
    { header, file }: KeptSnapshot,
    disks: readonly SnapshotDisk[] | undefined,
    parts: SnapshotHeader["hardware"] | undefined,
  ): ListedSnapshot {
    let refusal: string | undefined;
    try {
      if (parts) checkMachine(header, parts);
      if (disks) checkDisks(header.disks, disks);
    } catch (error) {
      refusal = error instanceof Error ? error.message : String(error);
    }
    return { id, takenAt: header.takenAt, bytes: file.size, ...(refusal !== undefined && { refusal }) };
  }

  /** The id of a machine of one's own. */
  get #machine(): string | undefined {
    return this.#options.settings.own?.id;
  }

  #partsNow(): Promise<SnapshotHeader["hardware"]> {
    this.#parts ??= partsOf(this.#options.settings);
    this.#parts.catch(() => {
      this.#parts = undefined;
    });
    return this.#parts;
  }

  async #find(id: string): Promise<KeptSnapshot> {
    const snapshot = await snapshotShelf.get(id);
    if (!snapshot) throw new SnapshotError("There is no such snapshot any more.");
    return snapshot;
  }
}

async function keep(id: string, snapshot: KeptSnapshot): Promise<void> {
  try {
    await snapshotShelf.put(id, snapshot);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "QuotaExceededError")) throw error;
    const mebibytes = Math.ceil(snapshot.file.size / 2 ** 20);
    throw new SnapshotError(
      `The browser gives no more room for a snapshot of ${mebibytes} MiB. Delete snapshots or disks that you do not need, or free space on this computer.`,
    );
  }
}
