import type { NamespaceInfo } from "../namespace.ts";
import { ByteRanges } from "./byte_ranges.ts";

/** A namespace is known by its NGUID, which stays with what is on it, whatever happens to its id and its disk. */
type Marked = Pick<NamespaceInfo, "nguid">;

/**
 * What Write Uncorrectable (section 6.16) has marked: reads of it fail until it is written. Kept in bytes, and in memory
 * only: resets, reboots of the guest and detaching leave it, a reload of the page forgets it.
 */
export class UncorrectableBlocks {
  readonly #marked = new Map<string, ByteRanges>();

  mark({ nguid }: Marked, offset: number, byteLength: number): void {
    let ranges = this.#marked.get(nguid);
    if (!ranges) {
      ranges = new ByteRanges();
      this.#marked.set(nguid, ranges);
    }
    ranges.add(offset, offset + byteLength);
  }

  /** The range has been written, zeroed or deallocated. */
  heal({ nguid }: Marked, offset: number, byteLength: number): void {
    this.#marked.get(nguid)?.remove(offset, offset + byteLength);
  }

  /** All of it was deleted. */
  healAll({ nguid }: Marked): void {
    this.#marked.delete(nguid);
  }

  /** Namespaces other than these are no more. */
  forgetAllBut(namespaces: readonly Marked[]): void {
    for (const nguid of this.#marked.keys()) {
      if (!namespaces.some(each => each.nguid === nguid)) this.#marked.delete(nguid);
    }
  }

  /** Byte offset of the first marked block in a range; undefined if all of it can be read. */
  firstWithin({ nguid }: Marked, offset: number, byteLength: number): number | undefined {
    return this.#marked.get(nguid)?.firstWithin(offset, offset + byteLength);
  }
}
