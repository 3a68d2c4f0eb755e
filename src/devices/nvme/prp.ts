import type { IoVector } from "../../storage/io_vector.ts";
import { address64, type GuestMemory, isRam } from "../guest_memory.ts";
import { PAGE_BYTES, PAGE_MASK } from "./spec/registers.ts";
import { Status, type StatusCode } from "./spec/status.ts";

/** What a driver has not filled in. */
const NULL_ENTRY = 0;

/**
 * Walks Physical Region Pages into a scatter/gather list (NVMe 1.4, section 4.3), in place in guest memory.
 *
 * Every entry is checked before it is used: a data pointer outside RAM ends the command with Data Transfer Error, a
 * wrong offset with PRP Offset Invalid, an entry that is needed and is null with Invalid Field: the host has forgotten it,
 * and data at address 0 would destroy its interrupt vectors. The number of entries read is bounded by `byteLength`, so a
 * list that chains to itself cannot loop.
 */
export function mapPrp(
  memory: GuestMemory,
  prp1: number,
  prp2: number,
  byteLength: number,
  into: IoVector,
): StatusCode {
  into.clear();
  if (prp1 === NULL_ENTRY) return Status.invalidField;
  // Section 4.3: PRP1 may have any dword-aligned offset.
  if ((prp1 & 3) !== 0) return Status.invalidPrpOffset;
  const first = Math.min(byteLength, PAGE_BYTES - (prp1 & PAGE_MASK));
  if (!isRam(memory, prp1, first)) return Status.dataTransferError;
  into.add(prp1, first);
  let left = byteLength - first;
  if (left === 0) return Status.success;

  if (prp2 === NULL_ENTRY) return Status.invalidField;
  if (left <= PAGE_BYTES) {
    // PRP2 is the second page itself and has no offset.
    if ((prp2 & PAGE_MASK) !== 0) return Status.invalidPrpOffset;
    if (!isRam(memory, prp2, left)) return Status.dataTransferError;
    into.add(prp2, left);
    return Status.success;
  }

  // PRP2 points to a list: qword-aligned, and it may start anywhere in its page.
  if ((prp2 & 7) !== 0) return Status.invalidPrpOffset;
  let entry = prp2;
  let listEnd = prp2 - (prp2 & PAGE_MASK) + PAGE_BYTES;
  if (!isRam(memory, entry, listEnd - entry)) return Status.dataTransferError;
  while (left > 0) {
    const word = entry / 4;
    const address = address64(memory.words[word], memory.words[word + 1]);
    if (address === NULL_ENTRY) return Status.invalidField;
    if ((address & PAGE_MASK) !== 0) return Status.invalidPrpOffset;
    if (entry + 8 === listEnd && left > PAGE_BYTES) {
      // The last entry of a full list page is the address of the next list page.
      if (!isRam(memory, address, PAGE_BYTES)) return Status.dataTransferError;
      entry = address;
      listEnd = address + PAGE_BYTES;
      continue;
    }
    const length = Math.min(left, PAGE_BYTES);
    if (!isRam(memory, address, length)) return Status.dataTransferError;
    into.add(address, length);
    left -= length;
    entry += 8;
  }
  return Status.success;
}
