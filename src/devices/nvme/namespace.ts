import type { BlockDevice } from "../../storage/block_device.ts";

/** What Identify and the LBA checks need to know of a namespace; plain data, so that both threads may hold it. */
export interface NamespaceInfo {
  readonly nsid: number;
  /** log2 of the logical block size: 9 or 12. */
  readonly lbaShift: number;
  /** Size in logical blocks (NSZE). */
  readonly blocks: number;
  /** Namespace Globally Unique Identifier: 32 hex digits. */
  readonly nguid: string;
}

/** A namespace with its disk, where I/O is served. */
export interface Namespace extends NamespaceInfo {
  readonly disk: BlockDevice;
}
