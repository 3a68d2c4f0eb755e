/**
 * IDE drives in a snapshot. v86 saves their registers and the sectors that the guest is about to read or write; media are not its
 * affair. What it does not save is here, and so is when it may: between two transfers, as those that are under way have callbacks.
 */
import { DiskBuffer } from "./disk_buffer.ts";
import { ideDrives } from "./ide_drives.ts";
import type { V86Emulator, V86IdeDrive } from "./seams.ts";

/** Of a CD drive, in the order of the drives: what it will say to REQUEST SENSE. */
export type SenseState = readonly (readonly [key: number, additional: number])[];

/** What is under way in the drives, as the end of "it is busy with …". */
export function ideBusyWith(emulator: V86Emulator): string | undefined {
  for (const { in_progress_io_ids, buffer, is_atapi } of ideDrives(emulator)) {
    const busyWith = buffer instanceof DiskBuffer ? buffer.busyWith : undefined;
    if (busyWith !== undefined) return busyWith;
    if (in_progress_io_ids.size > 0) return is_atapi ? "a read from the CD" : "a transfer of an IDE disk";
  }
  return undefined;
}

export const saveSense = (emulator: V86Emulator): SenseState =>
  cdDrives(emulator).map(({ atapi_sense_key, atapi_add_sense }) => [atapi_sense_key, atapi_add_sense]);

/** After v86 has restored its own state. Throws a sentence for what is no such state: it may come from a file. */
export function restoreSense(emulator: V86Emulator, sense: SenseState): void {
  const isByte = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256;
  if (!Array.isArray(sense) || !sense.every(each => Array.isArray(each) && each.every(isByte))) {
    throw new Error("The saved state of the CD drive is damaged.");
  }
  for (const [index, drive] of cdDrives(emulator).entries()) {
    [drive.atapi_sense_key, drive.atapi_add_sense] = sense[index] ?? [0, 0];
  }
}

const cdDrives = (emulator: V86Emulator): V86IdeDrive[] =>
  ideDrives(emulator).filter(({ is_atapi }) => is_atapi);
