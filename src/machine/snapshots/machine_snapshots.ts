/** Snapshots of a machine, from the page's side: taken, kept, restored. */
import type { ListedSnapshot, MachineSettings, MachineSnapshots } from "../api.ts";
import type { DiskApi, VcpuWorkerApi } from "../protocol.ts";
import type { Connected } from "../workers.ts";
import { base64 } from "./base64.ts";
import { hardwareOf } from "./hardware.ts";
import {
  checkDisks,
  checkHardware,
  readHeader,
  readSnapshot,
  type SnapshotDisk,
  SnapshotError,
  writeSnapshot,
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

  constructor(options: MachineSnapshotsOptions) {
    this.#options = options;
  }

  async list(): Promise<readonly ListedSnapshot[]> {
    const kept = await snapshotShelf.list();
    const disks = await this.#options.disksNow().catch(() => undefined);
    const listed = kept.map(([id, snapshot]) => this.#describe(id, snapshot, disks));
    return listed.sort((a, b) => b.takenAt - a.takenAt);
  }

  take(): Promise<ListedSnapshot> {
    return this.#take(async () => {});
  }

  suspend(): Promise<ListedSnapshot> {
    return this.#take(async id => {
      await snapshotShelf.suspend(id);
      await this.#options.stop();
    });
  }

  async restore(id: string): Promise<void> {
    const { settings, disksNow, resume } = this.#options;
    const { header, file } = await this.#find(id);
    // A damaged one, or one that another version has put there, costs the running machine nothing.
    await readSnapshot(file);
    checkHardware(header.hardware, hardwareOf(settings));
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
    const id = crypto.randomUUID();
    // A copy: a file of the user's may change or go.
    await keep(id, { header, file: new Blob([await file.arrayBuffer()], { type: file.type }) });
    return this.#describe(id, { header, file }, undefined);
  }

  /** `then` is called with the snapshot's id when it is kept, and the guest goes on afterwards. */
  #take(then: (id: string) => Promise<void>): Promise<ListedSnapshot> {
    return this.#options.whileCalm(async ({ vcpu, storage, console }) => {
      const busyWith = await vcpu.answer(vcpu.api.freeze());
      if (busyWith !== undefined) {
        throw new SnapshotError(`The SSD is busy with ${busyWith}. Take the snapshot when that is over.`);
      }
      try {
        const disks = await storage.answer(storage.api.seal());
        const state = await vcpu.answer(vcpu.api.saveState());
        const header = {
          takenAt: Date.now(),
          hardware: hardwareOf(this.#options.settings),
          disks,
          console: base64(console),
        };
        const file = await writeSnapshot(header, state);
        const snapshot = { header: await readHeader(file), file };
        const id = crypto.randomUUID();
        await keep(id, snapshot);
        await then(id);
        return this.#describe(id, snapshot, disks);
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
  ): ListedSnapshot {
    let refusal: string | undefined;
    try {
      checkHardware(header.hardware, hardwareOf(this.#options.settings));
      if (disks) checkDisks(header.disks, disks);
    } catch (error) {
      refusal = error instanceof Error ? error.message : String(error);
    }
    return { id, takenAt: header.takenAt, bytes: file.size, ...(refusal !== undefined && { refusal }) };
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
