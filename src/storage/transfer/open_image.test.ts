import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { MemoryBackend } from "../memory_backend.ts";
import { ImageError, type ImageSource } from "./image_source.ts";
import { openImage } from "./open_image.ts";
import { TransferCancelled, type TransferControl } from "./transfer_control.ts";
import { writeImage } from "./write_image.ts";

const CHUNK = 64 * 1024;
const MAX_BYTES = 1 << 30;

function controlled(): TransferControl & { readonly done: number[]; cancel(): void } {
  const abort = new AbortController();
  const done: number[] = [];
  return {
    signal: abort.signal,
    progress: bytes => done.push(bytes),
    done,
    cancel: () => abort.abort(),
  };
}

const blobOf = (bytes: Uint8Array) => new Blob([bytes as Uint8Array<ArrayBuffer>]);

/** Content with a hole of whole chunks, single bytes near borders, and an odd end. */
function sparse(): Uint8Array {
  const bytes = new Uint8Array(150 * CHUNK + 513);
  bytes.fill(1, 0, CHUNK + 1);
  bytes[100 * CHUNK - 1] = 2;
  bytes[bytes.length - 1] = 3;
  return bytes;
}

async function written(image: ImageSource, control = controlled()): Promise<MemoryBackend> {
  const disk = new MemoryBackend(CHUNK, Math.ceil(image.byteLength / CHUNK));
  await writeImage(image, disk, control);
  return disk;
}

async function contentOf(disk: MemoryBackend): Promise<Uint8Array> {
  const content = new Uint8Array(disk.chunkBytes * disk.chunkCount);
  const chunks = await disk.list();
  (await disk.read(chunks)).forEach((data, i) => {
    if (data) content.set(data, chunks[i] * disk.chunkBytes);
  });
  return content;
}

describe("openImage and writeImage", () => {
  for (const format of ["raw", "gzip"] as const) {
    it(`write a ${format} image; its zeroes take no room, and its end is padded`, async () => {
      const bytes = sparse();
      const control = controlled();
      const file = blobOf(format === "raw" ? bytes : gzipSync(bytes));
      const image = await openImage(file, MAX_BYTES, control);
      expect([image.format, image.byteLength]).toEqual([format, bytes.length]);
      const disk = await written(image, control);
      expect(await disk.list()).toEqual([0, 1, 99, 150]);
      const content = await contentOf(disk);
      expect(Buffer.compare(content.subarray(0, bytes.length), bytes)).toBe(0);
      expect(content.subarray(bytes.length).every(byte => byte === 0)).toBe(true);
      expect(control.done.at(-1)).toBe(bytes.length);
    });
  }

  it("keep no more than a commit in memory, and copy nothing twice", async () => {
    const image = await openImage(blobOf(new Uint8Array(200 * CHUNK).fill(7)), MAX_BYTES, controlled());
    const disk = new MemoryBackend(CHUNK, 200);
    const commits: number[] = [];
    const commit = disk.commit.bind(disk);
    disk.commit = changes => {
      commits.push(changes.length);
      return commit(changes);
    };
    await writeImage(image, disk, controlled());
    expect(Math.max(...commits)).toBe(64);
    expect(commits.reduce((sum, count) => sum + count, 0)).toBe(200);
  });

  it("stop when they are cancelled", async () => {
    const control = controlled();
    const image = await openImage(blobOf(new Uint8Array(400 * CHUNK).fill(7)), MAX_BYTES, control);
    const disk = new MemoryBackend(CHUNK, 400);
    const writing = writeImage(image, disk, { ...control, progress: () => control.cancel() });
    await expect(writing).rejects.toThrow(TransferCancelled);
    expect((await disk.list()).length).toBeLessThan(400);
  });

  it("cancel the first pass over a gzip image as well", async () => {
    const control = controlled();
    control.cancel();
    const file = blobOf(gzipSync(new Uint8Array(1 << 20).fill(7)));
    await expect(openImage(file, MAX_BYTES, control)).rejects.toThrow(TransferCancelled);
  });

  const refusals: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["an empty file", new Uint8Array(), /empty/],
    ["gzip of nothing", gzipSync(""), /empty/],
    ["gzip that was cut off", gzipSync(sparse()).subarray(0, 200), /damaged, or ends too early/],
    ["VMDK", Buffer.from("KDMV".padEnd(600)), /VMDK.*qemu-img convert/],
    ["xz", Buffer.from("\xfd7zXZ\0".padEnd(600), "latin1"), /packed with xz/],
    ["too large an image", new Uint8Array(5000), /at most 4096/],
    ["too large an image, packed", gzipSync(new Uint8Array(5000)), /more than 4096/],
  ];
  for (const [what, bytes, message] of refusals) {
    it(`refuse ${what}`, async () => {
      const limit = what.startsWith("too large") ? 4096 : MAX_BYTES;
      await expect(openImage(blobOf(bytes), limit, controlled())).rejects.toThrow(message);
      await expect(openImage(blobOf(bytes), limit, controlled())).rejects.toThrow(ImageError);
    });
  }

  it("refuse a qcow2 image that is packed once more", async () => {
    const file = blobOf(gzipSync(Buffer.from("QFI\xfb and more", "latin1")));
    await expect(openImage(file, MAX_BYTES, controlled())).rejects.toThrow(/qcow2 image packed with gzip/);
  });

  it("say so when the file cannot be read any more", async () => {
    const file = blobOf(new Uint8Array(5000).fill(1));
    const image = await openImage(file, MAX_BYTES, controlled());
    file.slice = () => {
      throw new DOMException("gone", "NotReadableError");
    };
    await expect(written(image)).rejects.toThrow(/could not be read to its end/);
  });
});
