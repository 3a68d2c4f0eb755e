import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Content, qcow2, type Recipe } from "../testing/qcow2_writer.ts";
import { ImageError } from "./image_source.ts";
import { openImage } from "./open_image.ts";

const MAX_BYTES = 1 << 30;
const control = { signal: new AbortController().signal, progress: () => {} };
const KIB = 1024;

/** The whole disk of an image, with what the source promises checked on the way. */
async function diskOf(bytes: Uint8Array, maxBytes = MAX_BYTES): Promise<Uint8Array> {
  const image = await openImage(new Blob([bytes as Uint8Array<ArrayBuffer>]), maxBytes, control);
  expect(image.format).toBe("qcow2");
  const disk = new Uint8Array(image.byteLength);
  let end = 0;
  for await (const { offset, data } of image.pieces()) {
    expect(offset).toBeGreaterThanOrEqual(end);
    end = offset + data.length;
    expect(end).toBeLessThanOrEqual(image.byteLength);
    disk.set(data, offset);
  }
  return disk;
}

const mixed: readonly Content[] = ["plain", "plain", "absent", "compressed", "zero", "compressed", "plain"];
const recipe: Recipe = { version: 3, clusterBits: 12, byteLength: 28 * KIB, clusters: mixed };

describe("openQcow2", () => {
  for (const version of [2, 3] as const) {
    for (const clusterBits of [9, 12, 16, 21]) {
      it(`reads version ${version} with clusters of 2^${clusterBits} bytes`, async () => {
        const { bytes, expected } = qcow2({
          version,
          clusterBits,
          byteLength: 2 ** clusterBits * 6 + 512,
          clusters: mixed,
        });
        expect(Buffer.compare(await diskOf(bytes), expected)).toBe(0);
      });
    }
  }

  it("reads more than one L2 table, and tables that are absent", async () => {
    const clusters = Array.from(
      { length: 64 * 5 },
      (_, i): Content =>
        i >= 128 && i < 192 ? "absent" : (["plain", "compressed", "absent"] as const)[i % 3],
    );
    const { bytes, expected } = qcow2({ version: 3, clusterBits: 9, byteLength: 64 * 5 * 512, clusters });
    expect(Buffer.compare(await diskOf(bytes), expected)).toBe(0);
  });

  it("reads any image of the independent writer", async () => {
    const content = fc.constantFrom<Content>("absent", "zero", "plain", "compressed");
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(2 as const, 3 as const),
        fc.integer({ min: 9, max: 13 }),
        fc.array(content, { minLength: 1, maxLength: 150 }),
        fc.nat(511),
        async (version, clusterBits, clusters, less) => {
          const byteLength = clusters.length * 2 ** clusterBits - less;
          const { bytes, expected } = qcow2({ version, clusterBits, byteLength, clusters });
          expect(Buffer.compare(await diskOf(bytes), expected)).toBe(0);
        },
      ),
      { numRuns: 40 },
    );
  });

  const refusals: readonly (readonly [string, (header: DataView) => void, RegExp])[] = [
    ["another version", h => h.setUint32(4, 1), /qcow version 1.*qemu-img convert/],
    ["a backing file", h => h.setBigUint64(8, 200n), /backing file.*qemu-img convert/],
    ["encryption", h => h.setUint32(32, 2), /encrypted/],
    ["corruption that it is marked with", h => h.setBigUint64(72, 2n), /marked as corrupt.*qemu-img check/],
    ["an external data file", h => h.setBigUint64(72, 4n), /another file/],
    ["zstd", h => void [h.setBigUint64(72, 8n), h.setUint8(104, 1)], /zstd/],
    ["subclusters", h => h.setBigUint64(72, 16n), /subclusters/],
    ["features of the future", h => h.setBigUint64(72, 1n << 40n), /features that cannot be read/],
    ["clusters that cannot be", h => h.setUint32(20, 40), /2\^40/],
    ["no disk", h => h.setBigUint64(24, 0n), /no bytes/],
    ["a huge disk", h => h.setBigUint64(24, 1n << 62n), /size of its disk/],
    ["an L1 table that is too short", h => h.setUint32(36, 0), /too short/],
    ["an L1 table outside the file", h => h.setBigUint64(40, 1n << 40n), /outside the file/],
    ["an L1 table in the middle of a cluster", h => h.setBigUint64(40, 4097n), /outside the file/],
    ["a short header", h => h.setUint32(100, 8), /header would have 8/],
  ];
  for (const [what, patch, message] of refusals) {
    it(`refuses ${what}`, async () => {
      await expect(diskOf(qcow2({ ...recipe, patch }).bytes)).rejects.toThrow(message);
      await expect(diskOf(qcow2({ ...recipe, patch }).bytes)).rejects.toThrow(ImageError);
    });
  }

  it("reads an image that was not closed (dirty)", async () => {
    const { bytes, expected } = qcow2({ ...recipe, patch: h => h.setBigUint64(72, 1n) });
    expect(Buffer.compare(await diskOf(bytes), expected)).toBe(0);
  });

  it("refuses a disk larger than a disk here may be", async () => {
    await expect(diskOf(qcow2(recipe).bytes, 27 * KIB)).rejects.toThrow(/at most 27648/);
  });

  it("refuses an image that was cut off, wherever", async () => {
    const { bytes } = qcow2({ ...recipe, byteLength: 24 * KIB, clusters: Array(6).fill("plain") });
    for (let length = 4; length <= bytes.length - 4096; length += 500) {
      await expect(diskOf(bytes.subarray(0, length))).rejects.toThrow(ImageError);
    }
  });

  it("refuses a compressed cluster that does not unpack to a cluster", async () => {
    const { bytes } = qcow2({ ...recipe, clusters: ["compressed"] });
    bytes.fill(0xff, 8192, 8192 + 20);
    await expect(diskOf(bytes)).rejects.toThrow(/cannot be unpacked/);
  });

  it("takes no harm from any damage: an error, or a disk of the promised size", async () => {
    const { bytes } = qcow2({ ...recipe, clusterBits: 9, byteLength: 6 * 512, clusters: mixed.slice(0, 6) });
    const change = fc.record({ at: fc.nat(bytes.length - 1), value: fc.nat(255) });
    const nearHeader = fc.record({ at: fc.nat(111), value: fc.nat(255) });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(change, nearHeader), { minLength: 1, maxLength: 6 }),
        async changes => {
          const hostile = Uint8Array.from(bytes);
          for (const { at, value } of changes) hostile[at] = value;
          // The magic stays: without it this is a raw image.
          hostile.set([0x51, 0x46, 0x49, 0xfb]);
          try {
            await diskOf(hostile, 1 << 20);
          } catch (error) {
            expect(error).toBeInstanceOf(ImageError);
            refused += 1;
          }
        },
      ),
      { numRuns: 600 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});
