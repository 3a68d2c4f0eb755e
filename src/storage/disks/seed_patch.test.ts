import { expect, test } from "vitest";
import { PATCH_BLOCK_BYTES, readPatch, writePatch } from "./seed_patch.ts";

const block = (value: number) => new Uint8Array(PATCH_BLOCK_BYTES).fill(value);

test("a patch comes back as it was written", () => {
  const blocks = [
    { block: 0, data: block(1) },
    { block: 262_143, data: block(2) },
  ];
  expect(readPatch(writePatch(blocks))).toEqual(blocks);
  expect(readPatch(writePatch([]))).toEqual([]);
});

test("a file that was cut off is refused", () => {
  expect(() => readPatch(writePatch([{ block: 3, data: block(3) }]).subarray(1))).toThrow("damaged");
});
