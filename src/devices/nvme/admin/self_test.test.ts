import { describe, expect, it } from "vitest";
import { StorageError } from "../../../storage/block_backend.ts";
import { saveHealth } from "../health.ts";
import { DNR, FLUSH, PAGE, type QueuePair, Rig, transfer } from "../testing/driver.ts";

/** Device Self-test: NVMe 1.4, sections 5.8, 5.14.1.6 and 8.11. */

const SHORT = 1;
const EXTENDED = 2;
const ABORT = 0xf;
const ALL = 0xffffffff;
const selfTest = (code: number, nsid = ALL) => ({ opcode: 0x14, nsid, cdw: [code] });

/** Larger than what the cache holds, so that a test has to read storage. */
const LARGE = {
  blocks: 64 * 2048,
  cache: { cacheBytes: 20 * 16384, dirtyBytes: 2 * 16384, writeBackBytes: 2 * 16384 },
};

async function log(rig: Rig) {
  const page = rig.alloc(PAGE);
  const bytes = 4 + 20 * 28;
  expect(
    (await rig.command({ opcode: 0x02, prp1: page, cdw: [0x06 | ((bytes / 4 - 1) << 16)] })).status,
  ).toBe(0);
  const view = rig.view(page, bytes);
  const results = Array.from({ length: 20 }, (_, i) => {
    const at = 4 + i * 28;
    return {
      code: view.getUint8(at) >> 4,
      result: view.getUint8(at) & 0xf,
      segment: view.getUint8(at + 1),
      valid: view.getUint8(at + 2),
      hours: Number(view.getBigUint64(at + 4, true)),
      nsid: view.getUint32(at + 12, true),
      lba: Number(view.getBigUint64(at + 16, true)),
      status: (view.getUint8(at + 24) << 8) | view.getUint8(at + 25),
    };
  });
  return { current: view.getUint8(0), percent: view.getUint8(1), results };
}

async function untilOver(rig: Rig) {
  for (let turn = 0; turn < 500; turn++) {
    await rig.settle();
    const found = await log(rig);
    if (found.current === 0) return found;
  }
  throw new Error("the self-test does not end");
}

async function fill(rig: Rig, io: QueuePair, lba: number) {
  const page = rig.alloc(PAGE);
  rig.memory.bytes.fill(0x5a, page, page + PAGE);
  expect((await rig.io(io, transfer(1, lba, 8, { prp1: page }))).status).toBe(0);
  expect((await rig.io(io, FLUSH)).status).toBe(0);
}

/** Reads of storage wait until the returned function is called. */
function holdReads(rig: Rig): () => void {
  const held: (() => void)[] = [];
  rig.disks[0].faults.read = () => new Promise<void>(resolve => void held.push(resolve));
  return () => {
    rig.disks[0].faults.read = undefined;
    for (const resolve of held) resolve();
  };
}

/** A disk that has data which is not in the cache, and a test of it that waits for that. */
async function hanging(code = EXTENDED) {
  const { rig, io } = await Rig.withQueue({ disks: [LARGE, {}] });
  await fill(rig, io, 0);
  for (let lba = 2048; lba < 30 * 2048; lba += 2048) await fill(rig, io, lba);
  // Out of the cache with it.
  const page = rig.alloc(PAGE);
  for (let lba = 30 * 2048; lba < 64 * 2048; lba += 64) await rig.io(io, transfer(2, lba, 8, { prp1: page }));
  const release = holdReads(rig);
  expect((await rig.command(selfTest(code))).status).toBe(0);
  await rig.settle();
  expect((await log(rig)).current).toBe(code);
  return { rig, io, release };
}

describe("a test that passes", () => {
  it("before the first one the log is empty (figure 198)", async () => {
    const { rig } = await Rig.withQueue();
    const { current, percent, results } = await log(rig);
    expect([current, percent]).toEqual([0, 0]);
    expect(results.every(({ result }) => result === 0xf)).toBe(true);
  });

  it.each([
    ["short", SHORT],
    ["extended", EXTENDED],
  ])("the %s one says so, with the hours that the drive has been on", async (_name, code) => {
    const { rig } = await Rig.withQueue();
    rig.nowMs = 2 * 3_600_000;
    expect((await rig.command(selfTest(code))).status).toBe(0);
    const { results } = await untilOver(rig);
    expect(results[0]).toMatchObject({ code, result: 0, valid: 0, hours: 2 });
    expect(results[1].result).toBe(0xf);
  });

  it("the extended one reads all of the named namespaces, the short one a part, NSID 0 none", async () => {
    const reads = async (code: number, nsid: number) => {
      const { rig } = await Rig.withQueue({ disks: [LARGE, {}] });
      const places: Set<number>[] = [new Set(), new Set()];
      for (const [i, disk] of rig.disks.entries()) {
        const { device } = disk;
        const tryRead = device.tryRead.bind(device);
        device.tryRead = (offset, vector) => {
          for (let at = offset; at < offset + vector.byteLength; at += 4096) places[i].add(at);
          return tryRead(offset, vector);
        };
      }
      expect((await rig.command(selfTest(code, nsid))).status).toBe(0);
      expect((await untilOver(rig)).results[0]).toMatchObject({ code, result: 0 });
      return places.map(set => set.size * 4096);
    };
    expect(await reads(EXTENDED, ALL)).toEqual([64 << 20, 1 << 20]);
    expect(await reads(EXTENDED, 2)).toEqual([0, 1 << 20]);
    expect(await reads(SHORT, ALL)).toEqual([16 << 20, 1 << 20]);
    expect(await reads(SHORT, 0)).toEqual([0, 0]);
  });

  it("keeps the last twenty results, newest first", async () => {
    const { rig } = await Rig.withQueue();
    for (let i = 0; i < 22; i++) {
      rig.nowMs = i * 3_600_000;
      await rig.command(selfTest(i % 2 === 0 ? SHORT : EXTENDED));
      await untilOver(rig);
    }
    const { results } = await log(rig);
    expect(results.map(({ hours }) => hours)).toEqual(Array.from({ length: 20 }, (_, i) => 21 - i));
    expect(results.slice(0, 2).map(({ code }) => code)).toEqual([EXTENDED, SHORT]);
  });

  it("the results outlive resets and the machine (5.14.1.6)", async () => {
    const { rig } = await Rig.withQueue();
    for (const code of [SHORT, EXTENDED]) {
      await rig.command(selfTest(code));
      await untilOver(rig);
    }
    const { results } = await log(rig);
    expect(results.slice(0, 3).map(({ code }) => code)).toEqual([EXTENDED, SHORT, 0]);
    rig.disable();
    rig.enable();
    expect((await log(rig)).results).toEqual(results);
    const next = await Rig.create({ health: saveHealth(rig.shared) });
    next.enable();
    expect((await log(next)).results).toEqual(results);
    // A record from before results were kept is good for the rest of it.
    const old = await Rig.create({ health: saveHealth(rig.shared).slice(0, 16) });
    old.enable();
    expect((await log(old)).results.every(({ result }) => result === 0xf)).toBe(true);
    expect(saveHealth(old.shared)[0]).toBe(2);
  });

  it("changes nothing on the disk, and lets commands through meanwhile", async () => {
    const { rig, io, release } = await hanging();
    expect((await rig.io(io, { ...FLUSH, nsid: 2 })).status).toBe(0);
    release();
    expect((await untilOver(rig)).results[0].result).toBe(0);
    const page = rig.alloc(PAGE);
    await rig.io(io, transfer(2, 0, 8, { prp1: page }));
    expect(rig.slice(page, PAGE)).toEqual(new Uint8Array(PAGE).fill(0x5a));
    expect(rig.bugs).toEqual([]);
  });
});

describe("a test that does not", () => {
  it("names the namespace and the place where storage does not read (figure 199)", async () => {
    const { rig, release } = await hanging();
    release();
    await untilOver(rig);
    rig.disks[0].faults.read = chunks => {
      if (chunks.includes(10 * 64)) throw new StorageError("io", "injected");
    };
    expect((await rig.command(selfTest(EXTENDED, 1))).status).toBe(0);
    const { results } = await untilOver(rig);
    expect(results[0]).toMatchObject({
      code: EXTENDED,
      result: 7,
      segment: 7,
      valid: 0xf,
      nsid: 1,
      status: 0x281,
    });
    expect(results[0].lba).toBe(10 * 2048);
  });

  it("one at a time: a second one is refused, and an abort makes room (5.8)", async () => {
    const { rig, release } = await hanging();
    expect((await rig.command(selfTest(SHORT))).status).toBe(0x11d);
    expect((await rig.command(selfTest(ABORT))).status).toBe(0);
    expect(await log(rig)).toMatchObject({ current: 0, percent: 0 });
    expect((await log(rig)).results[0]).toMatchObject({ code: EXTENDED, result: 1 });
    expect((await rig.command(selfTest(SHORT, 2))).status).toBe(0);
    release();
    const { results } = await untilOver(rig);
    expect(results.slice(0, 2)).toMatchObject([
      { code: SHORT, result: 0 },
      { code: EXTENDED, result: 1 },
    ]);
    expect((await rig.command(selfTest(ABORT))).status).toBe(0);
    expect((await log(rig)).results[2].result).toBe(0xf);
  });

  it("a controller reset ends the short test, and the extended one goes on (8.11)", async () => {
    const short = await hanging(SHORT);
    short.rig.disable();
    short.rig.enable();
    expect(await log(short.rig)).toMatchObject({ current: 0 });
    expect((await log(short.rig)).results[0]).toMatchObject({ code: SHORT, result: 2 });
    const extended = await hanging(EXTENDED);
    extended.rig.disable();
    extended.rig.enable();
    expect((await log(extended.rig)).current).toBe(EXTENDED);
    extended.release();
    expect((await untilOver(extended.rig)).results[0]).toMatchObject({ code: EXTENDED, result: 0 });
  });

  it.each([
    ["Format NVM of a namespace", { opcode: 0x80, nsid: 1, cdw: [0] }, 4],
    ["Sanitize", { opcode: 0x84, cdw: [2] }, 9],
  ])("%s ends it", async (_name, command, result) => {
    const { rig, release } = await hanging();
    expect((await rig.command(command)).status).toBe(0);
    release();
    // The log cannot be read while the medium is purged.
    await rig.settle();
    const { results } = await log(rig);
    expect(results[0]).toMatchObject({ code: EXTENDED, result });
    expect(results[1].result).toBe(0xf);
  });

  it("reserved codes and namespaces that there are not are refused", async () => {
    const { rig } = await Rig.withQueue();
    for (const code of [0, 3, 0xd, 0xe]) {
      expect((await rig.command(selfTest(code))).status).toBe(0x002 | DNR);
    }
    expect((await rig.command(selfTest(SHORT, 7))).status).toBe(0x00b | DNR);
    expect((await log(rig)).results[0].result).toBe(0xf);
  });
});
