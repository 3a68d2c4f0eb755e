import { IoVector } from "../../../storage/io_vector.ts";
import { MAX_TRANSFER_BYTES } from "../spec/registers.ts";

/** Memory of the controller's own, for blocks that do not go to or come from guest memory. Taken at first use. */
export class StagingBuffer {
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #words: Int32Array | undefined;
  #vector: IoVector | undefined;

  /** The same memory in words; index = offset / 4. */
  get words(): Int32Array {
    this.#words ??= new Int32Array(this.bytes.buffer);
    return this.#words;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    this.#bytes ??= new Uint8Array(MAX_TRANSFER_BYTES);
    return this.#bytes;
  }

  /** A part of it, for the block device to read into or write from. The one vector, reused. */
  part(offset: number, byteLength: number): IoVector {
    this.#vector ??= new IoVector(this.bytes, 1);
    this.#vector.clear();
    this.#vector.add(offset, byteLength);
    return this.#vector;
  }
}
