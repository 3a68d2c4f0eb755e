import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StorageError } from "../block_backend.ts";
import type { NewDisk } from "../disk_store.ts";
import {
  CHUNK_BYTES,
  CHUNK_COUNT,
  describeDirectReads,
  describeDiskStore,
  filled,
} from "../testing/conformance.ts";
import { Crash, type CrashingFile, crashingFiles } from "../testing/crashing_files.ts";
import { crc32 } from "./crc32.ts";
import { OpfsBackend } from "./opfs_backend.ts";

const geometry: NewDisk = { capacityBytes: CHUNK_BYTES * CHUNK_COUNT, chunkBytes: CHUNK_BYTES };

describeDiskStore("OpfsBackend over files in memory", async lbaBytes => {
  const files = crashingFiles();
  return {
    backend: OpfsBackend.openFiles("test", files, lbaBytes ? { ...geometry, lbaBytes } : geometry),
    reopen: async () => OpfsBackend.openFiles("test", files),
  };
});

describeDirectReads("OpfsBackend over files in memory", async () => ({
  backend: OpfsBackend.openFiles("test", crashingFiles(), geometry),
}));

/** A small disk, so that crashes meet every kind of step often. */
const SMALL_COUNT = 8;
const small: NewDisk = { capacityBytes: CHUNK_BYTES * SMALL_COUNT, chunkBytes: CHUNK_BYTES };

type Step =
  | { readonly kind: "commit"; readonly changes: { chunk: number; value: number | null }[] }
  | { readonly kind: "grow" }
  | { readonly kind: "seed"; readonly value: string };

interface State {
  readonly chunks: ReadonlyMap<number, number>;
  readonly chunkCount: number;
  readonly seed: string | undefined;
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      changes: fc.uniqueArray(
        fc.record({ chunk: fc.nat(SMALL_COUNT - 1), value: fc.option(fc.integer({ min: 1, max: 255 })) }),
        { selector: ({ chunk }) => chunk, minLength: 1, maxLength: 5 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "grow" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("seed" as const), value: fc.string({ maxLength: 5 }) }),
  },
);

function perform(disk: OpfsBackend, step: Step): Promise<void> {
  if (step.kind === "grow") return disk.grow((disk.chunkCount + 1) * CHUNK_BYTES);
  if (step.kind === "seed") return disk.recordSeed({ seededSha256: step.value });
  return disk.commit(
    step.changes.map(({ chunk, value }) => ({ chunk, data: value === null ? undefined : filled(value) })),
  );
}

function after(state: State, step: Step): State {
  if (step.kind === "grow") return { ...state, chunkCount: state.chunkCount + 1 };
  if (step.kind === "seed") return { ...state, seed: step.value };
  const chunks = new Map(state.chunks);
  for (const { chunk, value } of step.changes) {
    if (value === null) chunks.delete(chunk);
    else chunks.set(chunk, value);
  }
  return { ...state, chunks };
}

async function stateOf(disk: OpfsBackend): Promise<State> {
  const chunks = await disk.list();
  const contents = await disk.read(chunks);
  const entries = chunks.map((chunk, i): [number, number] => {
    const content = contents[i];
    expect(
      content?.every(byte => byte === content[0]),
      `chunk ${chunk} is a mixture`,
    ).toBe(true);
    return [chunk, content?.[0] ?? -1];
  });
  return { chunks: new Map(entries), chunkCount: disk.chunkCount, seed: disk.metadata.seededSha256 };
}

/** Bits that decide what a crash keeps; all the same for ever once they are used up. */
function decider(bits: readonly boolean[]): () => boolean {
  let i = 0;
  return () => bits[i++ % bits.length];
}

describe("OpfsBackend in a crash", () => {
  it("is as after some of the commits, all resolved ones among them, wherever it crashes", async () => {
    const life = fc.record({
      steps: fc.array(step, { minLength: 1, maxLength: 12 }),
      crashAt: fc.nat(60),
      failures: fc.uniqueArray(fc.nat(60), { maxLength: 4 }),
      bits: fc.array(fc.boolean(), { minLength: 1, maxLength: 64 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), async lives => {
        let contents: Uint8Array<ArrayBuffer>[] = [];
        /** What each name of a content stands for, over all lives: one thing for ever. */
        const named = new Map<string, State>();
        const expectName = async (disk: OpfsBackend, state: State) => {
          const name = await disk.seal().catch(error => {
            expect(error).toBeInstanceOf(StorageError);
          });
          if (name === undefined) return;
          expect(named.get(name) ?? state).toEqual(state);
          named.set(name, state);
        };
        let allowed: State[] = [{ chunks: new Map(), chunkCount: SMALL_COUNT, seed: undefined }];
        for (const { steps, crashAt, failures, bits } of lives) {
          let operations = 0;
          let crashed = false;
          const files = crashingFiles(() => {
            if (crashed || operations === crashAt) {
              crashed = true;
              throw new Crash("crash");
            }
            if (failures.includes(operations++)) throw new DOMException("full", "QuotaExceededError");
          }, contents);
          const disk = tryOpen(files);
          if (disk) {
            const found = await stateOf(disk);
            expect(allowed).toContainEqual(found);
            allowed = [found];
            await expectName(disk, found);
            for (const step of steps) {
              const [sure, ...unsure] = allowed;
              const next = after(sure, step);
              try {
                await perform(disk, step);
                allowed = [next];
              } catch (error) {
                expect(error).toBeInstanceOf(StorageError);
                // None of it happened. Only a crash before the next success may still bring it: it may be in the file.
                if (!crashed) expect(await stateOf(disk)).toEqual(sure);
                allowed = [sure, ...unsure, next];
              }
              if (crashed) break;
              await expectName(disk, allowed[0]);
              if (crashed) break;
            }
          }
          contents = files.all.map((file: CrashingFile) => file.afterCrash(decider(bits)));
        }
        const last = OpfsBackend.openFiles("test", crashingFiles(undefined, contents), small);
        const found = await stateOf(last);
        expect(allowed).toContainEqual(found);
        await expectName(last, found);
      }),
      { numRuns: Number(process.env.CRASH_RUNS ?? 300) },
    );
  });
});

/** Opening may fail while the files fail; whatever else is wrong is an error of the test. */
function tryOpen(files: ReturnType<typeof crashingFiles>): OpfsBackend | undefined {
  try {
    return OpfsBackend.openFiles("test", files, small, 100);
  } catch (error) {
    expect(error).toMatchObject({ kind: expect.stringMatching(/io|no-space/) });
    expect(String(error)).not.toContain("damaged");
    return undefined;
  }
}

describe("OpfsBackend", () => {
  const open = (contents?: Uint8Array<ArrayBuffer>[]) => {
    const files = crashingFiles(undefined, contents);
    return { files, disk: OpfsBackend.openFiles("test", files, small) };
  };
  /** What its files hold when all was flushed. */
  const contentsOf = (files: ReturnType<typeof crashingFiles>) =>
    files.all.map(file => file.afterCrash(() => true));

  it("takes room for the chunks that exist, uses freed slots again and gives the end of the file back", async () => {
    const { files, disk } = open();
    await disk.grow(1000 * CHUNK_BYTES);
    const write = (count: number, value: number) =>
      disk.commit(Array.from({ length: count }, (_, i) => ({ chunk: 3 * i, data: filled(value) })));
    await write(40, 1);
    expect(files.data.getSize()).toBe(40 * CHUNK_BYTES);
    for (let value = 2; value < 10; value++) await write(40, value);
    expect(files.data.getSize()).toBeLessThanOrEqual(80 * CHUNK_BYTES);
    await disk.commit(Array.from({ length: 30 }, (_, i) => ({ chunk: 3 * i, data: undefined })));
    await write(1, 99);
    expect(await disk.read([0, 117])).toEqual([filled(99), filled(9)]);
    const chunks = await disk.list();
    await disk.commit(chunks.map(chunk => ({ chunk, data: undefined })));
    expect(files.data.getSize()).toBe(0);
    await disk.close();
  });

  it("names its content: the same until something is changed, also when it is opened again", async () => {
    let { files, disk } = open();
    const reopen = async () => {
      await disk.close();
      ({ files, disk } = open(contentsOf(files)));
    };
    const names = [await disk.seal()];
    const changes: readonly (() => Promise<void>)[] = [
      () => disk.commit([{ chunk: 1, data: filled(1) }]),
      () => disk.commit([{ chunk: 1, data: filled(1) }]),
      () => disk.commit([{ chunk: 1, data: undefined }]),
      () => disk.setLbaBytes(4096),
      () => disk.grow((SMALL_COUNT + 1) * CHUNK_BYTES),
      () => disk.recordSeed({ seededSha256: "abc" }),
      async () => {
        // Until the log is written anew.
        for (let i = 0; i < 5000; i++) await disk.commit([{ chunk: 2, data: filled(i) }]);
      },
    ];
    for (const change of changes) {
      await change();
      names.push(await disk.seal());
      expect(await disk.seal()).toBe(names.at(-1));
      await reopen();
      expect(await disk.seal()).toBe(names.at(-1));
    }
    expect(new Set(names).size).toBe(names.length);
    // Two copies of the same files, to each of which the same is written.
    const copies = [open(contentsOf(files)).disk, open(contentsOf(files)).disk];
    for (const copy of copies) await copy.commit([{ chunk: 3, data: filled(3) }]);
    expect(await copies[0].seal()).not.toBe(await copies[1].seal());
  });

  it("keeps its log short", async () => {
    const { files, disk } = open();
    let longest = 0;
    for (let i = 0; i < 10_000; i++) {
      await disk.commit([{ chunk: i % SMALL_COUNT, data: filled(i) }]);
      longest = Math.max(longest, files.index[0].getSize() + files.index[1].getSize());
    }
    expect(longest).toBeLessThan(86_000);
    const again = open(contentsOf(files)).disk;
    expect(await stateOf(again)).toEqual(await stateOf(disk));
  });

  it("refuses files of another format version", async () => {
    const { files, disk } = open();
    await disk.commit([{ chunk: 0, data: filled(1) }]);
    const contents = contentsOf(files);
    for (const header of contents.slice(0, 2).filter(({ length }) => length > 0)) {
      const view = new DataView(header.buffer);
      view.setUint32(8, 99, true);
      view.setUint32(60, crc32(header.subarray(0, 60)), true);
    }
    expect(() => open(contents)).toThrow(/format version 99/);
  });

  it("notices an index that has changed elsewhere than in its last record, and a data file that is too short", async () => {
    const { files, disk } = open();
    for (let chunk = 0; chunk < 4; chunk++) await disk.commit([{ chunk, data: filled(chunk) }]);
    const change = (file: number, how: (content: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>) => () =>
      open(contentsOf(files).map((content, i) => (i === file ? how(content.slice()) : content)));
    const index = files.index[0].getSize() > 0 ? 0 : 1;
    // Behind the last record there are zeroes.
    const length = contentsOf(files)[index].findLastIndex(byte => byte !== 0) + 4;
    const flip = (at: number) => (content: Uint8Array<ArrayBuffer>) => {
      content[at] ^= 1;
      return content;
    };
    expect(change(index, flip(length - 40))).toThrow("has changed");
    expect(change(index, flip(70))).toThrow("beginning of its index");
    expect(change(index, flip(3))).toThrow("its index is lost");
    expect(change(2, content => content.slice(0, CHUNK_BYTES))).toThrow("data file is too short");
  });

  it("reports a full disk as no-space; what was there stays, and it goes on when there is room", async () => {
    let room = Number.POSITIVE_INFINITY;
    const files = crashingFiles(operation => {
      if (operation === "write" && room-- <= 0) throw new DOMException("full", "QuotaExceededError");
    });
    const disk = OpfsBackend.openFiles("test", files, small);
    await disk.commit([{ chunk: 0, data: filled(1) }]);
    for (const writes of [0, 1, 2]) {
      room = writes;
      const commit = disk.commit([
        { chunk: 0, data: filled(2) },
        { chunk: 1, data: filled(2) },
      ]);
      await expect(commit).rejects.toMatchObject({
        kind: "no-space",
        message: expect.stringContaining("no more room"),
      });
      expect(await disk.read([0, 1])).toEqual([filled(1), undefined]);
    }
    room = Number.POSITIVE_INFINITY;
    await disk.commit([{ chunk: 0, data: filled(3) }]);
    expect(await stateOf(open(contentsOf(files)).disk)).toEqual(await stateOf(disk));
  });
});
