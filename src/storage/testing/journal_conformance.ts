import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { BlockBackend, ChunkChange } from "../block_backend.ts";

/** The geometry that a backend under test is opened with. */
export const JOURNAL_CHUNK_BYTES = 65536;
export const JOURNAL_CHUNK_COUNT = 8;
/** What its journal says of itself. */
export const JOURNAL_BLOCK_BYTES = 4096;

export interface JournaledDisk {
  readonly backend: BlockBackend;
  /** Opens the same disk once more, as after a crash: `backend` was not closed. Absent where nothing survives. */
  readonly reopen?: () => Promise<BlockBackend>;
}

const BLOCKS = JOURNAL_CHUNK_BYTES / JOURNAL_BLOCK_BYTES;

/** A chunk with a byte value in each of the given blocks, and 0xEE, which must not be stored, in all others. */
function patched(blocks: ReadonlyMap<number, number>): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(JOURNAL_CHUNK_BYTES).fill(0xee);
  for (const [block, value] of blocks) {
    data.fill(value, block * JOURNAL_BLOCK_BYTES, (block + 1) * JOURNAL_BLOCK_BYTES);
  }
  return data;
}

function patch(chunk: number, ...values: readonly [number, number][]): ChunkChange {
  return { chunk, data: patched(new Map(values)), blocks: values.map(([block]) => block) };
}

const whole = (chunk: number, value: number): ChunkChange => ({
  chunk,
  data: new Uint8Array(JOURNAL_CHUNK_BYTES).fill(value),
});

/** The value of each block of a chunk; NaN for a block that is a mixture. */
function valuesOf(data: Uint8Array | undefined): number[] | undefined {
  if (!data) return undefined;
  return Array.from({ length: BLOCKS }, (_, block) => {
    const content = data.subarray(block * JOURNAL_BLOCK_BYTES, (block + 1) * JOURNAL_BLOCK_BYTES);
    return content.every(byte => byte === content[0]) ? content[0] : Number.NaN;
  });
}

const row = (fill: number, ...values: readonly [number, number][]): number[] => {
  const row = new Array<number>(BLOCKS).fill(fill);
  for (const [block, value] of values) row[block] = value;
  return row;
};

/**
 * What a backend with a journal must do besides. `open` gives an empty disk each time. The changes here carry garbage
 * outside their blocks: a journal stores the blocks alone.
 */
export function describeJournal(name: string, open: () => Promise<JournaledDisk>): void {
  describe(`${name} with a journal`, () => {
    const opened: BlockBackend[] = [];

    async function openDisk(): Promise<JournaledDisk> {
      const disk = await open();
      opened.push(disk.backend);
      return disk;
    }

    afterEach(async () => {
      for (const backend of opened.splice(0)) await backend.close();
    });

    it("lays blocks over the chunk that is there, the newest on top", async () => {
      const { backend } = await openDisk();
      await backend.commit([whole(1, 1)]);
      await backend.commit([patch(1, [0, 2], [5, 3])]);
      await backend.commit([patch(1, [5, 4], [BLOCKS - 1, 5])]);
      expect((await backend.read([1, 0])).map(valuesOf)).toEqual([
        row(1, [0, 2], [5, 4], [BLOCKS - 1, 5]),
        undefined,
      ]);
      expect(await backend.list()).toEqual([1]);
    });

    it("lays blocks over zeroes where there is no chunk", async () => {
      const { backend } = await openDisk();
      await backend.commit([patch(7, [3, 9])]);
      expect(await backend.list()).toEqual([7]);
      expect((await backend.read([7, 6])).map(valuesOf)).toEqual([row(0, [3, 9]), undefined]);
    });

    it("has nothing left of the blocks once their chunk was committed whole or removed", async () => {
      const { backend } = await openDisk();
      await backend.commit([patch(1, [0, 2]), patch(2, [0, 2]), patch(3, [0, 2])]);
      await backend.commit([whole(1, 7), { chunk: 2, data: undefined }]);
      expect((await backend.read([1, 2, 3])).map(valuesOf)).toEqual([row(7), undefined, row(0, [0, 2])]);
      expect(await backend.list()).toEqual([1, 3]);
      await backend.commit([patch(2, [1, 3])]); // not over what was there before
      expect((await backend.read([2])).map(valuesOf)).toEqual([row(0, [1, 3])]);
    });

    it("does a commit of whole chunks, removals and blocks as one", async () => {
      const { backend } = await openDisk();
      await backend.commit([whole(1, 1), whole(2, 2)]);
      await backend.commit([patch(1, [1, 5]), { chunk: 2, data: undefined }, whole(3, 3)]);
      expect((await backend.read([1, 2, 3])).map(valuesOf)).toEqual([row(1, [1, 5]), undefined, row(3)]);
      const refused = [patch(1, [1, 6]), { chunk: 3, data: new Uint8Array(1) }];
      await expect(backend.commit(refused)).rejects.toThrow(RangeError);
      expect((await backend.read([1])).map(valuesOf)).toEqual([row(1, [1, 5])]);
    });

    it("copies the blocks before commit() returns, and orders commits and reads as they were called", async () => {
      const { backend } = await openDisk();
      const first = patch(1, [2, 2]);
      const commits = [
        backend.commit([first]),
        backend.commit([whole(1, 1)]),
        backend.commit([patch(1, [3, 3])]),
      ];
      first.data?.fill(99);
      const read = backend.read([1]);
      await Promise.all(commits);
      expect((await read).map(valuesOf)).toEqual([row(1, [3, 3])]);
      expect((await backend.read([1])).map(valuesOf)).toEqual([row(1, [3, 3])]);
    });

    it("refuses blocks that the chunk does not have", async () => {
      const { backend } = await openDisk();
      for (const blocks of [[-1], [BLOCKS], [0.5]]) {
        const data = new Uint8Array(JOURNAL_CHUNK_BYTES);
        await expect(backend.commit([{ chunk: 0, data, blocks }])).rejects.toThrow(RangeError);
      }
      expect(await backend.list()).toEqual([]);
    });

    it("is the same disk after a crash, whatever was folded", async ({ skip }) => {
      const change = fc.record({
        chunk: fc.nat(JOURNAL_CHUNK_COUNT - 1),
        value: fc.integer({ min: 1, max: 200 }),
        kind: fc.oneof(
          { weight: 4, arbitrary: fc.uniqueArray(fc.nat(BLOCKS - 1), { minLength: 1, maxLength: 3 }) },
          { weight: 1, arbitrary: fc.constant("whole" as const) },
          { weight: 1, arbitrary: fc.constant("remove" as const) },
        ),
      });
      const commit = fc.uniqueArray(change, { selector: c => c.chunk, minLength: 1, maxLength: 4 });
      await fc.assert(
        fc.asyncProperty(fc.array(commit, { maxLength: 10 }), fc.nat(9), async (commits, crashAfter) => {
          const disk = await openDisk();
          if (!disk.reopen) return skip("nothing survives closing this backend");
          let { backend } = disk;
          const model = new Map<number, number[]>();
          for (const [i, changes] of commits.entries()) {
            await backend.commit(
              changes.map(({ chunk, value, kind }): ChunkChange => {
                if (kind === "remove") {
                  model.delete(chunk);
                  return { chunk, data: undefined };
                }
                if (kind === "whole") {
                  model.set(chunk, row(value));
                  return whole(chunk, value);
                }
                const values = kind.sort((a, b) => a - b).map((block): [number, number] => [block, value]);
                const content = model.get(chunk) ?? row(0);
                for (const [block] of values) content[block] = value;
                model.set(chunk, content);
                return patch(chunk, ...values);
              }),
            );
            if (i !== crashAfter) continue;
            backend = await disk.reopen();
            opened.push(backend);
          }
          const chunks = [...model.keys()].sort((a, b) => a - b);
          expect(await backend.list()).toEqual(chunks);
          expect((await backend.read(chunks)).map(valuesOf)).toEqual(chunks.map(chunk => model.get(chunk)));
        }),
        { numRuns: 30 },
      );
    });
  });
}
