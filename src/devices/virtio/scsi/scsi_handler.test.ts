import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StorageError } from "../../../storage/block_backend.ts";
import { Counter } from "../../../trace/counters.ts";
import { NEEDS_RESET, pattern, Rig, type RigOptions } from "../testing/driver.ts";

const count = (rig: Rig, name: keyof typeof Counter) => rig.shared.counters[Counter[name]];
const scsi = (options: RigOptions = {}) => Rig.started({ type: "scsi", ...options });

// Responses (virtio 1.1, section 5.6.6).
const [OK, OVERRUN, ABORTED, BAD_TARGET, RESET, FAILURE] = [0, 1, 2, 3, 4, 9];
const [SUCCEEDED, REJECTED, INCORRECT_LUN] = [10, 11, 12];

interface Options {
  /** What is sent, or how much room there is for an answer. */
  readonly data?: Uint8Array | number;
  readonly lun?: readonly number[];
  readonly id?: number;
  readonly cuts?: readonly number[];
  readonly headerCuts?: readonly number[];
  readonly responseCuts?: readonly number[];
  readonly indirect?: boolean;
  readonly cdbSize?: number;
  readonly senseSize?: number;
}

function push(rig: Rig, cdb: readonly number[], options: Options = {}) {
  const { data = 0, lun = [1, 0, 0x40, 0], id = 1, cdbSize = 32, senseSize = 96 } = options;
  const bytes = new Uint8Array(19 + cdbSize);
  bytes.set(lun);
  new DataView(bytes.buffer).setBigUint64(8, BigInt(id), true);
  bytes.set(cdb.slice(0, cdbSize), 19);
  const header = rig.segments(bytes, options.headerCuts);
  const response = rig.segments(new Uint8Array(12 + senseSize).fill(0xee), options.responseCuts);
  const segments = data === 0 ? [] : rig.segments(data, options.cuts);
  const reads = typeof data === "number";
  const out = reads ? header : [...header, ...segments];
  const head = rig.io.push(out, reads ? [...response, ...segments] : response, options.indirect);
  return {
    head,
    result() {
      const view = new DataView(rig.gather(response).buffer);
      const sense = new Uint8Array(view.buffer, 12);
      return {
        response: view.getUint8(11),
        status: view.getUint8(10),
        senseLength: view.getUint32(0, true),
        residual: view.getUint32(4, true),
        /** Key, ASC, ASCQ. */
        sense: (sense[2] << 16) | (sense[12] << 8) | sense[13],
        data: rig.gather(segments),
      };
    },
  };
}

async function run(rig: Rig, cdb: readonly number[], options: Options = {}) {
  const { head, result } = push(rig, cdb, options);
  rig.queues[2].kick();
  await rig.settle();
  const used = rig.io.reap();
  expect(used.map(({ head: done }) => done)).toEqual([head]);
  expect(rig.bugs).toEqual([]);
  return { ...result(), written: used[0].written };
}

const be = (value: number, bytes: number) =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);
const read10 = (lba: number, blocks: number, flags = 0) => [
  0x28,
  flags,
  ...be(lba, 4),
  0,
  ...be(blocks, 2),
  0,
];
const write10 = (lba: number, blocks: number, flags = 0) => [0x2a, ...read10(lba, blocks, flags).slice(1)];
const read16 = (lba: number, blocks: number) => [0x88, 0, ...be(lba, 8), ...be(blocks, 4), 0, 0];
const write16 = (lba: number, blocks: number, flags = 0) => [
  0x8a,
  flags,
  ...be(lba, 8),
  ...be(blocks, 4),
  0,
  0,
];
const read6 = (lba: number, blocks: number) => [0x08, ...be(lba, 3), blocks, 0];
const write6 = (lba: number, blocks: number) => [0x0a, ...be(lba, 3), blocks, 0];
const inquiry = (page = -1, length = 255) => [0x12, page < 0 ? 0 : 1, Math.max(page, 0), ...be(length, 2), 0];
const TEST_UNIT_READY = [0, 0, 0, 0, 0, 0];
const SYNCHRONIZE_CACHE = [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

describe("configuration (virtio 1.1, section 5.6.4)", () => {
  it("says what there is, and takes sense_size and cdb_size", async () => {
    const rig = scsi({ queueSize: 256, ramBytes: 8 << 20 });
    const { config } = rig;
    expect([0, 4, 8, 12, 16, 20, 24].map(at => rig.read32(config + at))).toEqual([
      1, 254, 4096, 256, 16, 96, 32,
    ]);
    expect([rig.read16(config + 28), rig.read16(config + 30), rig.read32(config + 32)]).toEqual([0, 0, 0]);
    rig.write32(config + 20, 20);
    rig.write32(config + 24, 16);
    rig.write32(config + 8, 1);
    expect([rig.read32(config + 20), rig.read32(config + 24), rig.read32(config + 8)]).toEqual([
      20, 16, 4096,
    ]);
    const failed = await run(rig, [0xff], { cdbSize: 16, senseSize: 20 });
    expect(failed).toMatchObject({ status: 2, sense: 0x052000, senseLength: 18, written: 32 });
    rig.write32(config + 20, 1 << 20);
    rig.write32(config + 24, 0);
    expect([rig.read32(config + 20), rig.read32(config + 24)]).toEqual([20, 16]);
    rig.status = 0;
    rig.pump();
    expect([rig.read32(config + 20), rig.read32(config + 24)]).toEqual([96, 32]);
  });

  it("the event queue's buffers are held and cost nothing", () => {
    const rig = scsi();
    const event = rig.queues[1];
    for (let i = 0; i < 8; i++) event.push([], rig.segments(16));
    event.kick();
    rig.device.safePoint(true);
    rig.pump();
    expect([event.reap(), rig.device.ioInFlight, count(rig, "doorbellsSwept")]).toEqual([[], false, 0]);
    expect(rig.shared.serverNotifier.isSet).toBe(false);
  });
});

describe("READ and WRITE (SBC-3)", () => {
  it("of 6, 10 and 16 bytes move the right bytes, however they are framed", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(9, 12),
        fc.array(
          fc.record({
            write: fc.boolean(),
            form: fc.constantFrom(6, 10, 16),
            lba: fc.nat(63),
            blocks: fc.integer({ min: 1, max: 12 }),
            cuts: fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 6 }),
            headerCuts: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 2 }),
            responseCuts: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 2 }),
            indirect: fc.boolean(),
            cold: fc.boolean(),
            spare: fc.constantFrom(0, 0, 100),
            seed: fc.nat(),
          }),
          { minLength: 1, maxLength: 6 },
        ),
        async (lbaShift, requests) => {
          const rig = scsi({ lbaShift, blocks: 64 });
          const disk = new Uint8Array(64 << lbaShift);
          for (const { write, form, lba, blocks: wanted, cold, spare, seed, ...layout } of requests) {
            rig.disk.cold = cold;
            const blocks = Math.min(wanted, 64 - lba);
            const bytes = blocks << lbaShift;
            const cdb = write
              ? { 6: write6, 10: write10, 16: write16 }[form]!(lba, blocks)
              : { 6: read6, 10: read10, 16: read16 }[form]!(lba, blocks);
            const sent = pattern(bytes + spare, seed);
            const result = await run(rig, cdb, { ...layout, data: write ? sent : bytes + spare });
            expect(result).toMatchObject({ response: OK, status: 0, residual: spare, senseLength: 0 });
            expect(result.written).toBe(108 + (write ? 0 : bytes));
            if (write) disk.set(sent.subarray(0, bytes), lba << lbaShift);
            else {
              const expected = disk.subarray(lba << lbaShift, (lba + blocks) << lbaShift);
              expect(Buffer.compare(result.data.subarray(0, bytes), expected)).toBe(0);
              expect(result.data.subarray(bytes).every(byte => byte === 0)).toBe(true);
            }
          }
          expect(Buffer.compare(rig.disk.bytes, disk)).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("READ (6) of 0 blocks is 256; the others' is nothing", async () => {
    const rig = scsi();
    rig.disk.bytes.fill(3);
    expect((await run(rig, read6(1, 0), { data: 256 * 512 })).residual).toBe(0);
    expect(await run(rig, read10(0, 0))).toMatchObject({ status: 0, residual: 0 });
    expect(await run(rig, read16(2048, 0))).toMatchObject({ status: 0 });
  });

  it.each([
    ["beyond the end", read10(2047, 2), 0x052100],
    ["far beyond the end", read16(2 ** 60, 1), 0x052100],
    ["a write beyond the end", write16(2048, 1), 0x052100],
    ["protection information", read10(0, 1, 0x20), 0x052400],
    ["more than the maximum transfer length", read16(0, 4097), 0x052400],
  ])("%s is an illegal request", async (_name, cdb, sense) => {
    const rig = scsi({ blocks: cdb[13] === 1 && cdb[12] === 0x10 ? 8192 : 2048 });
    const data = cdb[0] === 0x8a ? new Uint8Array(1024) : 1024;
    expect(await run(rig, cdb, { data })).toMatchObject({
      response: OK,
      status: 2,
      sense,
      senseLength: 18,
      residual: 1024,
    });
    expect(count(rig, "errors")).toBe(1);
  });

  it("a buffer that is too small is an overrun, and nothing moves", async () => {
    const rig = scsi();
    rig.disk.bytes.fill(7);
    const { response, data } = await run(rig, read10(0, 2), { data: 1023 });
    expect([response, data.every(byte => byte === 0)]).toEqual([OVERRUN, true]);
    expect((await run(rig, write10(0, 2), { data: new Uint8Array(1023) })).response).toBe(OVERRUN);
    expect((await run(rig, write10(0, 1), { data: 512 })).response).toBe(OVERRUN);
    expect(rig.disk.bytes.every(byte => byte === 7)).toBe(true);
  });

  it("FUA makes a write durable before it completes", async () => {
    const rig = scsi();
    await run(rig, write10(0, 1), { data: pattern(512, 1) });
    await run(rig, write16(1, 1, 0x08), { data: pattern(512, 2) });
    expect(rig.disk.durable.slice(0, 512)).toEqual(new Uint8Array(512));
    expect(rig.disk.durable.slice(512, 1024)).toEqual(pattern(512, 2));
    rig.disk.failure = new StorageError("io", "broken");
    expect(await run(rig, write10(1, 1, 0x08), { data: pattern(512, 2) })).toMatchObject({
      status: 2,
      sense: 0x030c00,
      residual: 512,
    });
  });

  it("storage that fails has its sense data", async () => {
    const rig = scsi();
    rig.disk.cold = true;
    rig.disk.failure = new StorageError("io", "broken");
    expect((await run(rig, read10(0, 1), { data: 512 })).sense).toBe(0x031100);
    expect((await run(rig, write10(0, 1), { data: new Uint8Array(512) })).sense).toBe(0x030c00);
    rig.disk.failure = new StorageError("no-space", "full");
    expect((await run(rig, write10(0, 1), { data: new Uint8Array(512) })).sense).toBe(0x072707);
    expect((await run(rig, SYNCHRONIZE_CACHE)).sense).toBe(0x072707);
  });

  it("both directions at once are a failure", async () => {
    const rig = scsi();
    const bytes = new Uint8Array(51 + 8);
    bytes.set([1, 0, 0x40, 0]);
    const response = rig.segments(108 + 8);
    rig.io.push(rig.segments(bytes), response);
    rig.io.kick();
    rig.pump();
    expect(rig.gather(response)[11]).toBe(FAILURE);
  });
});

describe("SYNCHRONIZE CACHE, UNMAP, WRITE SAME (SBC-3)", () => {
  it("what was written before is durable after", async () => {
    const rig = scsi();
    await run(rig, write10(5, 2), { data: pattern(1024, 1) });
    expect((await run(rig, SYNCHRONIZE_CACHE)).status).toBe(0);
    expect(Buffer.compare(rig.disk.durable, rig.disk.bytes)).toBe(0);
    expect((await run(rig, [0x91, 0, ...be(2047, 8), ...be(1, 4), 0, 0])).status).toBe(0);
    expect((await run(rig, [0x91, 0, ...be(2047, 8), ...be(2, 4), 0, 0])).sense).toBe(0x052100);
    expect([count(rig, "flushes"), count(rig, "flushesInProgress")]).toEqual([2, 0]);
  });

  const unmapList = (ranges: readonly (readonly [number, number])[]) => {
    const body = ranges.flatMap(([lba, blocks]) => [...be(lba, 8), ...be(blocks, 4), 0, 0, 0, 0]);
    return new Uint8Array([...be(body.length + 6, 2), ...be(body.length, 2), 0, 0, 0, 0, ...body]);
  };
  const unmap = (rig: Rig, list: Uint8Array, length = list.length, flags = 0) =>
    run(rig, [0x42, flags, 0, 0, 0, 0, 0, ...be(length, 2), 0], { data: list });

  it.each([true, false])("UNMAP makes its ranges zero (cold: %s)", async cold => {
    const rig = scsi();
    rig.disk.bytes.fill(9);
    rig.disk.cold = cold;
    const expected = rig.disk.bytes.slice();
    const list = unmapList([
      [3, 2],
      [100, 0],
      [200, 7],
    ]);
    expect(await unmap(rig, list)).toMatchObject({ status: 0, residual: 0 });
    expected.fill(0, 3 * 512, 5 * 512);
    expected.fill(0, 200 * 512, 207 * 512);
    expect(Buffer.compare(rig.disk.bytes, expected)).toBe(0);
  });

  it("UNMAP refuses as a whole what it refuses", async () => {
    const rig = scsi();
    rig.disk.bytes.fill(9);
    const good: [number, number] = [0, 1];
    expect((await unmap(rig, unmapList([good, [2047, 2]]))).sense).toBe(0x052100);
    expect((await unmap(rig, unmapList([good]), 24, 1)).sense).toBe(0x052400);
    expect((await unmap(rig, unmapList([good]), 7)).sense).toBe(0x051a00);
    expect((await unmap(rig, unmapList(Array.from({ length: 257 }, () => good)))).sense).toBe(0x052600);
    expect((await unmap(rig, unmapList([good]), 25)).response).toBe(OVERRUN);
    expect((await unmap(rig, unmapList([good]), 0)).status).toBe(0);
    expect(rig.disk.bytes.every(byte => byte === 9)).toBe(true);
  });

  const writeSame = (rig: Rig, lba: number, blocks: number, flags: number, data?: Uint8Array) =>
    run(rig, [0x93, flags, ...be(lba, 8), ...be(blocks, 4), 0, 0], data ? { data } : {});

  it.each([true, false])("WRITE SAME repeats its block, whatever it holds (cold: %s)", async cold => {
    const rig = scsi();
    rig.disk.bytes.fill(9);
    rig.disk.cold = cold;
    const expected = rig.disk.bytes.slice();
    const block = pattern(512, 4);
    expect((await writeSame(rig, 10, 3, 0, block)).status).toBe(0);
    for (const lba of [10, 11, 12]) expected.set(block, lba * 512);
    expect((await writeSame(rig, 20, 5, 0x08, new Uint8Array(512))).status).toBe(0);
    expected.fill(0, 20 * 512, 25 * 512);
    expect((await writeSame(rig, 30, 2, 0x09)).status).toBe(0);
    expected.fill(0, 30 * 512, 32 * 512);
    expect(Buffer.compare(rig.disk.bytes, expected)).toBe(0);
    expect((await writeSame(rig, 0, 0, 0, block)).sense).toBe(0x052400);
    expect((await writeSame(rig, 2047, 2, 0, block)).sense).toBe(0x052100);
    expect((await writeSame(rig, 0, 1, 0x10, block)).sense).toBe(0x052400);
    expect((await writeSame(rig, 0, 1, 0)).response).toBe(OVERRUN);
    expect(Buffer.compare(rig.disk.bytes, expected)).toBe(0);
  });
});

describe("what the disk says of itself", () => {
  it("standard INQUIRY (SPC-4, section 6.6)", async () => {
    const { data, residual } = await run(scsi(), inquiry(), { data: 64 });
    expect([data[0], data[1], data[2], data[3] & 0xf, data[4]]).toEqual([0, 0, 6, 2, 31]);
    expect(data[7] & 2).toBe(2);
    expect(text(data.subarray(8, 36))).toMatch(/^DOORBELLVirtual disk {4}1\.0 $/);
    expect(residual).toBe(64 - 36);
    expect((await run(scsi(), inquiry(-1, 5), { data: 36 })).residual).toBe(31);
  });

  it("vital product data: each page that page 00 lists is there", async () => {
    const rig = scsi();
    const { data } = await run(rig, inquiry(0), { data: 255 });
    const pages = [...data.subarray(4, 4 + data[3])];
    expect(pages).toEqual([0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2]);
    for (const page of pages) {
      const answer = await run(rig, inquiry(page), { data: 255 });
      expect([answer.status, answer.data[1]]).toEqual([0, page]);
      expect(answer.residual).toBe(255 - 4 - answer.data[3]);
    }
    expect(text((await run(rig, inquiry(0x80), { data: 8 })).data.subarray(4))).toBe("SN-1");
    const id = (await run(rig, inquiry(0x83), { data: 255 })).data;
    expect([...id.subarray(4, 16)]).toEqual([1, 3, 0, 8, 0x50, 0x02, 0x53, 0x8e, 0x4f, 0x5a, 0x6b, 0x7c]);
    const limits = new DataView((await run(rig, inquiry(0xb0), { data: 64 })).data.buffer);
    expect([limits.getUint32(8), limits.getUint32(24)]).toEqual([4096, 256]);
    expect(limits.getUint32(20)).toBeGreaterThan(0);
    const provisioning = (await run(rig, inquiry(0xb2), { data: 8 })).data;
    expect([provisioning[5], provisioning[6]]).toEqual([0xc4, 2]);
    expect((await run(rig, inquiry(0x85), { data: 64 })).sense).toBe(0x052400);
    expect((await run(rig, [0x12, 0, 0x80, 0, 64, 0], { data: 64 })).sense).toBe(0x052400);
  });

  it("READ CAPACITY (10) and (16)", async () => {
    const rig = scsi({ lbaShift: 12, blocks: 64 });
    expect([...(await run(rig, [0x25, ...be(0, 9)], { data: 8 })).data]).toEqual([
      ...be(63, 4),
      ...be(4096, 4),
    ]);
    const { data } = await run(rig, [0x9e, 0x10, ...be(0, 8), ...be(32, 4), 0, 0], { data: 32 });
    expect([...data.subarray(0, 12)]).toEqual([...be(63, 8), ...be(4096, 4)]);
    expect(data[14] & 0xc0).toBe(0xc0);
    expect((await run(rig, [0x9e, 0x11, ...be(0, 14)], { data: 32 })).sense).toBe(0x052400);
  });

  it("MODE SENSE: the cache is on, FUA is supported, nothing can be changed", async () => {
    const rig = scsi();
    const six = (byte2: number, dbd = 0x08, length = 255) => [0x1a, dbd, byte2, 0, length, 0];
    const caching = (await run(rig, six(0x08), { data: 64 })).data;
    expect([caching[0], caching[2], caching[3], caching[4], caching[5], caching[6]]).toEqual([
      23, 0x10, 0, 0x08, 18, 4,
    ]);
    expect((await run(rig, six(0x48), { data: 64 })).data[6]).toBe(0);
    expect((await run(rig, six(0xc8), { data: 64 })).sense).toBe(0x053900);
    expect((await run(rig, six(0x02), { data: 64 })).sense).toBe(0x052400);
    const all = (await run(rig, six(0x3f, 0), { data: 64 })).data;
    expect([all[0], all[3], all[12], all[32]]).toEqual([3 + 8 + 20 + 12, 8, 0x08, 0x0a]);
    const ten = (await run(rig, [0x5a, 8, 0x08, 0, 0, 0, 0, 0, 64, 0], { data: 64 })).data;
    expect([...ten.subarray(0, 11)]).toEqual([0, 26, 0, 0x10, 0, 0, 0, 0, 0x08, 18, 4]);
  });

  it("REPORT LUNS lists one", async () => {
    const rig = scsi();
    const luns = (select: number, length = 64) => [0xa0, 0, select, 0, 0, 0, ...be(length, 4), 0, 0];
    expect([...(await run(rig, luns(0), { data: 16 })).data]).toEqual([0, 0, 0, 8, ...be(0, 12)]);
    expect((await run(rig, luns(1), { data: 16 })).residual).toBe(8);
    expect((await run(rig, luns(3), { data: 16 })).sense).toBe(0x052400);
    expect((await run(rig, luns(0, 8), { data: 16 })).sense).toBe(0x052400);
  });

  it("TEST UNIT READY, REQUEST SENSE, START STOP UNIT", async () => {
    const rig = scsi();
    expect((await run(rig, TEST_UNIT_READY)).status).toBe(0);
    const { data } = await run(rig, [0x03, 0, 0, 0, 18, 0], { data: 18 });
    expect([data[0], data[2], data[7]]).toEqual([0x70, 0, 10]);
    expect((await run(rig, [0x03, 1, 0, 0, 18, 0], { data: 18 })).sense).toBe(0x052400);
    expect((await run(rig, [0x1b, 0, 0, 0, 1, 0])).status).toBe(0);
    expect(rig.disk.flushes).toBe(0);
    expect((await run(rig, [0x1b, 0, 0, 0, 0, 0])).status).toBe(0);
    expect(rig.disk.flushes).toBe(1);
    expect((await run(rig, [0x1b, 0, 0, 0, 2, 0])).sense).toBe(0x052400);
    expect((await run(rig, [0xff])).sense).toBe(0x052000);
  });
});

describe("addressing (virtio 1.1, section 5.6.6.1)", () => {
  it("there is one target", async () => {
    const rig = scsi();
    for (const lun of [
      [1, 1, 0x40, 0],
      [0, 0, 0x40, 0],
      [2, 0, 0x40, 0],
    ])
      expect((await run(rig, TEST_UNIT_READY, { lun })).response).toBe(BAD_TARGET);
    expect([count(rig, "commands"), count(rig, "errors")]).toEqual([0, 0]);
    expect((await run(rig, TEST_UNIT_READY, { lun: [1, 0, 0, 0] })).response).toBe(OK);
  });

  it("a logical unit that is not there answers INQUIRY and REPORT LUNS only", async () => {
    const rig = scsi();
    const lun = [1, 0, 0x40, 1];
    expect((await run(rig, TEST_UNIT_READY, { lun })).sense).toBe(0x052500);
    expect((await run(rig, inquiry(), { lun, data: 36 })).data[0]).toBe(0x7f);
    expect((await run(rig, inquiry(0x80), { lun, data: 36 })).sense).toBe(0x052400);
    const reportLuns = [0xa0, 0, 0, 0, 0, 0, ...be(16, 4), 0, 0];
    expect((await run(rig, reportLuns, { lun, data: 16 })).data[3]).toBe(8);
    expect((await run(rig, reportLuns, { lun: [0xc1, 1, 0, 0], data: 16 })).data[3]).toBe(8);
  });

  it.each([
    ["a short request", 50, 108],
    ["a short response", 51, 107],
  ])("%s breaks the queue", (_name, out, into) => {
    const rig = scsi();
    rig.io.push(rig.segments(out), rig.segments(into));
    rig.io.kick();
    rig.pump();
    expect(rig.status & NEEDS_RESET).toBe(NEEDS_RESET);
  });
});

describe("task management (section 5.6.6.2)", () => {
  async function tmf(rig: Rig, subtype: number, id = 0, lun: readonly number[] = [1, 0, 0x40, 0]) {
    const bytes = new Uint8Array(24);
    const view = new DataView(bytes.buffer);
    view.setUint32(4, subtype, true);
    bytes.set(lun, 8);
    view.setBigUint64(16, BigInt(id), true);
    const response = rig.segments(1);
    rig.queues[0].push(rig.segments(bytes), response);
    rig.queues[0].kick();
    await rig.settle();
    expect(rig.queues[0].reap().map(({ written }) => written)).toEqual([1]);
    return rig.gather(response)[0];
  }

  function waiting() {
    const rig = scsi();
    rig.disk.bytes.fill(7);
    rig.disk.cold = true;
    const release = rig.disk.hold();
    const first = push(rig, read10(0, 1), { id: 11, data: 512 });
    const second = push(rig, read10(1, 1), { id: 22, data: 512 });
    rig.io.kick();
    rig.pump();
    return { rig, release, first, second };
  }

  it("ABORT TASK ends the one task, which then touches nothing", async () => {
    const { rig, release, first, second } = waiting();
    expect(await tmf(rig, 0, 11)).toBe(OK);
    expect(rig.io.reap()).toEqual([{ head: first.head, written: 108 }]);
    expect(first.result()).toMatchObject({ response: ABORTED, residual: 512 });
    release();
    await rig.settle();
    expect(rig.io.reap()).toEqual([{ head: second.head, written: 620 }]);
    expect(first.result().data).toEqual(new Uint8Array(512));
    expect(second.result().data).toEqual(new Uint8Array(512).fill(7));
    expect([rig.server.pending, rig.device.ioInFlight, rig.bugs.length]).toEqual([false, false, 0]);
    expect(count(rig, "adminCommands")).toBe(1);
  });

  it("ABORT TASK SET ends all of them; a task that is not there is no error", async () => {
    const { rig, first, second } = waiting();
    expect(await tmf(rig, 0, 99)).toBe(OK);
    expect(rig.io.reap()).toEqual([]);
    expect(await tmf(rig, 1)).toBe(OK);
    expect(rig.io.reap()).toHaveLength(2);
    expect([first.result().response, second.result().response]).toEqual([ABORTED, ABORTED]);
  });

  it("LOGICAL UNIT RESET ends all of them, and the next command hears of it", async () => {
    const { rig, release, first } = waiting();
    expect(await tmf(rig, 5)).toBe(OK);
    expect(rig.io.reap()).toHaveLength(2);
    expect(first.result().response).toBe(RESET);
    release();
    expect((await run(rig, inquiry(), { data: 36 })).status).toBe(0);
    expect(await run(rig, TEST_UNIT_READY)).toMatchObject({ status: 2, sense: 0x062903 });
    expect((await run(rig, TEST_UNIT_READY)).status).toBe(0);
    expect(await tmf(rig, 4)).toBe(OK);
    const { data } = await run(rig, [0x03, 0, 0, 0, 18, 0], { data: 18 });
    expect([data[2], data[12], data[13]]).toEqual([6, 0x29, 3]);
  });

  it("QUERY TASK and QUERY TASK SET", async () => {
    const { rig, release } = waiting();
    expect([await tmf(rig, 6, 22), await tmf(rig, 6, 23), await tmf(rig, 7)]).toEqual([
      SUCCEEDED,
      OK,
      SUCCEEDED,
    ]);
    release();
    await rig.settle();
    expect(await tmf(rig, 7)).toBe(OK);
  });

  it("what is not there, and what is not supported", async () => {
    const rig = scsi();
    expect(await tmf(rig, 2)).toBe(REJECTED);
    expect(await tmf(rig, 77)).toBe(REJECTED);
    expect(await tmf(rig, 5, 0, [1, 3, 0x40, 0])).toBe(BAD_TARGET);
    expect(await tmf(rig, 5, 0, [1, 0, 0x40, 2])).toBe(INCORRECT_LUN);
  });

  it("asynchronous notifications: none", async () => {
    const rig = scsi();
    for (const type of [1, 2]) {
      const bytes = new Uint8Array(16);
      bytes.set([type, 0, 0, 0, 1, 0, 0x40, 0, 0, 0, 0, 0, 0x5e]);
      const response = rig.segments(new Uint8Array(5).fill(0xee));
      rig.queues[0].push(rig.segments(bytes), response);
      rig.queues[0].kick();
      await rig.settle();
      expect(rig.queues[0].reap()).toHaveLength(1);
      expect([...rig.gather(response)]).toEqual([0, 0, 0, 0, OK]);
    }
  });
});
