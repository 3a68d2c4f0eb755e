import type { IoVector } from "../../storage/io_vector.ts";
import { address64, type GuestMemory, isRam } from "../guest_memory.ts";
import { Status, type StatusCode } from "./spec/status.ts";

/** Scatter Gather Lists: NVMe 1.4, section 4.4. */

/** SGL descriptor types, 7:4 of a descriptor's last byte (figure 109). The sub type, 3:0, is always 0 (an address). */
export const SglType = { dataBlock: 0x00, bitBucket: 0x10, segment: 0x20, lastSegment: 0x30 } as const;

export const SGL_DESCRIPTOR_BYTES = 16;

/**
 * SGLS of Identify Controller (figure 247): data blocks have dword alignment and granularity, bit buckets are there, and
 * a list may be longer than the transfer.
 */
export const SGL_SUPPORT = 0b10 | (1 << 16) | (1 << 18);

/** Whose memory the list describes: a bit bucket counts only where data goes to the host. */
export type TransferDirection = "toHost" | "fromHost";

/** A descriptor. In an SQE it is in place of the PRP entries. */
export interface SglDescriptor {
  readonly sglAddress: number;
  readonly sglLength: number;
  /** The last byte: type and sub type. */
  readonly sglIdentifier: number;
}

/**
 * Descriptors that a list may have without any data in them, beyond one for each that has some: empty ones and pointers.
 * A list that leads back into itself ends there.
 */
const IDLE_DESCRIPTORS = 4096;

/** Walks a list into a scatter/gather vector, in place in guest memory. Each descriptor is checked before it is used. */
export function mapSgl(
  memory: GuestMemory,
  first: SglDescriptor,
  byteLength: number,
  direction: TransferDirection,
  into: IoVector,
): StatusCode {
  into.clear();
  let { sglAddress: address, sglLength: length, sglIdentifier: identifier } = first;
  // The segment that is being walked. The descriptor in the SQE is as the last one of a segment.
  let at = 0;
  let end = 0;
  let inLastSegment = false;
  let idle = IDLE_DESCRIPTORS;
  for (;;) {
    if (identifier === SglType.segment || identifier === SglType.lastSegment) {
      if (at !== end) return Status.invalidSglCount;
      if (inLastSegment || length === 0 || length % SGL_DESCRIPTOR_BYTES !== 0 || address % 8 !== 0) {
        return Status.invalidSglSegment;
      }
      if (!isRam(memory, address, length)) return Status.dataTransferError;
      inLastSegment = identifier === SglType.lastSegment;
      at = address;
      end = address + length;
      idle -= 1;
    } else if (identifier === SglType.dataBlock || identifier === SglType.bitBucket) {
      const isBucket = identifier === SglType.bitBucket;
      if (!isBucket && (address % 4 !== 0 || length % 4 !== 0)) return Status.sglGranularityInvalid;
      const part = isBucket && direction === "fromHost" ? 0 : Math.min(length, byteLength - into.byteLength);
      if (part > 0) {
        if (isBucket) into.addDiscard(part);
        else if (isRam(memory, address, part)) into.add(address, part);
        else return Status.dataTransferError;
        if (into.byteLength === byteLength) return Status.success;
      }
      idle += part > 0 ? 1 : -1;
    } else {
      return Status.sglTypeInvalid;
    }
    if (at === end) return Status.dataSglLengthInvalid;
    if (idle < 0) return Status.invalidSglCount;
    const w = at / 4;
    address = address64(memory.words[w], memory.words[w + 1]);
    length = memory.words[w + 2] >>> 0;
    identifier = memory.words[w + 3] >>> 24;
    at += SGL_DESCRIPTOR_BYTES;
  }
}
