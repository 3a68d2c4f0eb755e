import fc from "fast-check";
import { type Command, PAGE, putSgl, Rig } from "../testing/driver.ts";

/**
 * What a guest may do, in any order and with any values, for tests that shrink what they find to a few steps. The
 * campaign (campaign.ts) goes further. FUZZ_RUNS=20000 for a long run.
 */

export const RUNS = Number(process.env.FUZZ_RUNS ?? 200);
const CANARY = 0xa5;
const ARENA_PAGES = 24;
export const RAM = 2 << 20;
export const SHADOW = 0;
export const EVENT_IDX = 1;

/** A rig in whose RAM all is canary except what the guest gives to the device: an arena of every other page. */
export async function setUp(options: { stronglyOrderedHost: boolean }) {
  const rig = await Rig.create({
    ...options,
    ramBytes: RAM,
    // Capacities that are no addresses either, where Identify data is taken for a PRP list.
    disks: [{ blocks: 251 }, { nsid: 3, blocks: 1024, lbaShift: 12 }],
  });
  rig.enable(16);
  const queues = [await rig.createQueues(1, 8), await rig.createQueues(2, 5, 3)];
  const arena: number[] = [];
  for (let i = 0; i < ARENA_PAGES; i++) {
    arena.push(rig.alloc(PAGE));
    rig.alloc(PAGE);
  }
  const sglPage = rig.alloc(PAGE);
  rig.alloc(PAGE);
  // Page 0 is the guest's to give as well: what it does not write is 0, and may be taken for a PRP.
  const mine = new Set<number>([0, sglPage, ...arena]);
  for (const { sqBase, cqBase } of [rig.admin, ...queues]) mine.add(sqBase).add(cqBase);
  const { bytes } = rig.memory;
  for (let page = 0; page < bytes.length; page += PAGE)
    if (!mine.has(page)) bytes.fill(CANARY, page, page + PAGE);
  const untouched = new Uint8Array(PAGE).fill(CANARY);
  const intact = () => {
    for (let page = 0; page < bytes.length; page += PAGE) {
      if (mine.has(page) || Buffer.compare(bytes.subarray(page, page + PAGE), untouched) === 0) continue;
      throw new Error(`the device wrote to the page at ${page.toString(16)}h`);
    }
  };
  return { rig, queues, arena, sglPage, intact };
}

// Addresses: pages of the arena, or what is no RAM. Never a page that is not the guest's to give.
export const page = fc.oneof(
  { weight: 12, arbitrary: fc.nat(ARENA_PAGES - 1) },
  { weight: 1, arbitrary: fc.constantFrom(-1, -2, -3, -4) },
);
export const offset = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.nat(1023).map(dword => dword * 4) },
  { weight: 1, arbitrary: fc.constantFrom(1, 4088, 4092) },
);
export const pointer = fc.record({ page, offset });
type Pointer = { readonly page: number; readonly offset: number };
export const address = (arena: readonly number[], { page, offset }: Pointer) =>
  (page >= 0 ? arena[page] : [0xa0000, RAM, 2 ** 32, 2 ** 64 - 2 ** 12][-page - 1]) + offset;

export const word = fc.oneof(
  fc.constantFrom(
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    255,
    256,
    0xffff,
    0x10000,
    0x7fffffff,
    0xffffffff,
    0x40000000,
    0xfffffffe,
  ),
  fc.integer(),
  fc.nat(40),
);
/** A word that is no address in RAM above page 0, whoever takes it for one. */
export const harmless = word.filter(value => value >>> 0 < PAGE || value >>> 0 >= RAM);

const PSDT_SGL = 0x40;
/** An SGL descriptor: its data lies within one page, its segments in the page that holds nothing else. */
const descriptor = fc.record({
  to: pointer,
  length: fc.oneof(fc.constantFrom(0, 16, 32, 512, PAGE), fc.nat(PAGE)),
  type: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    { weight: 4, arbitrary: fc.constantFrom(0x10, 0x20, 0x30) },
    { weight: 1, arbitrary: fc.nat(255) },
  ),
});
type Descriptor = typeof descriptor extends fc.Arbitrary<infer D> ? D : never;
const sglOf = (arena: readonly number[], sglPage: number, { to, length, type }: Descriptor) => {
  const isSegment = type === 0x20 || type === 0x30;
  return {
    address: isSegment ? sglPage + to.offset : address(arena, to),
    length: Math.min(length, PAGE - to.offset),
    type,
  };
};
export const fillSgl = fc.record({
  kind: fc.constant("sgl" as const),
  entries: fc.array(descriptor, { minLength: 1, maxLength: 5 }),
});
export function writeSgl(
  rig: Rig,
  arena: readonly number[],
  sglPage: number,
  entries: readonly Descriptor[],
): void {
  for (let i = 0; i < PAGE / 16; i++) {
    putSgl(rig.memory.words, (sglPage + i * 16) / 4, sglOf(arena, sglPage, entries[i % entries.length]));
  }
}

export const sqe = fc.record({
  opcode: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(0, 1, 2, 4, 5, 8, 9, 0x0c, 0x19) },
    { weight: 1, arbitrary: fc.nat(255) },
  ),
  // PRPs; SGLs; halves of fused operations; anything.
  flags: fc.oneof(
    { weight: 11, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.constant(PSDT_SGL) },
    { weight: 1, arbitrary: fc.constantFrom(1, 2) },
    { weight: 1, arbitrary: fc.nat(255) },
  ),
  sgl: descriptor,
  nsid: fc.constantFrom(1, 1, 1, 3, 3, 2, 0, 0xffffffff),
  prp1: pointer,
  prp2: pointer,
  cdw: fc.tuple(
    fc.oneof(fc.nat(260), word),
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(0, 4) }, { weight: 1, arbitrary: word }),
    fc.oneof(fc.nat(30), word),
  ),
});
type FuzzSqe = Omit<Command, "prp1" | "prp2" | "sgl"> & { readonly prp1: Pointer; readonly prp2: Pointer };
export const command = (arena: readonly number[], { prp1, prp2, ...rest }: FuzzSqe): Command => ({
  ...rest,
  prp1: address(arena, prp1),
  prp2: address(arena, prp2),
});
type FuzzIoSqe = FuzzSqe & { readonly flags: number; readonly sgl: Descriptor };
export const ioCommand = (
  arena: readonly number[],
  sglPage: number,
  { sgl, ...rest }: FuzzIoSqe,
): Command => ({
  ...command(arena, rest),
  ...((rest.flags & 0xc0) === PSDT_SGL && { sgl: sglOf(arena, sglPage, sgl) }),
});

/** PRP lists are data of the guest too: pages are filled with entries. */
export const fillList = fc.record({
  kind: fc.constant("list" as const),
  page: fc.nat(ARENA_PAGES - 1),
  entries: fc.array(pointer, { minLength: 1, maxLength: 5 }),
});

export function writeList(
  rig: Rig,
  arena: readonly number[],
  page: number,
  entries: readonly Pointer[],
): void {
  for (let i = 0; i < 512; i++) {
    const to = address(arena, entries[i % entries.length]);
    rig.memory.words[(arena[page] + i * 8) / 4] = to % 2 ** 32;
    rig.memory.words[(arena[page] + i * 8) / 4 + 1] = Math.floor(to / 2 ** 32);
  }
}
