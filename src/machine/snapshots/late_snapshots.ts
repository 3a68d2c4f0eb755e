import type { MachineSnapshots } from "../api.ts";
import type { MachineSnapshotsOptions } from "./machine_snapshots.ts";

/** A snapshot that a start is to go on from. */
export interface Resumption {
  readonly file: Blob;
  /** Where it does not fit, the machine boots without a word. */
  readonly isOptional: boolean;
}

/** The snapshot with which a machine was switched off, if there is one: the built-in one, or one's own with this id. */
export async function suspended(machine: string | undefined): Promise<Resumption | undefined> {
  const { snapshotShelf } = await import("./snapshot_shelf.ts");
  const kept = await snapshotShelf.suspended(machine);
  return kept && { file: kept.file, isOptional: true };
}

/** Snapshots are seldom used: what they are made with is fetched when it is first wanted. */
export function lateSnapshots(options: MachineSnapshotsOptions): MachineSnapshots {
  let made: Promise<MachineSnapshots> | undefined;
  const get = () => {
    made ??= import("./machine_snapshots.ts").then(({ KeptSnapshots }) => new KeptSnapshots(options));
    return made;
  };
  return {
    list: async () => (await get()).list(),
    take: async () => (await get()).take(),
    suspend: async () => (await get()).suspend(),
    restore: async id => (await get()).restore(id),
    remove: async id => (await get()).remove(id),
    save: async id => (await get()).save(id),
    add: async file => (await get()).add(file),
  };
}
