import type { AgentClient } from "../agent.ts";
import { answered } from "../answered.ts";
import type { MachineSettings } from "../api.ts";
import type { ImageStore } from "../images.ts";
import { fromBase64 } from "./base64.ts";
import { partsOf } from "./hardware.ts";
import type { Resumption } from "./late_snapshots.ts";
import type { MachineStateBytes } from "./machine_state.ts";
import { asFilled } from "./shipped_snapshot.ts";
import {
  checkDisks,
  checkMachine,
  readCheckedSnapshot,
  readSnapshot,
  type SnapshotDisk,
} from "./snapshot_file.ts";
import { wakeCommand } from "./wake_guest.ts";

/** A snapshot that fits the machine and its disks. */
export interface FittingSnapshot {
  readonly state: MachineStateBytes;
  /** The end of what the console showed. */
  readonly console: Uint8Array<ArrayBuffer>;
  /** Was it only worth a try? */
  readonly isOptional: boolean;
  /** Is it the shipped one? */
  readonly isShipped: boolean;
  /** The system disk has nothing on it yet of what it had when the snapshot was taken: it is to be filled with that. */
  readonly isDiskToBeFilled: boolean;
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
    checkMachine(header, await partsOf(settings));
    checkDisks(header.disks, await disks());
    const console = fromBase64(header.console);
    return { state, console, isOptional, isShipped: false, isDiskToBeFilled: false };
  } catch (error) {
    if (!isOptional) throw error;
    console.info(`Booting: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/**
 * The same for the shipped snapshot, of which `whyNotShipped` has nothing against the machine. Where it `isLikely` to fit, it is
 * fetched while the disks are looked at.
 */
export async function loadShipped(
  images: ImageStore,
  disks: () => Promise<readonly SnapshotDisk[]>,
  isLikely: boolean,
): Promise<FittingSnapshot | undefined> {
  const shipped = images.manifest.snapshot;
  if (!shipped) return undefined;
  try {
    const read = async () => readCheckedSnapshot(await images.get("snapshot"));
    const reading = isLikely ? read() : undefined;
    reading?.catch(() => {});
    const now = asFilled(shipped, await disks());
    checkDisks(shipped.disks, now.disks);
    const { header, state } = await (reading ?? read());
    images.forget("snapshot");
    return {
      state,
      console: fromBase64(header.console),
      isOptional: true,
      isShipped: true,
      isDiskToBeFilled: now.isUnseeded,
    };
  } catch (error) {
    console.info(`Booting: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/**
 * Tells the guest, which goes on since a moment, the time and new random numbers. Rejects with a sentence when it does not answer;
 * resolves to one for the user when something about it did not work.
 */
export async function wakeGuest(agent: AgentClient, isShipped: boolean): Promise<string | undefined> {
  const command = wakeCommand(Date.now(), bytes => crypto.getRandomValues(bytes), isShipped);
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
