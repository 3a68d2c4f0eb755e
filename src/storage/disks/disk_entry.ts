/** What the catalogue knows of a disk, and what it accepts. */
import type { LbaBytes } from "../disk_store.ts";

/** The backends that a disk can be kept by. "http": an image on a server under an overlay of what was written. */
export type DiskKind = "indexeddb" | "opfs" | "http";

export interface DiskEntry {
  /** What storage knows the disk by; never changes. */
  readonly id: string;
  /** What people call it; unique. */
  readonly name: string;
  readonly kind: DiskKind;
  /** For "http": the image below the overlay, and its manifest if there is one. */
  readonly base?: { readonly url: string; readonly manifestUrl?: string } | undefined;
  readonly lbaBytes: LbaBytes;
  /** Bytes that the guest sees: a multiple of lbaBytes. Storage may hold whole chunks, and so a little more. */
  readonly capacityBytes: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** In the machine, now or at its next boot. The disks of every machine always are. */
  readonly attached: boolean;
  /** Its NVMe namespace id, once it has been attached: see namespace_numbers.ts. The machine's own disks have none here. */
  readonly nsid?: number | undefined;
  /**
   * Not attached, but the controller knows it: the guest has made it or detached it, and may attach, erase or delete it.
   * A disk that the page has detached is out of the guest's reach.
   */
  readonly allocated?: boolean | undefined;
  /** Namespace Globally Unique Identifier: 32 hex digits. */
  readonly nguid: string;
  readonly state: DiskState;
  /** Name of the Web Lock that is held while the state is "incomplete" or "deleting" and someone is at it. */
  readonly work?: string | undefined;
}

export type DiskState =
  | "ready"
  /** Nothing is on it: storage may hold nothing, or something that is to be deleted first. */
  | "empty"
  /** Being filled by an import or a clone, or by one that was interrupted: worthless. */
  | "incomplete"
  /** Being deleted, or half deleted. */
  | "deleting";

/** The catalogue cannot do what it was asked for; a sentence that says what to do. */
export class CatalogueError extends Error {
  override readonly name = "CatalogueError";
}

/** The disks that every machine has, whatever is in the catalogue: they stay, and keep their names. */
export const SYSTEM = "system";
export const SCRATCH = "scratch";
export const isBuiltIn = (id: string): boolean => id === SYSTEM || id === SCRATCH;

export const MIN_CAPACITY_BYTES = 2 ** 20;
/** What is kept in memory of each chunk of an open disk (about 21 bytes) makes more a burden. */
export const MAX_CAPACITY_BYTES = 2 ** 38;
const MAX_NAME_LENGTH = 48;

/** Throws CatalogueError for a name that no disk may have. It is also the name of the file of an export. */
export function checkDiskName(name: string): void {
  const why = isBuiltIn(name)
    ? "that is a disk of the machine itself"
    : name === ""
      ? "it is empty"
      : name.length > MAX_NAME_LENGTH
        ? `it has ${name.length} characters`
        : (/[^\p{L}\p{N} ._-]/u.exec(name)?.[0] ?? "") !== ""
          ? `it has “${/[^\p{L}\p{N} ._-]/u.exec(name)?.[0]}” in it`
          : !/^[\p{L}\p{N}]/u.test(name)
            ? "it does not begin with a letter or a digit"
            : /[ .]$/.test(name)
              ? "it ends with a space or a dot"
              : undefined;
  if (why === undefined) return;
  throw new CatalogueError(
    `A disk cannot be called “${name}”: ${why}. Use up to ${MAX_NAME_LENGTH} letters, digits, spaces, dots, dashes and underscores.`,
  );
}

/** Throws CatalogueError for a size, in bytes, that no disk may be created with. */
export function checkCapacity(capacityBytes: number, lbaBytes: LbaBytes): void {
  if (lbaBytes !== 512 && lbaBytes !== 4096) {
    throw new CatalogueError(`A logical block has 512 or 4096 bytes, not ${lbaBytes}.`);
  }
  if (!(capacityBytes >= MIN_CAPACITY_BYTES && capacityBytes <= MAX_CAPACITY_BYTES)) {
    throw new CatalogueError(`A disk has between 1 MiB and 256 GiB, not ${capacityBytes} bytes.`);
  }
  if (capacityBytes % lbaBytes !== 0) {
    throw new CatalogueError(
      `The size of a disk must be a multiple of its logical block of ${lbaBytes} bytes; ${capacityBytes} is none.`,
    );
  }
}

/** A new id for a disk called `name`: readable, as it shows in the browser's developer tools. */
export function freshId(name: string): string {
  const words =
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-|-$/g, "") || "disk";
  return `${words}-${randomHex(4)}`;
}

/** A random NGUID with the prefix of those that the machine gives its own disks. */
export const freshNguid = (): string => `d00bbe1100004000${randomHex(8)}`;

export function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, byte => byte.toString(16).padStart(2, "0")).join("");
}

/** Is the disk whole, and may be used? */
export const isWhole = ({ state }: DiskEntry): boolean => state === "ready" || state === "empty";
