import type { ReadOnlyImage } from "../../storage/overlay/read_only_image.ts";
import type { V86Buffer } from "./media.ts";

/** Most of an image that is kept in memory, in bytes. */
const CACHE_BYTES = 64 * 2 ** 20;
/** No command of a CD drive that means well asks for more; one that does gets so much. */
const MAX_READ_BYTES = 128 * 2 ** 20;

/** A read-only image as a medium of v86's CD drive: read by chunks when it is asked for, and kept for a while. */
export class ImageBuffer implements V86Buffer {
  readonly byteLength: number;
  onload?: (event: object) => void;
  readonly #image: ReadOnlyImage;
  /** The one that was used last is the last one. */
  readonly #chunks = new Map<number, Uint8Array>();
  readonly #loading = new Map<number, Promise<Uint8Array>>();

  /** Told of a read that could not be done; its `done` is never called then. */
  onReadError: (error: unknown) => void = () => {};

  constructor(image: ReadOnlyImage) {
    this.#image = image;
    this.byteLength = image.byteLength;
  }

  load(): void {
    this.onload?.({});
  }

  get(start: number, length: number, done: (data: Uint8Array) => void): void {
    const cached = this.get_from_cache(start, length);
    if (cached) {
      done(cached);
      return;
    }
    const bytes = Math.min(length, MAX_READ_BYTES);
    const loading = this.#chunksOf(start, bytes).map(chunk => this.#load(chunk));
    Promise.all(loading)
      .then(chunks => this.#assemble(start, bytes, index => chunks[index]))
      .then(done, (error: unknown) => this.onReadError(error));
  }

  get_and_cache(start: number, length: number, done: (data: Uint8Array) => void): void {
    this.get(start, length, done);
  }

  get_from_cache(start: number, length: number): Uint8Array | undefined {
    const bytes = Math.min(length, MAX_READ_BYTES);
    const chunks: Uint8Array[] = [];
    for (const chunk of this.#chunksOf(start, bytes)) {
      const data = this.#chunks.get(chunk);
      if (!data) return undefined;
      chunks.push(data);
    }
    return this.#assemble(start, bytes, index => chunks[index]);
  }

  /** A CD-ROM takes nothing; v86's drive does not try. */
  set(_start: number, _data: Uint8Array, done: () => void): void {
    done();
  }

  get_buffer(done: (buffer?: ArrayBuffer) => void): void {
    done();
  }

  /** Nothing of it ever changes. */
  get_state(): unknown[] {
    return [];
  }

  set_state(): void {}

  /** The chunks that a range lies in, as far as they exist. */
  #chunksOf(start: number, length: number): number[] {
    const { chunkBytes } = this.#image;
    const first = Math.floor(Math.max(0, start) / chunkBytes);
    const end = Math.ceil(Math.min(this.byteLength, start + length) / chunkBytes);
    return Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index);
  }

  /** What lies outside of the image reads as zeroes. */
  #assemble(start: number, length: number, chunkAt: (index: number) => Uint8Array): Uint8Array {
    const data = new Uint8Array(length);
    const { chunkBytes } = this.#image;
    for (const [index, chunk] of this.#chunksOf(start, length).entries()) {
      const at = chunk * chunkBytes - start;
      const from = Math.max(0, -at);
      const to = Math.min(chunkBytes, this.byteLength - chunk * chunkBytes, length - at);
      data.set(chunkAt(index).subarray(from, to), at + from);
    }
    return data;
  }

  #load(chunk: number): Promise<Uint8Array> {
    const cached = this.#chunks.get(chunk);
    if (cached) {
      this.#chunks.delete(chunk);
      this.#chunks.set(chunk, cached);
      return Promise.resolve(cached);
    }
    const loading = this.#loading.get(chunk) ?? this.#read(chunk);
    this.#loading.set(chunk, loading);
    return loading;
  }

  async #read(chunk: number): Promise<Uint8Array> {
    const { chunkBytes } = this.#image;
    try {
      const data = (await this.#image.read(chunk)) ?? new Uint8Array(chunkBytes);
      this.#chunks.set(chunk, data);
      for (const [oldest] of this.#chunks) {
        if (this.#chunks.size * chunkBytes <= CACHE_BYTES) break;
        this.#chunks.delete(oldest);
      }
      return data;
    } finally {
      this.#loading.delete(chunk);
    }
  }
}
