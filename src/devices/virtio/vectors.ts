import type { IoVector } from "../../storage/io_vector.ts";

/** Cutting IoVectors, in place: headers and data share descriptors as the driver likes (virtio 1.1, section 2.6.4). */

/** Removes the first `length` bytes. */
export function dropFront(vector: IoVector, length: number): void {
  let left = length;
  let segment = 0;
  while (segment < vector.count && left >= vector.lengths[segment]) left -= vector.lengths[segment++];
  vector.offsets.copyWithin(0, segment, vector.count);
  vector.lengths.copyWithin(0, segment, vector.count);
  vector.count -= segment;
  if (left > 0) {
    vector.offsets[0] += left;
    vector.lengths[0] -= left;
  }
  vector.byteLength -= length;
}

/** Keeps only the first `length` bytes. */
export function keepFront(vector: IoVector, length: number): void {
  let excess = vector.byteLength - length;
  while (excess > 0) {
    const last = vector.count - 1;
    const cut = Math.min(excess, vector.lengths[last]);
    vector.lengths[last] -= cut;
    if (vector.lengths[last] === 0) vector.count = last;
    excess -= cut;
  }
  vector.byteLength = Math.min(vector.byteLength, length);
}

/** Address of the last byte of a vector that has one. */
export function lastByte(vector: IoVector): number {
  return vector.offsets[vector.count - 1] + vector.lengths[vector.count - 1] - 1;
}

/** Copies the first `length` bytes out of memory. */
export function copyFromVector(vector: IoVector, into: Uint8Array, length: number): void {
  let at = 0;
  for (let i = 0; at < length; i++) {
    const taken = Math.min(vector.lengths[i], length - at);
    const start = vector.offsets[i];
    // Headers are a few bytes: a loop is cheaper than a view.
    for (let b = 0; b < taken; b++) into[at + b] = vector.memory[start + b];
    at += taken;
  }
}

/** Copies the first `length` bytes of `from` into memory, or as many as the vector has room for. */
export function copyToVector(vector: IoVector, from: Uint8Array, length: number): void {
  let at = 0;
  const end = Math.min(length, vector.byteLength);
  for (let i = 0; at < end; i++) {
    const taken = Math.min(vector.lengths[i], end - at);
    vector.memory.set(from.subarray(at, at + taken), vector.offsets[i]);
    at += taken;
  }
}
