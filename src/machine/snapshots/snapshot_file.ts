/**
 * A snapshot of a machine as a file: 8 bytes of magic, the length of the header (32 bits, little-endian), the header in JSON, and
 * the body, packed with gzip: the state of the devices in JSON, behind its length, and what v86 keeps of the rest.
 */
import { CONTROLLER_STATE_VERSION } from "../../devices/nvme/controller_state.ts";
import { gunzip } from "../gunzip.ts";
import { V86_VERSION } from "../v86/seams.ts";
import type { MachineDevices, MachineStateBytes } from "./machine_state.ts";

const MAGIC = "DOORBELL";
/** Raised whenever the meaning of anything in the file changes. */
export const SNAPSHOT_FORMAT = 1;
/** Raised whenever the meaning of what is saved of devices outside the NVMe controller changes. */
const DEVICES_VERSION = 1;
/** What makes a snapshot one of another machine; versions of v86 are told apart by their numbers. */
export const versions = {
  format: SNAPSHOT_FORMAT,
  devices: `${DEVICES_VERSION}.${CONTROLLER_STATE_VERSION}`,
  v86: V86_VERSION,
};
const LENGTH_AT = 8;
const HEADER_AT = 12;
const MAX_HEADER_BYTES = 1 << 20;

/** A disk as it was when a snapshot was taken. */
export interface SnapshotDisk {
  readonly id: string;
  readonly name: string;
  /** Where it was: a namespace id, … */
  readonly nsid?: number | undefined;
  /** … or another device. */
  readonly on?: string | undefined;
  readonly nguid: string;
  readonly lbaBytes: number;
  readonly capacityBytes: number;
  /** Names its content (DiskStore.seal). */
  readonly generation: string;
}

export interface SnapshotHeader {
  readonly versions: typeof versions;
  /** Milliseconds since 1970. */
  readonly takenAt: number;
  /**
   * What the machine is made of, by the names of its settings. `machine` is the id of a machine of one's own; of the built-in
   * one there is none.
   */
  readonly hardware: Readonly<Record<string, string | number>>;
  /** What people call a machine of one's own. */
  readonly machineName?: string | undefined;
  readonly disks: readonly SnapshotDisk[];
  /** The end of what the console showed, in base64. */
  readonly console: string;
  /** Of the rest of the header and the unpacked body: hashOf(). */
  readonly sha256: string;
}

/** The file is none, is damaged, or is not for this Doorbell; a sentence for the user. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
}

/** What a snapshot says of itself, as far as the page knows it. */
export type SnapshotFront = Omit<SnapshotHeader, "versions" | "sha256">;

/** Packs a snapshot. */
export async function writeSnapshot(
  header: SnapshotFront,
  { devices, v86 }: MachineStateBytes,
): Promise<Blob> {
  const json = new TextEncoder().encode(JSON.stringify(devices));
  const body = new Uint8Array(4 + json.length + v86.byteLength);
  new DataView(body.buffer).setUint32(0, json.length, true);
  body.set(json, 4);
  body.set(new Uint8Array(v86), 4 + json.length);
  const rest = { ...header, versions };
  const full: SnapshotHeader = { ...rest, sha256: await hashOf(rest, body) };
  const headerJson = new TextEncoder().encode(JSON.stringify(full));
  const front = new Uint8Array(HEADER_AT + headerJson.length);
  front.set(new TextEncoder().encode(MAGIC));
  new DataView(front.buffer).setUint32(LENGTH_AT, headerJson.length, true);
  front.set(headerJson, HEADER_AT);
  const packed = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Blob([front, await new Response(packed).blob()], { type: "application/octet-stream" });
}

/** Reads what a file says of itself. Throws SnapshotError, also for one of another version. */
export async function readHeader(file: Blob): Promise<SnapshotHeader> {
  return readFront(await file.slice(0, HEADER_AT + MAX_HEADER_BYTES).arrayBuffer()).header;
}

function readFront(file: ArrayBuffer): { readonly header: SnapshotHeader; readonly bodyAt: number } {
  const text = (from: number, to: number) =>
    new TextDecoder().decode(new Uint8Array(file).subarray(from, to));
  if (file.byteLength < HEADER_AT || text(0, LENGTH_AT) !== MAGIC) {
    throw new SnapshotError("This file is no snapshot of a Doorbell machine.");
  }
  const length = new DataView(file).getUint32(LENGTH_AT, true);
  let header: SnapshotHeader | undefined;
  if (length <= MAX_HEADER_BYTES) {
    try {
      header = JSON.parse(text(HEADER_AT, HEADER_AT + length)) as SnapshotHeader;
    } catch {
      // Said below.
    }
  }
  if (!header?.versions || !Array.isArray(header.disks) || typeof header.hardware !== "object")
    throw new SnapshotError(DAMAGED);
  checkVersions(header.versions);
  return { header, bodyAt: HEADER_AT + length };
}

export interface ReadSnapshot {
  readonly header: SnapshotHeader;
  readonly state: MachineStateBytes;
}

/** Unpacks a snapshot and checks it against its hash. Throws SnapshotError. */
export async function readSnapshot(file: Blob): Promise<ReadSnapshot> {
  const { header, body } = await unpack(await file.arrayBuffer());
  const { sha256, ...rest } = header;
  if ((await hashOf(rest, body)) !== sha256) throw new SnapshotError(DAMAGED);
  return { header, state: stateIn(body) };
}

/** The same for a file whose own hash was checked already. */
export async function readCheckedSnapshot(file: ArrayBuffer): Promise<ReadSnapshot> {
  const { header, body } = await unpack(file);
  return { header, state: stateIn(body) };
}

/** From memory: a blob's content would come from the browser's process piece by piece. */
async function unpack(
  file: ArrayBuffer,
): Promise<{ readonly header: SnapshotHeader; readonly body: Uint8Array<ArrayBuffer> }> {
  const { header, bodyAt } = readFront(file);
  try {
    return { header, body: new Uint8Array(await gunzip(new Uint8Array(file, bodyAt))) };
  } catch {
    throw new SnapshotError(DAMAGED);
  }
}

function stateIn(body: Uint8Array<ArrayBuffer>): MachineStateBytes {
  const length = new DataView(body.buffer).getUint32(0, true);
  const devices = JSON.parse(new TextDecoder().decode(body.subarray(4, 4 + length))) as MachineDevices;
  return { devices, v86: body.buffer.slice(4 + length) };
}

const DAMAGED = "The snapshot is damaged: its content does not match its SHA-256. Delete it.";

function checkVersions(theirs: SnapshotHeader["versions"]): void {
  const because =
    theirs.format !== versions.format
      ? `it has format version ${theirs.format}, and this Doorbell reads version ${versions.format}`
      : theirs.v86 !== versions.v86
        ? `it was taken with v86 ${theirs.v86}, and this Doorbell runs v86 ${versions.v86}`
        : theirs.devices !== versions.devices
          ? `its devices have version ${theirs.devices}, and those of this Doorbell version ${versions.devices}`
          : undefined;
  if (because === undefined) return;
  throw new SnapshotError(
    `The snapshot is of another version: ${because}. Boot instead; the disks are as they were flushed last.`,
  );
}

/** The hash of the body, with that of the header in front. */
async function hashOf(
  header: Omit<SnapshotHeader, "sha256">,
  body: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const front = await sha256(new TextEncoder().encode(JSON.stringify(header)));
  const both = new TextEncoder().encode(front + (await sha256(body)));
  return await sha256(both);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, byte => byte.toString(16).padStart(2, "0")).join("");
}

/** Throws SnapshotError when the disks are not those of the snapshot any more. */
export function checkDisks(then: readonly SnapshotDisk[], now: readonly SnapshotDisk[]): void {
  const because = (name: string, what: string) =>
    new SnapshotError(
      `The snapshot cannot be restored: disk “${name}” ${what}. What the guest had in memory then does not fit the disk of now, and would destroy it. Boot instead: nothing that was flushed is lost.`,
    );
  for (const disk of then) {
    const found = now.find(({ id }) => id === disk.id);
    if (!found) throw because(disk.name, "is not in the machine now");
    if (found.generation !== disk.generation)
      throw because(disk.name, "has been written to since it was taken");
    if (
      found.nsid !== disk.nsid ||
      found.on !== disk.on ||
      found.nguid !== disk.nguid ||
      found.lbaBytes !== disk.lbaBytes ||
      found.capacityBytes !== disk.capacityBytes
    )
      throw because(disk.name, "has another size, block size or place in the machine now");
  }
  const added = now.find(({ id }) => !then.some(disk => disk.id === id));
  if (added) throw because(added.name, "was not in the machine when it was taken");
}

/** Whose snapshot is it? Undefined for the built-in machine's. */
export const machineOf = ({ hardware }: Pick<SnapshotHeader, "hardware">): string | number | undefined =>
  hardware.machine;

/** Throws SnapshotError when it is another machine, or is not made of the same parts. */
export function checkMachine(
  header: Pick<SnapshotHeader, "hardware" | "machineName">,
  now: SnapshotHeader["hardware"],
): void {
  if (machineOf(header) !== now.machine) {
    const { machineName } = header;
    const whose =
      machineOf(header) === undefined
        ? "the built-in machine"
        : machineName === undefined
          ? "another machine"
          : `machine “${machineName}”`;
    throw new SnapshotError(`The snapshot is of ${whose}: it goes on there, and nowhere else.`);
  }
  checkHardware(header.hardware, now);
}

function checkHardware(then: SnapshotHeader["hardware"], now: SnapshotHeader["hardware"]): void {
  const names = [...new Set([...Object.keys(then), ...Object.keys(now)])];
  const other = names.filter(name => then[name] !== now[name]);
  if (other.length === 0) return;
  const list = other.map(name => `${name}=${then[name] ?? "–"}, not ${now[name] ?? "–"}`).join("; ");
  throw new SnapshotError(
    now.machine === undefined
      ? `The snapshot is of a machine with other settings (${list}). Choose those in the settings, then restore it.`
      : `The machine was changed since the snapshot was taken (${list}). Change it back (Machines…), then restore it; or boot.`,
  );
}
