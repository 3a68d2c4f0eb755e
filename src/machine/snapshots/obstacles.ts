import type { Machine } from "../api.ts";

/** Why no snapshot can be taken of a running machine, as a sentence for the user. */
export function obstacleOf({
  settings,
  readOnly,
  rescue,
  faults,
}: Pick<Machine, "settings" | "readOnly" | "rescue" | "faults">): string | undefined {
  const { own } = settings;
  if (own && own.id === undefined) {
    return "This machine comes from a link, and nothing of it is kept: make one of your own with its images (Machines…) to take snapshots of it.";
  }
  if (readOnly) {
    return "This machine works on a copy of the disks, which is dropped in the end: a snapshot of it would have no disks to go back to.";
  }
  if (rescue)
    return "The rescue shell has nothing to keep: repair the disk, restart, and take the snapshot then.";
  if (settings.network !== "") {
    return "Snapshots do not cover a network card: its connections would be of another time. Switch it off in the settings.";
  }
  if (faults.armed.length > 0)
    return "Faults are being injected: clear them first, as a snapshot does not hold them.";
  return undefined;
}
