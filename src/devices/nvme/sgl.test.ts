import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Command,
  DNR,
  PAGE,
  pattern,
  putSgl,
  type QueuePair,
  Rig,
  type SglDescriptor,
  transfer,
} from "./testing/driver.ts";

const [DATA, BUCKET, SEGMENT, LAST] = [0x00, 0x10, 0x20, 0x30];
const PSDT_SGL = 0x40;
const INVALID_SEGMENT = 0x00d | DNR;
const INVALID_COUNT = 0x00e | DNR;
const LENGTH_INVALID = 0x00f | DNR;
const TYPE_INVALID = 0x011 | DNR;
const GRANULARITY_INVALID = 0x01e | DNR;

const block = (address: number, length: number): SglDescriptor => ({ address, length, type: DATA });
const bucket = (length: number): SglDescriptor => ({ address: 0, length, type: BUCKET });

/** Writes a segment and returns a descriptor of it. */
function segment(
  rig: Rig,
  descriptors: readonly SglDescriptor[],
  type = LAST,
  at = rig.alloc(PAGE),
): SglDescriptor {
  for (const [i, each] of descriptors.entries()) putSgl(rig.memory.words, at / 4 + i * 4, each);
  return { address: at, length: descriptors.length * 16, type };
}

const sgl = (opcode: 1 | 2 | 5, blocks: number, first: SglDescriptor): Command => ({
  ...transfer(1, 0, blocks, { prp1: 0 }),
  opcode,
  flags: PSDT_SGL,
  sgl: first,
});

async function status(rig: Rig, io: QueuePair, blocks: number, first: SglDescriptor, opcode: 1 | 2 | 5 = 2) {
  return (await rig.io(io, sgl(opcode, blocks, first))).status;
}

async function written(bytes: number) {
  const made = await Rig.withQueue();
  const { rig, io } = made;
  const data = pattern(bytes, 1);
  const at = rig.alloc(bytes);
  rig.memory.bytes.set(data, at);
  expect(await status(rig, io, bytes / 512, block(at, bytes), 1)).toBe(0);
  return { ...made, data };
}

describe("scatter gather lists (4.4)", () => {
  it("a data block in the command itself, at any dword", async () => {
    const { rig, io, data } = await written(12 * 512);
    const at = rig.alloc(3 * PAGE) + 1020;
    expect(await status(rig, io, 12, block(at, 12 * 512))).toBe(0);
    expect(rig.slice(at, 12 * 512)).toEqual(data);
    expect(await status(rig, io, 12, block(at, 12 * 512), 5)).toBe(0);
  });

  it("a chain of segments, with empty blocks, in the order of the list", async () => {
    const { rig, io, data } = await written(2048);
    const page = rig.alloc(PAGE);
    const third = segment(rig, [block(page, 512)]);
    const second = segment(rig, [block(page + 512, 0), block(page + 2048, 4), third], SEGMENT);
    const first = segment(rig, [block(page + 1024, 512), block(page + 3072, 1020), second], SEGMENT);
    expect(await status(rig, io, 4, first)).toBe(0);
    expect(rig.slice(page + 1024, 512)).toEqual(data.slice(0, 512));
    expect(rig.slice(page + 3072, 1020)).toEqual(data.slice(512, 1532));
    expect(rig.slice(page + 2048, 4)).toEqual(data.slice(1532, 1536));
    expect(rig.slice(page, 512)).toEqual(data.slice(1536));
  });

  it("a bit bucket drops what is read, and is nothing in a write", async () => {
    const { rig, io, data } = await written(1024);
    const page = rig.alloc(PAGE);
    rig.dirtied = [];
    const list = segment(rig, [bucket(500), block(page, 100), bucket(424)]);
    expect(await status(rig, io, 2, list)).toBe(0);
    expect(rig.slice(page, 104)).toEqual(new Uint8Array([...data.slice(500, 600), 0, 0, 0, 0]));
    expect(rig.dirtied).toEqual([[page, page + 100]]);
    expect(await status(rig, io, 2, bucket(1024))).toBe(0);
    rig.memory.bytes.set(data, page);
    const source = segment(rig, [bucket(100), block(page, 512), bucket(4096), block(page + 512, 512)]);
    expect(await status(rig, io, 2, source, 1)).toBe(0);
    expect(await status(rig, io, 2, source, 5)).toBe(0);
    expect(await status(rig, io, 2, bucket(1024), 1)).toBe(LENGTH_INVALID);
  });

  it("a list that is too short is refused, one that is too long is not (SGLS bit 18)", async () => {
    const { rig, io } = await written(1024);
    const page = rig.alloc(PAGE);
    expect(await status(rig, io, 2, block(page, 1020))).toBe(LENGTH_INVALID);
    expect(await status(rig, io, 2, segment(rig, [block(page, 512), block(page, 508)]))).toBe(LENGTH_INVALID);
    rig.memory.bytes.fill(0, page, page + PAGE);
    expect(await status(rig, io, 2, block(page, 2048))).toBe(0);
    expect(rig.slice(page + 1024, 1024)).toEqual(new Uint8Array(1024));
    const beyond = segment(rig, [block(page, 1024), block(0xa0000, 512)]);
    expect(await status(rig, io, 2, beyond)).toBe(0);
  });

  it("segments: a length of descriptors, at a qword, and pointers only at their end", async () => {
    const { rig, io } = await written(512);
    const page = rig.alloc(PAGE);
    const good = segment(rig, [block(page, 512)]);
    expect(await status(rig, io, 1, good)).toBe(0);
    expect(await status(rig, io, 1, { ...good, length: 0 })).toBe(INVALID_SEGMENT);
    expect(await status(rig, io, 1, { ...good, length: 24 })).toBe(INVALID_SEGMENT);
    expect(await status(rig, io, 1, { ...good, address: good.address + 4 })).toBe(INVALID_SEGMENT);
    const inTheMiddle = segment(rig, [good, block(page, 512)], SEGMENT);
    expect(await status(rig, io, 1, inTheMiddle)).toBe(INVALID_COUNT);
    for (const type of [SEGMENT, LAST]) {
      expect(await status(rig, io, 1, segment(rig, [{ ...good, type }]))).toBe(INVALID_SEGMENT);
    }
  });

  it("types and sub types that there are not, and data that is not in dwords", async () => {
    const { rig, io } = await written(512);
    const page = rig.alloc(PAGE);
    for (const type of [0x01, 0x0f, 0x21, 0x40, 0x50, 0xf0]) {
      expect(await status(rig, io, 1, { ...block(page, 512), type })).toBe(TYPE_INVALID);
      expect(await status(rig, io, 1, segment(rig, [{ ...block(page, 512), type }]))).toBe(TYPE_INVALID);
    }
    expect(await status(rig, io, 1, block(page + 2, 512))).toBe(GRANULARITY_INVALID);
    expect(await status(rig, io, 1, segment(rig, [block(page, 2), block(page, 510)]))).toBe(
      GRANULARITY_INVALID,
    );
  });

  it("memory that is not there, for data and for segments", async () => {
    const { rig, io } = await written(512);
    for (const address of [0xa0000, rig.memory.byteLength, 2 ** 40, 2 ** 64 - 4096]) {
      expect(await status(rig, io, 1, block(address, 512))).toBe(0x004);
      expect(await status(rig, io, 1, { address, length: 16, type: LAST })).toBe(0x004);
    }
    expect(await status(rig, io, 1, { address: rig.alloc(PAGE), length: 0xfffffff0, type: LAST })).toBe(
      0x004,
    );
  });

  it("a list that leads back into itself ends", async () => {
    const { rig, io } = await written(512);
    const at = rig.alloc(PAGE);
    const loop = segment(rig, [{ address: at, length: 16, type: SEGMENT }], SEGMENT, at);
    expect(await status(rig, io, 1, loop)).toBe(INVALID_COUNT);
    const empties = Array.from({ length: 255 }, () => block(at, 0));
    const slow = segment(rig, [...empties, { address: at, length: PAGE, type: SEGMENT }], SEGMENT, at);
    expect(await status(rig, io, 1, slow)).toBe(INVALID_COUNT);
  });

  it("a transfer in single dwords is possible, with more segments than PRPs could have", async () => {
    const { rig, io, data } = await written(8192);
    const list = rig.alloc(2048 * 16);
    const target = rig.alloc(2048 * 8);
    const dwords = Array.from({ length: 2048 }, (_, i) => block(target + i * 8, 4));
    expect(await status(rig, io, 16, segment(rig, dwords, LAST, list))).toBe(0);
    for (const i of [0, 1, 511, 2047]) {
      expect(rig.slice(target + i * 8, 8)).toEqual(
        new Uint8Array([...data.slice(i * 4, i * 4 + 4), 0, 0, 0, 0]),
      );
    }
  });

  it("are not for admin commands (4.2: PRPs only)", async () => {
    const rig = await Rig.create();
    rig.enable();
    const first = block(rig.alloc(PAGE), PAGE);
    const identify = { opcode: 0x06, nsid: 1, flags: PSDT_SGL, sgl: first, cdw: [1] };
    expect((await rig.command(identify)).status).toBe(0x002 | DNR);
  });

  it("move the same bytes as a flat copy would, however the list is cut", async () => {
    const piece = fc.record({ bucket: fc.boolean(), dwords: fc.nat(200), cut: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 20 }), async pieces => {
        const { rig, io, data } = await written(8 * 512);
        const expected: { at: number; bytes: Uint8Array }[] = [];
        let left = 8 * 512;
        let descriptors: SglDescriptor[] = [];
        const segments: SglDescriptor[][] = [];
        for (const { bucket: drop, dwords, cut } of [
          ...pieces,
          { bucket: false, dwords: 1024, cut: false },
        ]) {
          const length = Math.min(left, dwords * 4);
          if (drop) descriptors.push(bucket(length));
          else {
            const at = rig.alloc(PAGE);
            descriptors.push(block(at, length));
            expected.push({ at, bytes: data.slice(8 * 512 - left, 8 * 512 - left + length) });
          }
          left -= length;
          if (cut) {
            segments.push(descriptors);
            descriptors = [];
          }
        }
        segments.push(descriptors);
        let next: SglDescriptor | undefined;
        for (const each of segments.toReversed())
          next = segment(rig, next ? [...each, next] : each, next ? SEGMENT : LAST);
        if (!next) throw new Error("no list");
        expect(await status(rig, io, 8, next)).toBe(0);
        for (const { at, bytes } of expected)
          expect(Buffer.compare(rig.slice(at, bytes.length), bytes)).toBe(0);
        expect(rig.bugs).toEqual([]);
      }),
      { numRuns: 30 },
    );
  });
});
