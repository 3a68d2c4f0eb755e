/**
 * The snapshot that is shipped with the images (`npm run images:snapshot`): a machine that has booted to its prompt from a new disk.
 * A start may go on from it in place of booting while nothing has been written to the disks since.
 */
import type { MachineSettings } from "../api.ts";
import type { ImageManifest, ImageName } from "../images.ts";
import { isServedByVcpu } from "../serve_here.ts";
import { hardwareOf } from "./hardware.ts";
import { type SnapshotDisk, type SnapshotHeader, versions } from "./snapshot_file.ts";

/** In place of a generation: of a disk with nothing on it, and of a system disk that has not got its image. */
export const BLANK = "blank";
export const UNSEEDED = "unseeded";

/** What the manifest says of it: enough to tell whether it fits without fetching it. */
export interface ShippedSnapshot {
  readonly versions: SnapshotHeader["versions"];
  readonly hardware: SnapshotHeader["hardware"];
  readonly commandLine: string;
  /** SHA-256 of the images that it was made with. */
  readonly madeOf: Readonly<Partial<Record<ImageName, string>>>;
  /** The system disk's generation names its image with the changes of the boot over it. */
  readonly disks: readonly SnapshotDisk[];
}

/** The images that what is in a guest's memory depends on. */
export const SNAPSHOT_IMAGES: readonly ImageName[] = ["kernel", "initramfs", "rootfs", "bios", "vgabios"];

/**
 * The kernel is told what it would otherwise look for or ask the tables: with the pin there is no local APIC, and with
 * messages that is all that is used of the APICs and of ACPI, whose tables cost a third of the boot.
 */
const machineArguments = { intx: "acpi=off nolapic", msix: "acpi=off lapic" } as const;

export function commandLineOf(
  { cmdline }: Pick<ImageManifest, "cmdline">,
  { interrupts, kernelArguments }: Pick<MachineSettings, "interrupts" | "kernelArguments">,
): string {
  return `${cmdline} ${machineArguments[interrupts]} ${kernelArguments}`.trim();
}

/** Why a machine with these settings does not go on from the shipped snapshot, whatever is on its disks; undefined if it may. */
export function whyNotShipped(manifest: ImageManifest, settings: MachineSettings): string | undefined {
  const { snapshot } = manifest;
  if (!snapshot) return "none is shipped";
  if (settings.start !== "snapshot") return "a boot is asked for";
  if (settings.own || settings.boot !== "kernel") return "it boots something else";
  if (settings.diskAccess === "readonly") return "its disks are a copy";
  // There its worker has the disks, and would be busy with filling them.
  if (isServedByVcpu(settings.serving)) return "it has no iothread";
  if (!isSame(snapshot.versions, versions)) return "the shipped snapshot is of another version";
  if (!isSame(snapshot.hardware, hardwareOf(settings))) return "its settings are others";
  if (snapshot.commandLine !== commandLineOf(manifest, settings)) return "its kernel arguments are others";
  const other = SNAPSHOT_IMAGES.find(name => snapshot.madeOf[name] !== manifest.files[name].sha256);
  return other && `the shipped snapshot was made with another ${other}`;
}

function isSame(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every(key => a[key] === b[key]);
}

/** The disks as they are now, with the system disk as it will be once it is filled; and whether it is to be filled. */
export function asFilled(
  { disks }: ShippedSnapshot,
  now: readonly SnapshotDisk[],
): { readonly disks: readonly SnapshotDisk[]; readonly isUnseeded: boolean } {
  const system = now.find(({ generation }) => generation === UNSEEDED);
  const then = disks.find(({ id }) => id === system?.id);
  if (!system || !then) return { disks: now, isUnseeded: false };
  const filled = { ...system, generation: then.generation };
  return { disks: now.map(disk => (disk === system ? filled : disk)), isUnseeded: true };
}
