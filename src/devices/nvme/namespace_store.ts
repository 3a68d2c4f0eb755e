import type { BlockDevice } from "../../storage/block_device.ts";
import type { NamespaceInfo } from "./namespace.ts";

/** A namespace that exists, whether or not it is attached to the controller (NVMe 1.4, section 6.1.4). */
export interface AllocatedNamespace extends NamespaceInfo {
  /** Bytes that it takes in storage; as of the last time that it was known, for one that is not attached. */
  readonly allocatedBytes: number;
  /** What serves it; undefined while it is not attached. */
  readonly disk: BlockDevice | undefined;
}

/** What a namespace that is to be created is like. */
export interface NewNamespace {
  /** log2 of the logical block size. */
  readonly lbaShift: number;
  /** Size in logical blocks. */
  readonly blocks: number;
}

/** Why a store does not do what it was asked for. */
export type NamespaceRefusal =
  /** There is not so much room, or no disk can be so large. */
  | "insufficient-capacity"
  /** No disk can be so small. */
  | "too-small"
  /** All namespace ids are given away. */
  | "identifier-unavailable"
  | "not-allocated"
  | "already-attached"
  | "not-attached"
  /** The machine needs it, or only works on copies of its disks. */
  | "protected";

export class NamespaceError extends Error {
  override readonly name = "NamespaceError";
  readonly refusal: NamespaceRefusal;

  constructor(refusal: NamespaceRefusal) {
    super(`The namespace store refuses: ${refusal}.`);
    this.refusal = refusal;
  }
}

/** Who serves I/O from a store's disks. */
export interface NamespaceUser {
  /**
   * Stops using a namespace's disk: commands that are fetched from now on are refused. Resolves when those under way
   * have ended. Never rejects. In force until the next changed().
   */
  withdraw(nsid: number): Promise<void>;
  /** `list()` says something else than before. */
  changed(): void;
}

/**
 * The disks behind the namespaces of an NVM subsystem, as the serving side has them: the machine's disk catalogue, or
 * memory in tests. What has resolved is durable: it is so after a restart. Everything rejects with NamespaceError, or
 * with StorageError when storage fails; then nothing has changed.
 */
export interface NamespaceStore {
  /** Namespace ids run from 1 to this number (NN): at most MAX_NAMESPACES. */
  readonly highestNsid: number;
  list(): readonly AllocatedNamespace[];
  /** Has `user` told of changes, in the place of the one before. */
  use(user: NamespaceUser): void;
  /** Bytes that new namespaces may take without promising more than there is. */
  unallocatedBytes(): Promise<number>;
  /** Resolves to the namespace's id. It is empty and not attached. */
  create(namespace: NewNamespace): Promise<number>;
  /** Deletes all that is on it as well. One that is attached is withdrawn first. */
  delete(nsid: number): Promise<void>;
  /** Deletes everything on a namespace that is not attached. */
  erase(nsid: number): Promise<void>;
  attach(nsid: number): Promise<void>;
  /** Withdraws it, makes durable what was written, and releases the disk. */
  detach(nsid: number): Promise<void>;
  /** Changes the logical block size of an attached namespace that is withdrawn; its content is zeroes by then. */
  setLbaShift(nsid: number, lbaShift: number): Promise<void>;
}
