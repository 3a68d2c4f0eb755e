import { describe, expect, it } from "vitest";
import { BlobImage } from "../../storage/overlay/blob_image.ts";
import { ImageBuffer } from "./image_buffer.ts";

const CHUNK = 4096;

/** Each byte is its place in units of 256, so that misplaced data shows. */
const bytes = Uint8Array.from({ length: 3 * CHUNK + 2048 }, (_, at) => (at >> 8) & 0xff);
const image = () => new BlobImage("a.iso", new Blob([bytes]), CHUNK);
const read = (buffer: ImageBuffer, start: number, length: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    buffer.onReadError = reject;
    buffer.get(start, length, resolve);
  });

describe("ImageBuffer", () => {
  it("reads across chunks, and at once what it has read before", async () => {
    const buffer = new ImageBuffer(image());
    expect(buffer.byteLength).toBe(bytes.length);
    expect(buffer.get_from_cache(2048, 2048)).toBeUndefined();
    expect(await read(buffer, 2048, 2 * CHUNK)).toEqual(bytes.slice(2048, 2048 + 2 * CHUNK));
    expect(buffer.get_from_cache(CHUNK, 2048)).toEqual(bytes.slice(CHUNK, CHUNK + 2048));
    let answered = false;
    buffer.get(CHUNK, 2048, () => {
      answered = true;
    });
    expect(answered).toBe(true);
  });

  it("gives zeroes for what lies outside, and never more than a drive could want", async () => {
    const buffer = new ImageBuffer(image());
    const end = await read(buffer, 3 * CHUNK, 4096);
    expect(end.subarray(0, 2048)).toEqual(bytes.subarray(3 * CHUNK));
    expect(end.subarray(2048).every(byte => byte === 0)).toBe(true);
    const before = await read(buffer, -2048, 4096);
    expect(before.subarray(0, 2048).every(byte => byte === 0)).toBe(true);
    expect(before.subarray(2048)).toEqual(bytes.subarray(0, 2048));
    expect((await read(buffer, -(2 ** 42), 2 ** 41)).length).toBe(128 * 2 ** 20);
  });

  it("asks for a chunk once, however many want it, and tells of one that cannot be read", async () => {
    const source = image();
    const readIt = source.read.bind(source);
    const asked: number[] = [];
    source.read = chunk => {
      asked.push(chunk);
      return chunk === 2 ? Promise.reject(new Error("gone")) : readIt(chunk);
    };
    const buffer = new ImageBuffer(source);
    await Promise.all([read(buffer, 0, 2048), read(buffer, 2048, 2048)]);
    await expect(read(buffer, 2 * CHUNK, 2048)).rejects.toThrow("gone");
    await expect(read(buffer, 2 * CHUNK, 2048)).rejects.toThrow("gone");
    expect(asked).toEqual([0, 2, 2]);
  });
});
