import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { gunzip, gunzipIfPacked } from "./gunzip.ts";

/** Hardly to be packed: several pieces. */
const content = Uint8Array.from({ length: 1_000_000 }, (_, i) => (i * i * 2654435761) >>> 24);
const packed = new Uint8Array(gzipSync(content));

const isContent = (bytes: ArrayBuffer) => Buffer.from(bytes).equals(content);

describe("gunzip", () => {
  it("unpacks what has many pieces, or hardly one", async () => {
    expect(packed.length).toBeGreaterThan(600_000);
    expect(isContent(await gunzip(packed))).toBe(true);
    expect((await gunzip(new Uint8Array(gzipSync("")))).byteLength).toBe(0);
  });

  it("rejects what is damaged or cut off", async () => {
    const damaged = packed.slice();
    damaged[packed.length - 5] ^= 1;
    await expect(gunzip(damaged)).rejects.toThrow();
    await expect(gunzip(packed.subarray(0, 300_000))).rejects.toThrow();
    await expect(gunzip(new Uint8Array(0))).rejects.toThrow();
  });

  it("leaves alone what the browser has unpacked already", async () => {
    expect(isContent(await gunzipIfPacked(content))).toBe(true);
    expect(isContent(await gunzipIfPacked(packed))).toBe(true);
  });
});
