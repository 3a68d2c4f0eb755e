import type { AgentClient } from "../agent.ts";
import { answered } from "../answered.ts";
import type { MachineSettings } from "../api.ts";
import { fromBase64 } from "./base64.ts";
import { hardwareOf } from "./hardware.ts";
import type { Resumption } from "./late_snapshots.ts";
import type { MachineStateBytes } from "./machine_state.ts";
import { checkDisks, checkHardware, readSnapshot, type SnapshotDisk } from "./snapshot_file.ts";
import { wakeCommand } from "./wake_guest.ts";

/** A snapshot that fits the machine and its disks. */
export interface FittingSnapshot {
  readonly state: MachineStateBytes;
  /** The end of what the console showed. */
  readonly console: Uint8Array<ArrayBuffer>;
  /** Was it only worth a try? */
  readonly isOptional: boolean;
}

/**
 * Reads a snapshot and compares it with the machine and with what is on its disks, which no guest may be on. Resolves to undefined
 * for an optional one that does not fit; rejects with a sentence for another.
 */
export async function loadFitting(
  { file, isOptional }: Resumption,
  settings: MachineSettings,
  disks: () => Promise<readonly SnapshotDisk[]>,
): Promise<FittingSnapshot | undefined> {
  try {
    const { header, state } = await readSnapshot(file);
    checkHardware(header.hardware, hardwareOf(settings));
    checkDisks(header.disks, await disks());
    return { state, console: fromBase64(header.console), isOptional };
  } catch (error) {
    if (!isOptional) throw error;
    console.info(`Booting: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/**
 * Tells the guest, which goes on since a moment, the time and new random numbers. Rejects with a sentence when it does not answer;
 * resolves to one for the user when something about it did not work.
 */
export async function wakeGuest(agent: AgentClient): Promise<string | undefined> {
  const command = wakeCommand(Date.now(), bytes => crypto.getRandomValues(bytes));
  const asking = agent.wake(command);
  if (!(await answered(asking, WAKE_LIMIT_MS))) {
    throw new Error("Linux does not answer since it was restored. Reset the machine to boot it.");
  }
  const { exitCode } = await asking;
  return exitCode === 0
    ? undefined
    : "Linux could not renew its random numbers after the snapshot was restored: another machine from the same snapshot may have the same ones. Reboot before you make keys.";
}

/** A machine that is slow, and busy. */
const WAKE_LIMIT_MS = 30_000;
