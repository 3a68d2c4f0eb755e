import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IoVector } from "../../storage/io_vector.ts";
import { createGuestMemory } from "../guest_memory.ts";
import { mapPrp } from "./prp.ts";

/** PRP entries and lists: NVMe 1.4, section 4.3. */

const PAGE = 4096;
const RAM = 4 << 20;
const LIST = 0x200000;
const INVALID_FIELD = 0x4002;
const OFFSET_INVALID = 0x4013;
const TRANSFER_ERROR = 0x004;
const MAX_BYTES = 2 << 20;

const memory = createGuestMemory(new SharedArrayBuffer(RAM), 0, RAM);
const put = (at: number, address: number) => {
  memory.words[at / 4] = address % 2 ** 32;
  memory.words[at / 4 + 1] = Math.floor(address / 2 ** 32);
};

function map(prp1: number, prp2: number, bytes: number) {
  const vector = new IoVector(memory.bytes, 513);
  vector.add(1, 2); // left over from another request
  const status = mapPrp(memory, prp1, prp2, bytes, vector);
  const segments = Array.from({ length: vector.count }, (_, i) => [vector.offsets[i], vector.lengths[i]]);
  return { status, segments, bytes: vector.byteLength };
}

describe("PRP1 and PRP2 without a list", () => {
  it("one page, at any dword offset", () => {
    expect(map(0x10000, 7, 4096)).toEqual({ status: 0, segments: [[0x10000, 4096]], bytes: 4096 });
    expect(map(0x10ffc, 7, 4)).toEqual({ status: 0, segments: [[0x10ffc, 4]], bytes: 4 });
    expect(map(0x10e00, 7, 512).segments).toEqual([[0x10e00, 512]]);
  });

  it("PRP1 must be dword aligned", () => {
    for (const offset of [1, 2, 3]) expect(map(0x10000 + offset, 0, 512).status).toBe(OFFSET_INVALID);
  });

  it("two pages, the first with an offset; PRP2 must have none", () => {
    expect(map(0x10800, 0x20000, 4096).segments).toEqual([
      [0x10800, 2048],
      [0x20000, 2048],
    ]);
    expect(map(0x10800, 0x20004, 4096).status).toBe(OFFSET_INVALID);
    expect(map(0x10000, 0x20000, 8192).segments).toEqual([
      [0x10000, 4096],
      [0x20000, 4096],
    ]);
  });

  it("adjacent pages become one segment", () => {
    expect(map(0x10800, 0x11000, 6144).segments).toEqual([[0x10800, 6144]]);
  });

  it("RAM ends where it ends, and the VGA window is no RAM", () => {
    expect(map(RAM - PAGE, 0, PAGE).status).toBe(0);
    expect(map(RAM, 0, 512).status).toBe(TRANSFER_ERROR);
    expect(map(0x10000, RAM, 8192).status).toBe(TRANSFER_ERROR);
    for (const at of [0xa0000, 0xbf000]) expect(map(at, 0, 512).status).toBe(TRANSFER_ERROR);
    for (const at of [0x9f000, 0xc0000]) expect(map(at, 0, PAGE).status).toBe(0);
    expect(map(0x10000, 0xa0000, 8192).status).toBe(TRANSFER_ERROR);
  });

  it("64-bit addresses are not cut to 32 bits", () => {
    for (const high of [1, 0x80000000, 0xffffffff]) {
      expect(map(0x10000 + high * 2 ** 32, 0, 512).status).toBe(TRANSFER_ERROR);
      expect(map(0x10000, 0x20000 + high * 2 ** 32, 8192).status).toBe(TRANSFER_ERROR);
      put(LIST, 0x20000 + high * 2 ** 32);
      put(LIST + 8, 0x30000);
      expect(map(0x10000, LIST, 3 * PAGE).status).toBe(TRANSFER_ERROR);
      expect(map(0x10000, LIST + high * 2 ** 32, 3 * PAGE).status).toBe(TRANSFER_ERROR);
    }
  });
});

describe("PRP lists", () => {
  it("start at any qword of their page, and their entries have no offset", () => {
    put(LIST + 0x18, 0x20000);
    put(LIST + 0x20, 0x30000);
    expect(map(0x10000, LIST + 0x18, 3 * PAGE).segments).toEqual([
      [0x10000, PAGE],
      [0x20000, PAGE],
      [0x30000, PAGE],
    ]);
    expect(map(0x10000, LIST + 0x1c, 3 * PAGE).status).toBe(OFFSET_INVALID);
    put(LIST + 0x20, 0x30004);
    expect(map(0x10000, LIST + 0x18, 3 * PAGE).status).toBe(OFFSET_INVALID);
  });

  it("the last entry of a page is data if it is the last of all, and else the next list", () => {
    const end = LIST + PAGE - 16;
    put(end, 0x20000);
    put(end + 8, 0x30000);
    expect(map(0x10000, end, 3 * PAGE).segments.at(-1)).toEqual([0x30000, PAGE]);
    put(end + 8, LIST + PAGE);
    put(LIST + PAGE, 0x40000);
    put(LIST + PAGE + 8, 0x60000);
    expect(map(0x10000, end, 4 * PAGE).segments).toEqual(
      [0x10000, 0x20000, 0x40000, 0x60000].map(at => [at, PAGE]),
    );
  });

  it("a list that begins with its page's last entry is only a pointer to the next", () => {
    put(LIST + PAGE - 8, LIST + PAGE);
    put(LIST + PAGE, 0x20000);
    put(LIST + PAGE + 8, 0x30000);
    expect(map(0x10000, LIST + PAGE - 8, 3 * PAGE).segments).toHaveLength(3);
    put(LIST + PAGE - 8, LIST + PAGE + 8);
    expect(map(0x10000, LIST + PAGE - 8, 3 * PAGE).status).toBe(OFFSET_INVALID);
  });

  it("a list, or the next one, outside RAM is refused before it is read", () => {
    expect(map(0x10000, RAM, 3 * PAGE).status).toBe(TRANSFER_ERROR);
    expect(map(0x10000, 0xa0000, 3 * PAGE).status).toBe(TRANSFER_ERROR);
    put(LIST + PAGE - 8, RAM);
    expect(map(0x10000, LIST + PAGE - 8, 3 * PAGE).status).toBe(TRANSFER_ERROR);
  });

  it("entries outside RAM are refused, wherever they stand", () => {
    for (let bad = 0; bad < 5; bad++) {
      for (let i = 0; i < 5; i++) put(LIST + i * 8, i === bad ? RAM : 0x20000 + i * 0x2000);
      expect(map(0x10000, LIST, 6 * PAGE).status).toBe(TRANSFER_ERROR);
    }
  });

  it("a list that points to itself ends with the transfer's length", () => {
    for (let i = 0; i < 512; i++) put(LIST + i * 8, LIST);
    expect(map(LIST, LIST, MAX_BYTES)).toMatchObject({ status: 0, bytes: MAX_BYTES });
    expect(map(LIST, LIST + PAGE - 8, MAX_BYTES)).toMatchObject({ status: 0, bytes: MAX_BYTES });
  });

  it("the longest transfer fits the vector, with an offset and no two pages adjacent", () => {
    for (let i = 0; i < 511; i++) put(LIST + i * 8, i % 2 === 0 ? 0x20000 : 0x40000);
    put(LIST + 511 * 8, 0x60000);
    const { status, segments, bytes } = map(0x10004, LIST, MAX_BYTES);
    expect([status, segments.length, bytes]).toEqual([0, 513, MAX_BYTES]);
    expect(segments.at(-1)).toEqual([0x60000, 4]);
  });
});

it("an entry that is needed and null is refused, wherever it stands", () => {
  expect(map(0, 0, 512).status).toBe(INVALID_FIELD);
  expect(map(0x100000 + 512, 0, PAGE).status).toBe(INVALID_FIELD);
  put(0x101000, 0x102000);
  put(0x101008, 0);
  expect(map(0x100000, 0x101000, 3 * PAGE).status).toBe(INVALID_FIELD);
  // Page 0 is memory as any other: only its first byte cannot be named.
  expect(map(4, 0, 512).status).toBe(0);
});

describe("against a model", () => {
  /** Says for each page of the transfer where it is, by the words of section 4.3. */
  function model(prp1: number, prp2: number, bytes: number): number | { at: number; length: number }[] {
    const ram = (at: number, length: number) =>
      at + length <= RAM && (at + length <= 0xa0000 || at >= 0xc0000);
    if (prp1 === 0) return INVALID_FIELD;
    if (prp1 % 4 !== 0) return OFFSET_INVALID;
    const first = Math.min(bytes, PAGE - (prp1 % PAGE));
    if (!ram(prp1, first)) return TRANSFER_ERROR;
    const result = [{ at: prp1, length: first }];
    const pages = Math.ceil((bytes - first) / PAGE);
    let left = bytes - first;
    if (pages > 0 && prp2 === 0) return INVALID_FIELD;
    if (pages === 1) {
      if (prp2 % PAGE !== 0) return OFFSET_INVALID;
      return ram(prp2, left) ? [...result, { at: prp2, length: left }] : TRANSFER_ERROR;
    }
    if (pages > 1 && prp2 % 8 !== 0) return OFFSET_INVALID;
    let list = prp2;
    if (pages > 1 && !ram(list, PAGE - (list % PAGE))) return TRANSFER_ERROR;
    for (let page = 0; page < pages; ) {
      const view = new DataView(memory.bytes.buffer);
      const entry = Number(view.getBigUint64(list, true));
      if (entry === 0) return INVALID_FIELD;
      if (entry % PAGE !== 0) return OFFSET_INVALID;
      if (list % PAGE === PAGE - 8 && page < pages - 1) {
        if (!ram(entry, PAGE)) return TRANSFER_ERROR;
        list = entry;
        continue;
      }
      const length = Math.min(left, PAGE);
      if (!ram(entry, length)) return TRANSFER_ERROR;
      result.push({ at: entry, length });
      left -= length;
      list += 8;
      page += 1;
    }
    return result;
  }

  const flat = (segments: readonly (readonly [number, number])[]) => {
    const merged: [number, number][] = [];
    for (const [at, length] of segments) {
      const last = merged.at(-1);
      if (last && last[0] + last[1] === at) last[1] += length;
      else merged.push([at, length]);
    }
    return merged;
  };

  it("maps the same pages, or refuses for the same reason", () => {
    const page = fc.oneof(
      { weight: 20, arbitrary: fc.integer({ min: 0x100, max: 0x140 }) },
      { weight: 1, arbitrary: fc.constantFrom(0xa0, 0xbf, RAM / PAGE - 1, RAM / PAGE, 0x100000, 0x100100) },
    );
    const address = fc
      .tuple(
        page,
        fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4095) }),
      )
      .map(([number, offset]) => number * PAGE + offset);
    fc.assert(
      fc.property(
        address,
        fc.nat(PAGE / 4 - 1),
        fc.tuple(page, fc.oneof(fc.constant(0), fc.constantFrom(4, 8, 4072, 4080, 4084, 4088))),
        fc.integer({ min: 1, max: 3 * 4096 }),
        fc.array(address, { minLength: 1, maxLength: 30 }),
        (first, dword, [listPage, listOffset], sectors, entries) => {
          // The pages that lists can lie in hold the entries over and over.
          for (let at = 0x100 * PAGE, i = 0; at < 0x141 * PAGE; at += 8, i++)
            put(at, entries[i % entries.length]);
          const bytes = Math.min(sectors * 512, MAX_BYTES);
          const prp1 = first % PAGE === 0 ? first + dword * 4 : first;
          const prp2 = listPage * PAGE + listOffset;
          const expected = model(prp1, prp2, bytes);
          const actual = map(prp1, prp2, bytes);
          if (typeof expected === "number") return actual.status === expected;
          expect(actual.status).toBe(0);
          expect(actual.segments).toEqual(flat(expected.map(({ at, length }) => [at, length] as const)));
          return actual.bytes === bytes;
        },
      ),
      { numRuns: 500 },
    );
  });
});
