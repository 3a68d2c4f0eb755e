/**
 * The NVMe namespace ids of the disks of the catalogue. A disk gets one when it is attached for the first time and keeps
 * it, so that attaching and detaching others changes nothing for it.
 */
import { type DiskEntry, isBuiltIn } from "./disk_entry.ts";

/** The ids before are those of the machine's own disks. */
const FIRST_NSID = 3;
/** As many as a controller has here, with the machine's own. */
export const HIGHEST_NSID = 16;
export const MAX_ATTACHED = HIGHEST_NSID - FIRST_NSID + 1;

/** The lowest id that no disk has; undefined when there is none. */
export function freeNsid(entries: readonly DiskEntry[]): number | undefined {
  for (let nsid = FIRST_NSID; nsid <= HIGHEST_NSID; nsid++) {
    if (!entries.some(entry => entry.nsid === nsid)) return nsid;
  }
  return undefined;
}

/**
 * What has to be changed so that `entry`, which is attached, has an id: the entry first. When all ids are given away the
 * highest one of a disk that is out of the machine is taken from it.
 */
export function withNsid(entry: DiskEntry, others: readonly DiskEntry[]): DiskEntry[] {
  if (entry.nsid !== undefined) return [entry];
  const nsid = freeNsid(others);
  if (nsid !== undefined) return [{ ...entry, nsid }];
  const [giver] = others
    .filter(other => other.nsid !== undefined && !other.attached && !other.allocated)
    .sort((a, b) => (b.nsid ?? 0) - (a.nsid ?? 0));
  return giver
    ? [
        { ...entry, nsid: giver.nsid },
        { ...giver, nsid: undefined },
      ]
    : [entry];
}

/** The entries that change so that all attached disks have an id, those that were made first first. */
export function numberAttached(entries: readonly DiskEntry[]): DiskEntry[] {
  const changed = new Map<string, DiskEntry>();
  for (const { id, attached } of entries) {
    const now = entries.map(each => changed.get(each.id) ?? each);
    const entry = now.find(each => each.id === id);
    if (!entry || !attached || isBuiltIn(id) || entry.nsid !== undefined) continue;
    const others = now.filter(each => each !== entry);
    for (const each of withNsid(entry, others)) changed.set(each.id, each);
  }
  return [...changed.values()];
}
