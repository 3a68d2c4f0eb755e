import { createStore, del, delMany, entries, get, set } from "idb-keyval";
import { machineOf, type SnapshotHeader } from "./snapshot_file.ts";

/** A snapshot as it is kept in this browser. */
export interface KeptSnapshot {
  readonly header: SnapshotHeader;
  readonly file: Blob;
}

const store = createStore("doorbell-snapshots", "snapshots");
/** Under this key: the id of the snapshot with which a machine was switched off. Each of one's own has its own, by its id. */
const suspendedKey = (machine: string | undefined): string =>
  machine === undefined ? "suspended" : `suspended ${machine}`;

/** The snapshots that are kept in this browser, in IndexedDB, by id. */
export const snapshotShelf = {
  async list(): Promise<[string, KeptSnapshot][]> {
    const all = await entries<string, KeptSnapshot | string>(store);
    return all.flatMap(([id, kept]): [string, KeptSnapshot][] =>
      typeof kept === "string" ? [] : [[id, kept]],
    );
  },
  get: (id: string): Promise<KeptSnapshot | undefined> => get<KeptSnapshot>(id, store),
  put: (id: string, snapshot: KeptSnapshot): Promise<void> => set(id, snapshot, store),
  remove: (id: string): Promise<void> => del(id, store),

  /** The machine is switched off with this snapshot, which takes the place of the one before. */
  async suspend(id: string, machine: string | undefined): Promise<void> {
    const before = await get<string>(suspendedKey(machine), store);
    await set(suspendedKey(machine), id, store);
    if (before !== undefined && before !== id) await del(before, store);
  },
  async suspended(machine: string | undefined): Promise<KeptSnapshot | undefined> {
    const id = await get<string>(suspendedKey(machine), store);
    return id === undefined ? undefined : await get<KeptSnapshot>(id, store);
  },

  /** A machine of one's own is deleted. */
  async removeOf(machine: string): Promise<void> {
    const ids = (await this.list()).flatMap(([id, { header }]) =>
      machineOf(header) === machine ? [id] : [],
    );
    await delMany([...ids, suspendedKey(machine)], store);
  },
};
