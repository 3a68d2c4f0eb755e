import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StorageError } from "./block_backend.ts";
import { CHUNK_BYTES, CHUNK_COUNT, describeBlockBackend, filled } from "./conformance.ts";
import { Crash, type CrashingFile, crashingFiles } from "./crashing_files.ts";
import type { NewDisk } from "./disk_store.ts";
import { OpfsBackend } from "./opfs_backend.ts";

const geometry: NewDisk = { capacityBytes: CHUNK_BYTES * CHUNK_COUNT, chunkBytes: CHUNK_BYTES };

describeBlockBackend("OpfsBackend over files in memory", async () => {
  const files = crashingFiles();
  return {
    backend: OpfsBackend.openFiles("test", files, geometry),
    reopen: async () => OpfsBackend.openFiles("test", files),
  };
});

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
    expect(content?.every(byte => byte === content[0]), `chunk ${chunk} is a mixture`).toBe(true);
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
            }
          }
          contents = files.all.map((file: CrashingFile) => file.afterCrash(decider(bits)));
        }
        const last = OpfsBackend.openFiles("test", crashingFiles(undefined, contents), small);
        expect(allowed).toContainEqual(await stateOf(last));
      }),
      { numRuns: 2000 },
    );
  });
});

/** Opening may fail while the files fail; whatever else is wrong is an error of the test. */
function tryOpen(files: ReturnType<typeof crashingFiles>): OpfsBackend | undefined {
  try {
    return OpfsBackend.openFiles("test", files, small);
  } catch (error) {
    expect(error).toMatchObject({ kind: expect.stringMatching(/io|no-space/) });
    expect(String(error)).not.toContain("damaged");
    return undefined;
  }
}
