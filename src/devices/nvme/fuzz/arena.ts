import { PAGE, putSgl, type Rig, type SglDescriptor } from "../testing/driver.ts";
import type { Pointer } from "./template.ts";

const CANARY = 0xa5;
export const DATA_PAGES = 20;
const QUEUE_PAGES = 10;

/**
 * The guest's RAM: pages that it lends to the device, and canaries in all others. What the device must not write to is
 * looked at after each batch; what one command alone may write, byte by byte.
 */
export class Arena {
  readonly #rig: Rig;
  /** Every other page, for data and PRP lists. */
  readonly data: readonly number[];
  /** One for each queue's memory. */
  readonly queues: readonly number[];
  /** Holds SGL segments and nothing else. */
  readonly sgl: number;
  readonly shadow: number;
  readonly eventIdx: number;
  readonly #canaries: readonly number[];
  readonly #untouched = new Uint8Array(PAGE).fill(CANARY);

  constructor(rig: Rig) {
    this.#rig = rig;
    const next = () => {
      rig.alloc(PAGE);
      return rig.alloc(PAGE);
    };
    this.data = Array.from({ length: DATA_PAGES }, next);
    this.queues = Array.from({ length: QUEUE_PAGES }, next);
    this.sgl = next();
    this.shadow = next();
    this.eventIdx = next();
    const lent = new Set([...this.data, ...this.queues, this.sgl, this.shadow, this.eventIdx]);
    const { bytes } = rig.memory;
    const canaries = [];
    for (let page = 0; page < bytes.length; page += PAGE) {
      if (lent.has(page)) continue;
      bytes.fill(CANARY, page, page + PAGE);
      canaries.push(page);
    }
    this.#canaries = canaries;
  }

  /** Throws if the device has written where it was never allowed to. */
  check(): void {
    const { bytes } = this.#rig.memory;
    for (const page of this.#canaries) {
      if (Buffer.compare(bytes.subarray(page, page + PAGE), this.#untouched) === 0) continue;
      throw new Error(`the device wrote to the page at ${page.toString(16)}h`);
    }
  }

  /** An address: of a data page, or one that is no RAM. */
  address({ page, offset }: Pointer): number {
    const { byteLength } = this.#rig.memory;
    return (
      (page >= 0 ? this.data[page] : [0, 0xa0000, byteLength, 2 ** 32, 2 ** 64 - 2 ** 12][-page - 1]) + offset
    );
  }

  writeList(page: number, entries: readonly Pointer[]): void {
    const { words } = this.#rig.memory;
    for (let i = 0; i < PAGE / 8; i++) {
      const to = this.address(entries[i % entries.length]);
      words[(this.data[page] + i * 8) / 4] = to % 2 ** 32;
      words[(this.data[page] + i * 8) / 4 + 1] = Math.floor(to / 2 ** 32);
    }
  }

  writeSgl(entries: readonly SglDescriptor[]): void {
    for (let i = 0; i < PAGE / 16; i++) {
      putSgl(this.#rig.memory.words, (this.sgl + i * 16) / 4, entries[i % entries.length]);
    }
  }

  /** All pages for data, copied. */
  snapshot(): Uint8Array {
    const copy = new Uint8Array(this.data.length * PAGE);
    for (const [i, page] of this.data.entries()) {
      copy.set(this.#rig.memory.bytes.subarray(page, page + PAGE), i * PAGE);
    }
    return copy;
  }

  /** The first byte that is not as in the snapshot and that `mayWrite` does not allow; or undefined. */
  firstUnexpected(before: Uint8Array, mayWrite: (address: number) => boolean): number | undefined {
    const { bytes } = this.#rig.memory;
    for (const [i, page] of this.data.entries()) {
      const now = bytes.subarray(page, page + PAGE);
      const old = before.subarray(i * PAGE, (i + 1) * PAGE);
      if (Buffer.compare(now, old) === 0) continue;
      for (let at = 0; at < PAGE; at++) if (now[at] !== old[at] && !mayWrite(page + at)) return page + at;
    }
    return undefined;
  }
}
