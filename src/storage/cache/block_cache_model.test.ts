import fc from "fast-check";
import { expect, it } from "vitest";
import { StorageError } from "../block_backend.ts";
import { FaultBackend } from "../fault_backend.ts";
import type { IoVector } from "../io_vector.ts";
import { MemoryBackend, type MemoryStore } from "../memory_backend.ts";
import type { Scheduler } from "../scheduler.ts";
import { vectorOf } from "../testing/test_support.ts";
import { BlockCache } from "./block_cache.ts";

const CHUNK = 512;
const CHUNKS = 24;
const DISK = CHUNK * CHUNKS;
const CACHE_CHUNKS = 8;
const DIRTY_CHUNKS = 4;
/** Every request fits the claim limit wherever it starts. */
const LONGEST = 3 * CHUNK;

const range = { offset: fc.nat(DISK - 1), length: fc.integer({ min: 1, max: LONGEST }) };
const operation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      ...range,
      value: fc.integer({ min: 1, max: 255 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("read" as const), ...range }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("zero" as const),
      offset: fc.nat(DISK - 1),
      length: fc.integer({ min: 1, max: DISK }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("flush" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("flushRange" as const), ...range }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

const scenario = fc.record({
  /** Each list is one client that works through it; the clients run at the same time. */
  clients: fc.array(fc.array(operation, { maxLength: 40 }), { minLength: 1, maxLength: 4 }),
  /** What the backend does with its next requests, in turn: 0–2 answer at once or later, 3 fail. */
  answers: fc.array(fc.nat(3), { maxLength: 60 }),
  /** With a journal of these blocks, or none. */
  journal: fc.option(
    fc.record({
      blockBytes: fc.constantFrom(64, 256),
      blockLimit: fc.integer({ min: 1, max: 4 }),
      chunkLimit: fc.integer({ min: 1, max: 6 }),
    }),
    { nil: undefined },
  ),
  /** Whether it reads straight into the guest's memory, and fails every third time, or not at all. */
  direct: fc.option(fc.record({ leastBytes: fc.constantFrom(1, 64, 700) }), { nil: undefined }),
  segments: fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 4 }),
});

const scheduler: Scheduler = {
  now: () => performance.now(),
  after(ms, callback) {
    if (ms === 0) {
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

const later = () => new Promise<void>(resolve => setImmediate(resolve));

/** A flat disk that remembers every content each chunk had, and the oldest that may still come back after a crash. */
class Model {
  readonly bytes = new Uint8Array(DISK);
  readonly #history: string[][] = Array.from({ length: CHUNKS }, () => [hash(new Uint8Array(CHUNK))]);
  readonly #oldest = new Array<number>(CHUNKS).fill(0);

  write(offset: number, data: Uint8Array): void {
    this.bytes.set(data, offset);
    const last = Math.floor((offset + data.length - 1) / CHUNK);
    for (let chunk = Math.floor(offset / CHUNK); chunk <= last; chunk++) {
      this.#history[chunk].push(hash(this.bytes.subarray(chunk * CHUNK, (chunk + 1) * CHUNK)));
    }
  }

  versions(): number[] {
    return this.#history.map(contents => contents.length - 1);
  }

  /** A flush of these chunks, called when `versions` were current, has been answered. */
  flushed(versions: readonly number[], first = 0, last = CHUNKS - 1): void {
    for (let chunk = first; chunk <= last; chunk++) {
      this.#oldest[chunk] = Math.max(this.#oldest[chunk], versions[chunk]);
    }
  }

  /** What a crash right now would leave must be, chunk by chunk, what was flushed or something newer. */
  checkCrash(store: MemoryStore): void {
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const allowed = this.#history[chunk].slice(this.#oldest[chunk]);
      expect(allowed, `chunk ${chunk} after a crash`).toContain(
        hash(store.get(chunk) ?? new Uint8Array(CHUNK)),
      );
    }
  }
}

/** Calls back with each piece of guest memory and where it belongs in the request. */
function eachSegment(vector: IoVector, use: (piece: Uint8Array, at: number) => void): void {
  for (let i = 0, at = 0; i < vector.count; i++) {
    use(vector.memory.subarray(vector.offsets[i], vector.offsets[i] + vector.lengths[i]), at);
    at += vector.lengths[i];
  }
}

function hash(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

it("is a flat disk to its clients, and keeps what it flushed, over a backend that is slow and fails", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ clients, answers, journal, direct, segments }) => {
      const store: MemoryStore = new Map();
      const model = new Model();
      let request = 0;
      const answer = async () => {
        const kind = answers[request++] ?? 0;
        if (kind === 3) throw new StorageError("io", "injected");
        for (let turns = 0; turns < kind; turns++) await later();
      };
      const faulty = new FaultBackend(new MemoryBackend(CHUNK, CHUNKS, store, journal), {
        read: answer,
        commit: answer,
      });
      const readInto = (chunk: number, within: number, target: Uint8Array) => {
        target.fill(0xdd);
        if (request++ % 3 === 2) throw new StorageError("io", "injected");
        target.set((store.get(chunk) as Uint8Array).subarray(within, within + target.length));
      };
      const backend = Object.assign(faulty, { direct: direct && { ...direct, readInto } });
      const cache = await BlockCache.open(backend, {
        cacheBytes: CACHE_CHUNKS * CHUNK,
        dirtyBytes: DIRTY_CHUNKS * CHUNK,
        writeBackBytes: 2 * CHUNK,
        idleMs: 1,
        scheduler,
      });

      const run = async (op: Operation): Promise<void> => {
        if (op.kind === "crash") return model.checkCrash(store);
        if (op.kind === "flush") {
          const versions = model.versions();
          await cache.flush();
          return model.flushed(versions);
        }
        const length = Math.min(op.length, DISK - op.offset);
        if (op.kind === "flushRange") {
          const versions = model.versions();
          await cache.flushRange(op.offset, length);
          const last = Math.floor((op.offset + length - 1) / CHUNK);
          return model.flushed(versions, Math.floor(op.offset / CHUNK), last);
        }
        const guest = new Uint8Array(new SharedArrayBuffer(length)).fill(0xee);
        const vector = vectorOf(guest, segments);
        const data = Uint8Array.from({ length }, (_, i) => (op.kind === "write" ? op.value + i : 0));
        if (op.kind === "write")
          eachSegment(vector, (piece, at) => piece.set(data.subarray(at, at + piece.length)));
        for (;;) {
          if (op.kind === "read" && cache.tryRead(op.offset, vector)) {
            eachSegment(vector, (piece, at) => data.set(piece, at));
            expect(Buffer.from(data).equals(model.bytes.subarray(op.offset, op.offset + length))).toBe(true);
            return;
          }
          if (op.kind === "write" && cache.tryWrite(op.offset, vector)) return model.write(op.offset, data);
          if (op.kind === "zero" && cache.tryZero(op.offset, length)) return model.write(op.offset, data);
          await cache.prepare(op.kind === "read" ? "read" : "write", op.offset, length);
        }
      };

      const client = async (operations: readonly Operation[]): Promise<void> => {
        for (const op of operations) {
          try {
            await run(op);
          } catch (error) {
            if (!(error instanceof StorageError)) throw error; // an injected failure is the device's to report
          }
          const { residentBytes, dirtyBytes, allocatedBytes } = cache.counters();
          expect(residentBytes).toBeLessThanOrEqual(CACHE_CHUNKS * CHUNK);
          expect(dirtyBytes).toBeLessThanOrEqual(DIRTY_CHUNKS * CHUNK);
          expect(allocatedBytes).toBeGreaterThanOrEqual(residentBytes);
        }
      };
      await Promise.all(clients.map(client));

      answers.length = 0;
      await cache.flush().catch(() => {}); // a commit that was under way may still fail
      await cache.flush();
      model.flushed(model.versions());
      model.checkCrash(store);
      expect(cache.allocatedBytes).toBe(store.size * CHUNK);
      expect(cache.counters().dirtyBytes).toBe(0);
      await cache.close();
    }),
    { numRuns: 300 },
  );
});
