import { expect, it } from "vitest";
import { newMetadata } from "./disk_store.ts";
import { SnapshotBackend } from "./snapshot_backend.ts";

const CHUNK = 4096;
const chunk = (value: number) => new Uint8Array(CHUNK).fill(value);

function backend(limitChunks: number) {
  const metadata = newMetadata(1, { capacityBytes: 8 * CHUNK, chunkBytes: CHUNK });
  return new SnapshotBackend({ metadata, chunks: new Map([[2, chunk(2)]]) }, limitChunks * CHUNK);
}

it("begins as the copy, and takes writes", async () => {
  const copy = backend(4);
  expect(await copy.list()).toEqual([2]);
  await copy.commit([{ chunk: 5, data: chunk(5) }]);
  expect((await copy.read([2, 5, 6])).map(data => data?.[0])).toEqual([2, 5, undefined]);
});

it("refuses what would take more than its limit, as a whole, and goes on when there is room again", async () => {
  const copy = backend(2);
  await copy.commit([{ chunk: 3, data: chunk(3) }]);
  const tooMuch = copy.commit([
    { chunk: 2, data: chunk(22) },
    { chunk: 4, data: chunk(4) },
  ]);
  await expect(tooMuch).rejects.toMatchObject({ kind: "no-space" });
  expect((await copy.read([2]))[0]?.[0]).toBe(2);
  await copy.commit([
    { chunk: 2, data: undefined },
    { chunk: 4, data: chunk(4) },
  ]);
  expect(await copy.list()).toEqual([3, 4]);
});

it("answers nothing once it is closed", async () => {
  const copy = backend(2);
  await copy.close();
  expect(copy.isOpen).toBe(false);
  await expect(copy.read([2])).rejects.toMatchObject({ kind: "unavailable" });
});
