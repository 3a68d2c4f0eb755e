import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StorageError } from "../../../storage/block_backend.ts";
import { BlockCache } from "../../../storage/cache/block_cache.ts";
import { FaultBackend, type Faults, hang } from "../../../storage/fault_backend.ts";
import { MemoryBackend, type MemoryStore } from "../../../storage/memory_backend.ts";
import { Counter } from "../../../trace/counters.ts";
import {
  blockHeader,
  F_DISCARD,
  F_FLUSH,
  F_WRITE_ZEROES,
  NEEDS_RESET,
  pattern,
  Rig,
  type Segment,
} from "../testing/driver.ts";

const [IN, OUT, FLUSH, GET_ID, DISCARD, WRITE_ZEROES] = [0, 1, 4, 8, 11, 13];
const [OK, IOERR, UNSUPP] = [0, 1, 2];
const count = (rig: Rig, name: keyof typeof Counter) => rig.shared.counters[Counter[name]];

interface Layout {
  readonly cuts?: readonly number[];
  /** Bytes of the header that share a descriptor with the data, or where the header is cut. */
  readonly headerCuts?: readonly number[];
  readonly indirect?: boolean;
}

interface Pushed {
  readonly head: number;
  readonly data: readonly Segment[];
  readonly statusAt: number;
}

/** A request, without a kick. `data` is what is sent, or how much is wanted. */
function push(
  rig: Rig,
  type: number,
  sector: number,
  data: Uint8Array | number,
  layout: Layout = {},
): Pushed {
  const header = rig.segments(blockHeader(type, sector), layout.headerCuts);
  const segments = data === 0 ? [] : rig.segments(data, layout.cuts);
  const status = rig.segments(new Uint8Array([0xff]));
  const reads = typeof data === "number";
  const out = reads ? header : [...header, ...segments];
  const head = rig.io.push(out, reads ? [...segments, ...status] : status, layout.indirect);
  return { head, data: segments, statusAt: status[0].at };
}

/** Runs a request to its end: status, used length, and the data that came. */
async function run(rig: Rig, type: number, sector: number, data: Uint8Array | number, layout: Layout = {}) {
  const pushed = push(rig, type, sector, data, layout);
  rig.io.kick();
  await rig.settle();
  const used = rig.io.reap();
  expect(used.map(({ head }) => head)).toEqual([pushed.head]);
  expect(rig.bugs).toEqual([]);
  return {
    status: rig.slice(pushed.statusAt, 1)[0],
    written: used[0].written,
    data: rig.gather(pushed.data),
  };
}

const range = (sector: number, sectors: number, flags = 0) => {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, BigInt(sector), true);
  view.setUint32(8, sectors, true);
  view.setUint32(12, flags, true);
  return new Uint8Array(view.buffer);
};
const join = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap(part => [...part]));

describe("IN and OUT (virtio 1.1, section 5.2.6)", () => {
  it("move the right bytes for any sector, length, framing, direct or indirect, cold or warm", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            write: fc.boolean(),
            sector: fc.nat(255),
            sectors: fc.integer({ min: 1, max: 40 }),
            cuts: fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 9 }),
            headerCuts: fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 2 }),
            indirect: fc.boolean(),
            cold: fc.boolean(),
            seed: fc.nat(),
          }),
          { minLength: 1, maxLength: 8 },
        ),
        fc.boolean(),
        fc.boolean(),
        async (requests, eventIdx, stronglyOrderedHost) => {
          const rig = Rig.started({ eventIdx, stronglyOrderedHost, blocks: 256 });
          const disk = new Uint8Array(256 * 512);
          for (const { write, sector, sectors, seed, cold, ...layout } of requests) {
            rig.disk.cold = cold;
            const bytes = Math.min(sectors, 256 - sector) * 512;
            const at = sector * 512;
            const result = await run(
              rig,
              write ? OUT : IN,
              sector,
              write ? pattern(bytes, seed) : bytes,
              layout,
            );
            expect([result.status, result.written]).toEqual([OK, write ? 1 : bytes + 1]);
            if (write) disk.set(pattern(bytes, seed), at);
            else expect(Buffer.compare(result.data, disk.subarray(at, at + bytes))).toBe(0);
          }
          expect(Buffer.compare(rig.disk.bytes, disk)).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("header, data and status may share descriptors (2.6.4)", async () => {
    const rig = Rig.started();
    const data = pattern(1024, 5);
    const one = rig.segments(join(blockHeader(OUT, 4), data));
    const status = rig.segments(new Uint8Array([0xff]));
    rig.io.push(one, status);
    const all = rig.segments(1025);
    rig.io.push(rig.segments(blockHeader(IN, 4)), all);
    rig.io.kick();
    rig.pump();
    expect(rig.io.reap().map(({ written }) => written)).toEqual([1, 1025]);
    expect(rig.gather(all)).toEqual(join(data, new Uint8Array([OK])));
  });

  it("tell of the memory that they wrote, data and status", async () => {
    const rig = Rig.started();
    const { data, statusAt } = push(rig, IN, 0, 1024, { cuts: [512] });
    rig.io.kick();
    rig.pump();
    const told = (at: number, length: number) =>
      rig.dirtied.some(([start, end]) => start <= at && at + length <= end);
    for (const { at, length } of data) expect(told(at, length)).toBe(true);
    expect(told(statusAt, 1)).toBe(true);
  });

  it("a request larger than the cache takes at once is served in pieces", async () => {
    const rig = Rig.started({ blocks: 16384, ramBytes: 32 << 20 });
    const data = pattern(5 << 20, 3);
    expect((await run(rig, OUT, 9, data, { cuts: [1 << 20, 5000] })).status).toBe(OK);
    const back = await run(rig, IN, 9, data.length, { cuts: [3000, 3 << 20] });
    expect([back.status, back.written]).toEqual([OK, data.length + 1]);
    expect(Buffer.compare(back.data, data)).toBe(0);
    expect([count(rig, "reads"), count(rig, "sectorsRead")]).toEqual([1, (5 << 20) / 512]);
  });

  it.each([
    ["beyond the end", 9, 2047, 1024],
    ["far beyond the end", 9, 2 ** 52, 512],
    ["a sector number that overflows", 9, 2 ** 63, 512],
    ["half a sector", 9, 0, 700],
    ["half a block of 4 KiB", 12, 1, 4096],
    ["a length that is no multiple of 4 KiB", 12, 0, 512],
  ])("%s is an I/O error", async (_name, lbaShift, sector, bytes) => {
    const rig = Rig.started({ lbaShift, blocks: 2048 >> (lbaShift - 9) });
    const before = rig.disk.bytes.slice();
    expect(await run(rig, IN, sector, bytes)).toMatchObject({ status: IOERR, written: 0 });
    expect((await run(rig, OUT, sector, new Uint8Array(bytes).fill(1))).status).toBe(IOERR);
    expect(Buffer.compare(rig.disk.bytes, before)).toBe(0);
    expect(count(rig, "errors")).toBe(2);
  });

  it("storage that fails is an I/O error, and the next request is served", async () => {
    const rig = Rig.started();
    rig.disk.cold = true;
    rig.disk.failure = new StorageError("io", "broken");
    expect((await run(rig, IN, 0, 512)).status).toBe(IOERR);
    expect((await run(rig, OUT, 0, new Uint8Array(512))).status).toBe(IOERR);
    expect((await run(rig, FLUSH, 0, 0)).status).toBe(IOERR);
    rig.disk.failure = undefined;
    expect((await run(rig, IN, 0, 512)).status).toBe(OK);
  });

  it("a bug of the storage is reported, and an I/O error", async () => {
    const rig = Rig.started();
    rig.disk.cold = true;
    rig.disk.failure = new TypeError("planted");
    const { statusAt } = push(rig, IN, 0, 512);
    rig.io.kick();
    await rig.settle();
    expect(rig.io.reap()).toHaveLength(1);
    expect([rig.slice(statusAt, 1)[0], rig.bugs.length]).toEqual([IOERR, 1]);
  });

  it("counters say what was done", async () => {
    const rig = Rig.started();
    await run(rig, OUT, 0, new Uint8Array(2048));
    await run(rig, IN, 0, 1024);
    await run(rig, FLUSH, 0, 0);
    const names = [
      "commands",
      "reads",
      "writes",
      "flushes",
      "sectorsRead",
      "sectorsWritten",
      "errors",
    ] as const;
    expect(names.map(name => count(rig, name))).toEqual([3, 1, 1, 1, 2, 4, 0]);
    expect(count(rig, "flushesInProgress")).toBe(0);
  });
});

describe("FLUSH and write-back (sections 5.2.5, 5.2.6.2)", () => {
  async function faulty(without: readonly number[] = []) {
    const store: MemoryStore = new Map();
    const faults: Faults = {};
    const backend = new FaultBackend(new MemoryBackend(16384, 64, store), faults);
    const disk = await BlockCache.open(backend, { cacheBytes: 8 << 20, idleMs: 1e9 });
    return { rig: Rig.started({ disk, without }), store, faults };
  }

  it("what was written before a flush is durable when the flush completes, and not before", async () => {
    const { rig, store, faults } = await faulty();
    const data = pattern(4096, 1);
    expect((await run(rig, OUT, 8, data)).status).toBe(OK);
    expect(store.size).toBe(0);
    let go = () => {};
    const gate = new Promise<void>(resolve => {
      go = resolve;
    });
    faults.commit = () => gate;
    const { statusAt } = push(rig, FLUSH, 0, 0);
    rig.io.kick();
    await rig.settle();
    expect([rig.io.reap().length, store.size]).toEqual([0, 0]);
    expect(count(rig, "flushesInProgress")).toBe(1);
    go();
    await rig.settle();
    expect([rig.io.reap().length, rig.slice(statusAt, 1)[0]]).toEqual([1, OK]);
    expect(store.get(0)!.slice(4096, 8192)).toEqual(data);
  });

  it("a flush that fails says so", async () => {
    const { rig, faults } = await faulty();
    await run(rig, OUT, 8, pattern(512, 1));
    faults.commit = () => Promise.reject(new StorageError("no-space", "full"));
    expect((await run(rig, FLUSH, 0, 0)).status).toBe(IOERR);
  });

  it("a driver without FLUSH gets writes that are durable when they complete", async () => {
    const { rig, store, faults } = await faulty([F_FLUSH]);
    expect((await run(rig, OUT, 8, pattern(512, 1))).status).toBe(OK);
    expect(store.get(0)!.slice(4096, 4608)).toEqual(pattern(512, 1));
    faults.commit = hang;
    push(rig, OUT, 8, pattern(512, 2));
    rig.io.kick();
    await rig.settle();
    expect(rig.io.reap()).toEqual([]);
  });

  it("a reset does not wait for a flush that hangs", async () => {
    const { rig, faults } = await faulty();
    await run(rig, OUT, 0, pattern(512, 1));
    faults.commit = hang;
    push(rig, FLUSH, 0, 0);
    rig.io.kick();
    rig.pump();
    rig.status = 0;
    rig.pump();
    expect(rig.status).toBe(0);
  });
});

describe("GET_ID", () => {
  it("answers with 20 bytes", async () => {
    const rig = Rig.started();
    const { status, written, data } = await run(rig, GET_ID, 0, 20);
    expect([status, written]).toEqual([OK, 21]);
    expect(Buffer.from(data).toString("latin1")).toBe("SN-1".padEnd(20, "\0"));
    expect((await run(rig, GET_ID, 0, 3)).data).toEqual(new Uint8Array([83, 78, 45]));
  });
});

describe("DISCARD and WRITE_ZEROES (section 5.2.6.2)", () => {
  it.each([true, false])("zero exactly their ranges (cold: %s)", async cold => {
    const rig = Rig.started();
    rig.disk.bytes.fill(9);
    rig.disk.cold = cold;
    const expected = rig.disk.bytes.slice();
    expect((await run(rig, DISCARD, 0, join(range(1, 2), range(10, 0), range(100, 50)))).status).toBe(OK);
    expected.fill(0, 512, 3 * 512);
    expected.fill(0, 100 * 512, 150 * 512);
    for (const flags of [0, 1]) {
      const sector = 200 + 10 * flags;
      expect((await run(rig, WRITE_ZEROES, 0, range(sector, 5, flags))).status).toBe(OK);
      expected.fill(0, sector * 512, (sector + 5) * 512);
    }
    expect(Buffer.compare(rig.disk.bytes, expected)).toBe(0);
  });

  it.each([
    ["discard with UNMAP", DISCARD, range(0, 1, 1), UNSUPP],
    ["an unknown flag", DISCARD, range(0, 1, 2), UNSUPP],
    ["an unknown flag of write zeroes", WRITE_ZEROES, range(0, 1, 4), UNSUPP],
    ["a range beyond the end", DISCARD, join(range(0, 1), range(2047, 2)), IOERR],
    ["a range that overflows", WRITE_ZEROES, range(2 ** 63, 1), IOERR],
    ["too many sectors", WRITE_ZEROES, range(0, 0xffffffff), IOERR],
    ["no range", DISCARD, new Uint8Array(0), IOERR],
    ["half a range", DISCARD, new Uint8Array(24), IOERR],
    ["two ranges of write zeroes", WRITE_ZEROES, join(range(0, 1), range(2, 1)), IOERR],
    ["too many ranges", DISCARD, new Uint8Array(257 * 16), IOERR],
  ])("%s is refused as a whole", async (_name, type, data, status) => {
    const rig = Rig.started();
    rig.disk.bytes.fill(9);
    const header = rig.segments(join(blockHeader(type, 0), data));
    const answer = rig.segments(new Uint8Array([0xff]));
    rig.io.push(header, answer);
    rig.io.kick();
    await rig.settle();
    expect(rig.io.reap()).toHaveLength(1);
    expect(rig.slice(answer[0].at, 1)[0]).toBe(status);
    expect(rig.disk.bytes.every(byte => byte === 9)).toBe(true);
  });

  it("are not there for a driver that did not ask for them", async () => {
    const rig = Rig.started({ without: [F_DISCARD, F_WRITE_ZEROES] });
    for (const type of [DISCARD, WRITE_ZEROES])
      expect((await run(rig, type, 0, range(0, 1))).status).toBe(UNSUPP);
  });
});

describe("what is no request", () => {
  it("an unknown type is not supported", async () => {
    const rig = Rig.started();
    expect(await run(rig, 99, 0, 512)).toMatchObject({ status: UNSUPP, written: 0 });
  });

  it.each([
    ["a short header", (rig: Rig) => rig.io.push(rig.segments(15), rig.segments(513))],
    ["no status byte", (rig: Rig) => rig.io.push(rig.segments(16), [])],
    ["data that changes between two looks", changeWhileWaiting],
  ])("%s breaks the queue", async (_name, spoil) => {
    const rig = Rig.started();
    spoil(rig);
    rig.io.kick();
    await rig.settle();
    expect(rig.status & NEEDS_RESET).toBe(NEEDS_RESET);
    expect([rig.io.reap(), rig.bugs]).toEqual([[], []]);
  });

  function changeWhileWaiting(rig: Rig): void {
    rig.disk.cold = true;
    const release = rig.disk.hold();
    const { head } = push(rig, IN, 0, 512);
    rig.io.kick();
    rig.pump();
    rig.view.setUint32(rig.io.desc + 16 * head + 8, 17, true);
    release();
  }
});
