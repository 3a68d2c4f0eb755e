import { createStore, del, entries, get, set } from "idb-keyval";
import type { SnapshotHeader } from "./snapshot_file.ts";

/** A snapshot as it is kept in this browser. */
export interface KeptSnapshot {
  readonly header: SnapshotHeader;
  readonly file: Blob;
}

const store = createStore("doorbell-snapshots", "snapshots");
/** Under this key: the id of the snapshot with which the machine was switched off. */
const SUSPENDED = "suspended";

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
  async suspend(id: string): Promise<void> {
    const before = await get<string>(SUSPENDED, store);
    await set(SUSPENDED, id, store);
    if (before !== undefined && before !== id) await del(before, store);
  },
  async suspended(): Promise<KeptSnapshot | undefined> {
    const id = await get<string>(SUSPENDED, store);
    return id === undefined ? undefined : await get<KeptSnapshot>(id, store);
  },
};
