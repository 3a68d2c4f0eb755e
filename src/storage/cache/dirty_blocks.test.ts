import fc from "fast-check";
import { expect, it } from "vitest";
import { DirtyBlocks } from "./dirty_blocks.ts";

it("is a set of blocks for each chunk", () => {
  const chunkBytes = 64 * 40; // 40 blocks: more than a word, no whole number of them
  const chunks = 3;
  const operation = fc.record({
    chunk: fc.nat(chunks - 1),
    start: fc.nat(chunkBytes - 1),
    length: fc.integer({ min: 1, max: chunkBytes }),
    kind: fc.constantFrom("mark", "mark", "mark", "take", "clear", "restore"),
  });
  fc.assert(
    fc.property(fc.array(operation), operations => {
      const blocks = new DirtyBlocks(chunkBytes, chunks, 64);
      const model = Array.from({ length: chunks }, () => new Set<number>());
      for (const { chunk, start, length, kind } of operations) {
        const end = Math.min(chunkBytes, start + length);
        const expected = [...model[chunk]].sort((a, b) => a - b);
        expect(blocks.has(chunk)).toBe(expected.length > 0);
        if (kind === "mark") {
          blocks.mark(chunk, start, end);
          for (let byte = start; byte < end; byte++) model[chunk].add(Math.floor(byte / 64));
        } else if (kind === "clear") {
          blocks.clear(chunk);
          model[chunk].clear();
        } else {
          expect(blocks.take(chunk)).toEqual(expected);
          expect(blocks.has(chunk)).toBe(false);
          if (kind === "restore") blocks.restore(chunk, expected);
          else model[chunk].clear();
        }
      }
    }),
  );
});
