/** The machines of one's own that are kept in this browser, in an IndexedDB database of their own. */
import { createStore, del, entries, get, set, update } from "idb-keyval";
import type { MachineSettings } from "../../machine/api.ts";
import type { OwnMachine } from "../../machine/own/own_machine.ts";
import { snapshotShelf } from "../../machine/snapshots/snapshot_shelf.ts";
import { type OwnMachineOptions, ownSettings } from "./own_settings.ts";

/** A machine with its images; files are kept in it as they were when it was made. */
export interface KeptMachine extends OwnMachineOptions {
  readonly id: string;
  readonly machine: OwnMachine;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

const store = createStore("doorbell-machines", "machines");

/** The oldest first. */
export async function listMachines(): Promise<readonly KeptMachine[]> {
  const kept = (await entries<string, KeptMachine>(store)).map(([, machine]) => machine);
  return kept.sort((a, b) => a.createdAt - b.createdAt);
}

export function findMachine(id: string): Promise<KeptMachine | undefined> {
  return get<KeptMachine>(id, store);
}

/** Keeps a machine, a new one or in place of the one with its id. Rejects with a sentence when there is no room. */
export async function keepMachine(kept: KeptMachine): Promise<void> {
  try {
    await set(kept.id, kept, store);
  } catch (error) {
    if (error instanceof DOMException && error.name === "QuotaExceededError") {
      throw new Error(
        "The browser gives no more room for the machine’s images: free space, or delete what you do not need.",
        {
          cause: error,
        },
      );
    }
    throw error;
  }
}

export function renameMachine(id: string, name: string): Promise<void> {
  return update<KeptMachine>(
    id,
    kept => {
      if (!kept) throw new Error("The machine was deleted meanwhile.");
      return { ...kept, machine: { ...kept.machine, name } };
    },
    store,
  );
}

/** With its snapshots. Its disks stay in the list of disks. */
export async function deleteMachine(id: string): Promise<void> {
  await del(id, store);
  await snapshotShelf.removeOf(id);
}

export const freshMachineId = (): string => crypto.randomUUID().slice(0, 8);

export function settingsOf(kept: KeptMachine): MachineSettings {
  return ownSettings({ ...kept.machine, id: kept.id }, kept);
}
