import { IoVector } from "../../storage/io_vector.ts";
import { address64, isRam } from "../guest_memory.ts";
import type { GuestView } from "./guest_view.ts";
import { DESC_BYTES, Desc, DescFlag, MAX_QUEUE_SIZE } from "./spec/split_queue.ts";

/**
 * Walks descriptor chains (virtio 1.1, section 2.6.5), in place in guest memory, into two scatter/gather lists.
 *
 * Every descriptor is checked before it is used. The number of descriptors read is bounded by the size of the table
 * that they lie in, so that a chain that bites its tail cannot loop.
 */
export class DescriptorChain {
  /** What the device reads, then what it writes (section 2.6.4.2: in this order). */
  readonly readable: IoVector;
  readonly writable: IoVector;
  readonly #memory: GuestView;
  #descriptors = 0;

  constructor(memory: GuestView) {
    this.#memory = memory;
    this.readable = new IoVector(memory, MAX_QUEUE_SIZE);
    this.writable = new IoVector(memory, MAX_QUEUE_SIZE);
  }

  /** Maps the chain that starts at descriptor `head`. False if it is not one: the queue is broken then. */
  map(table: number, size: number, head: number, indirectAllowed: boolean): boolean {
    this.readable.clear();
    this.writable.clear();
    this.#descriptors = 0;
    return this.#walk(table, size, head, indirectAllowed);
  }

  #walk(table: number, size: number, head: number, indirectAllowed: boolean): boolean {
    const { data } = this.#memory;
    let index = head;
    for (let seen = 0; seen < size; seen++) {
      if (index >= size) return false;
      const at = table + index * DESC_BYTES;
      const address = address64(
        data.getUint32(at + Desc.ADDR, true),
        data.getUint32(at + Desc.ADDR + 4, true),
      );
      const length = data.getUint32(at + Desc.LEN, true);
      const flags = data.getUint16(at + Desc.FLAGS, true);
      if ((flags & DescFlag.INDIRECT) !== 0) {
        // Section 2.6.5.3.1: the last of its chain, never within a table, and only when negotiated.
        if (!indirectAllowed || (flags & DescFlag.NEXT) !== 0) return false;
        const entries = length / DESC_BYTES;
        if (!Number.isInteger(entries) || entries === 0 || !isRam(this.#memory, address, length))
          return false;
        return this.#walk(address, entries, 0, false);
      }
      if (!this.#add(address, length, (flags & DescFlag.WRITE) !== 0)) return false;
      if ((flags & DescFlag.NEXT) === 0) return true;
      index = data.getUint16(at + Desc.NEXT, true);
    }
    return false;
  }

  #add(address: number, length: number, writable: boolean): boolean {
    if (length === 0 || !isRam(this.#memory, address, length)) return false;
    // Section 2.6.5.3.1: no chain is longer than a queue can be, indirect or not.
    if (++this.#descriptors > MAX_QUEUE_SIZE) return false;
    if (writable) this.writable.add(address, length);
    else if (this.writable.count > 0) return false;
    else this.readable.add(address, length);
    return true;
  }
}
