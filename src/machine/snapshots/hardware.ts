import type { MachineSettings } from "../api.ts";
import type { SnapshotHeader } from "./snapshot_file.ts";

type Hardware = SnapshotHeader["hardware"];

/** The settings that a guest depends on once it runs. */
export function hardwareOf(settings: MachineSettings): Hardware {
  const { memoryMiB, shadowDoorbells, interrupts, scratch, network } = settings;
  return {
    memory: memoryMiB,
    shadow: shadowDoorbells,
    interrupts,
    scratch,
    network: network === "" ? "off" : "on",
    // v86's own disk is in memory and in the snapshot. Other versions of Doorbell could not read what that says of it.
    ...(scratch === "ide" && { ideDisk: "sparse" }),
  };
}

/** The same, and what a machine of one's own is and has in its drives. Rejects with a sentence when that cannot be told now. */
export async function partsOf(settings: MachineSettings): Promise<Hardware> {
  const { own } = settings;
  if (!own) return hardwareOf(settings);
  const { ownParts } = await import("../own/own_parts.ts");
  return { ...hardwareOf(settings), ...(await ownParts(own)) };
}
