import type { MachineSettings } from "../api.ts";
import type { SnapshotHeader } from "./snapshot_file.ts";

/** The settings that a guest depends on once it runs. */
export function hardwareOf(settings: MachineSettings): SnapshotHeader["hardware"] {
  const { memoryMiB, shadowDoorbells, interrupts, scratch, network } = settings;
  return {
    memory: memoryMiB,
    shadow: shadowDoorbells,
    interrupts,
    scratch,
    network: network === "" ? "off" : "on",
  };
}
