import { type Command, PAGE, type SglDescriptor } from "../testing/driver.ts";
import { type Arena, DATA_PAGES } from "./arena.ts";
import type { Random } from "./random.ts";

/** A place in a data page, or (page below 0) one that is no RAM. */
export interface Pointer {
  readonly page: number;
  readonly offset: number;
}

/** A command as the fuzzer keeps and changes it: what it points to are pages of an arena, whichever that is. */
export interface Template {
  readonly isAdmin: boolean;
  readonly opcode: number;
  /** CDW0 15:8: FUSE, PSDT. */
  readonly flags: number;
  readonly nsid: number;
  readonly prp1: Pointer;
  readonly prp2: Pointer;
  /** Entries of a PRP list in page `prp2.page`, over and over; none leaves the page as it is. */
  readonly list: readonly Pointer[];
  readonly sgl: readonly Descriptor[];
  readonly cdw: readonly number[];
}

export interface Descriptor {
  readonly to: Pointer;
  readonly length: number;
  readonly type: number;
}

const PSDT_SGL = 0x40;
export const isSgl = ({ flags }: Template): boolean => (flags & 0xc0) === PSDT_SGL;

const NVM_OPCODES = [0x00, 0x01, 0x02, 0x04, 0x05, 0x08, 0x09, 0x0c, 0x19];
const ADMIN_OPCODES = [0x02, 0x06, 0x08, 0x08, 0x09, 0x0a, 0x0c, 0x18];
/** Those that take namespaces or their data away, or stop all others for long. */
const HEAVY_OPCODES = [0x0d, 0x14, 0x15, 0x80, 0x84];
const NSIDS = [1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 2, 4, 0, 5, 0xfffffffe, 0xffffffff];
const WORDS = [
  0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 255, 256, 0xffff, 0x10001, 0x7fffffff, 0x80000000, 0xffffffff,
];
const RAM_END = 2 << 20;

/**
 * Any word that is no page of RAM: data that the device writes (the error log, say) may be taken for a PRP list later,
 * and then must not name memory that was never lent.
 */
function word(random: Random): number {
  const value = random.oneIn(3) ? random.word() : random.oneIn(2) ? random.below(300) : random.pick(WORDS);
  return value % PAGE === 0 && value < RAM_END && value !== 0 ? value + 1 : value;
}

function pointer(random: Random): Pointer {
  const page = random.oneIn(14) ? -1 - random.below(5) : random.below(DATA_PAGES);
  const offset = random.oneIn(4)
    ? random.oneIn(3)
      ? random.pick([1, 2, 4088, 4092])
      : random.below(1024) * 4
    : 0;
  // A null pointer has no offset: page 0 is not lent.
  return { page, offset: page === -1 ? 0 : offset };
}

function descriptor(random: Random): Descriptor {
  const type = random.oneIn(8) ? random.below(256) : random.pick([0, 0, 0, 0x10, 0x20, 0x30]);
  const length = random.oneIn(2) ? random.pick([0, 16, 32, 512, 1024, PAGE]) : random.below(PAGE);
  return { to: pointer(random), length, type };
}

const several = <T>(random: Random, most: number, make: (random: Random) => T): T[] =>
  Array.from({ length: 1 + random.below(most) }, () => make(random));

function flags(random: Random, isAdmin: boolean): number {
  if (random.oneIn(40)) return random.below(256);
  if (isAdmin) return 0;
  return random.oneIn(5) ? PSDT_SGL : random.oneIn(12) ? random.pick([1, 2]) : 0;
}

/** CDW10 to CDW15 that could mean something to the opcode. */
function dwords(random: Random, isAdmin: boolean, opcode: number): number[] {
  const cdw = [word(random), 0, 0, 0, 0, 0];
  if (random.oneIn(12)) return cdw.map(() => word(random));
  if (!isAdmin) {
    if (opcode === 0x09) return [random.below(4), random.pick([0, 4, 4, 7]), 0, 0, 0, 0];
    const bits = random.oneIn(4) ? random.pick([1 << 30, 1 << 31, 1 << 25]) : 0;
    const blocks = random.oneIn(6) ? random.below(600) : random.below(opcode === 0x19 ? 3 : 24);
    return [random.below(260), random.oneIn(30) ? word(random) : 0, (blocks | bits) >>> 0, 0, 0, 0];
  }
  switch (opcode) {
    case 0x02:
      return [
        random.pick([1, 2, 3, 4, 5, 6, 0x81, 7]) | (random.below(200) << 16),
        0,
        random.below(64) * 4,
        0,
        0,
        0,
      ];
    case 0x06:
      return [random.pick([0, 1, 2, 3, 5, 6, 0x10, 0x11, 0x12, 0x13, 0x20]), 0, 0, 0, 0, 0];
    case 0x09:
    case 0x0a:
      return [random.below(0x19) | (opcode === 0x0a ? random.below(4) << 8 : 0), word(random), 0, 0, 0, 0];
    case 0x08:
      return [(random.below(4) | (random.below(64) << 16)) >>> 0, 0, 0, 0, 0, 0];
    case 0x0d:
      return [random.oneIn(6) ? 1 : random.pick([0, 0, 2]), 0, 0, 0, 0, 0];
    case 0x15:
      return [random.oneIn(4) ? 1 : random.pick([0, 0, 2]), 0, 0, 0, 0, 0];
    case 0x14:
      return [random.pick([1, 2, 0xf, 0, 3]), 0, 0, 0, 0, 0];
    case 0x80:
      return [random.pick([0, 0, 1, 1 << 9, 2 << 9, 1 << 4, 2]), 0, 0, 0, 0, 0];
    case 0x84:
      return [random.pick([1, 2, 2 | (1 << 3), 2 | (1 << 9), 3, 4]), 0, 0, 0, 0, 0];
    default:
      return cdw;
  }
}

export function generate(random: Random, isAdmin: boolean): Template {
  const opcodes = isAdmin ? (random.oneIn(16) ? HEAVY_OPCODES : ADMIN_OPCODES) : NVM_OPCODES;
  const opcode = random.oneIn(20) ? random.below(256) : random.pick(opcodes);
  return tame({
    isAdmin,
    opcode,
    flags: flags(random, isAdmin),
    nsid: isAdmin && random.oneIn(2) ? random.pick([0, 0xffffffff]) : random.pick(NSIDS),
    prp1: pointer(random),
    prp2: pointer(random),
    list: random.oneIn(3) ? [] : several(random, 5, pointer),
    sgl: several(random, 4, descriptor),
    cdw: dwords(random, isAdmin, opcode),
  });
}

/** The same with one field or a few of another value. */
export function mutate(random: Random, template: Template): Template {
  let changed: Template = template;
  for (let i = 1 + random.below(3); i > 0; i--) {
    const fresh = generate(random, template.isAdmin);
    switch (random.below(8)) {
      case 0:
        changed = { ...changed, flags: fresh.flags };
        break;
      case 1:
        changed = { ...changed, nsid: fresh.nsid };
        break;
      case 2:
        changed = { ...changed, prp1: fresh.prp1 };
        break;
      case 3:
        changed = { ...changed, prp2: fresh.prp2, list: fresh.list };
        break;
      case 4:
        changed = { ...changed, sgl: fresh.sgl };
        break;
      case 5:
        changed = { ...changed, opcode: fresh.opcode };
        break;
      default: {
        const cdw = [...changed.cdw];
        const at = random.below(random.oneIn(4) ? 6 : 3);
        cdw[at] = random.oneIn(2) ? word(random) : (cdw[at] ^ (1 << random.below(32))) >>> 0;
        changed = { ...changed, cdw };
      }
    }
  }
  return tame(changed);
}

/**
 * What belongs to the host's own book-keeping is left to it: queues are created and deleted, and shadow doorbells
 * configured, by steps of their own (they name memory that is not lent to commands).
 */
function tame(template: Template): Template {
  if (!template.isAdmin) return { ...template, cdw: harmless(template.cdw) };
  const reserved = [0x00, 0x01, 0x04, 0x05, 0x7c, 0xc0].includes(template.opcode);
  return { ...template, opcode: reserved ? 0x06 : template.opcode, cdw: harmless(template.cdw) };
}

const harmless = (cdw: readonly number[]): number[] =>
  cdw.map(value => (value % PAGE === 0 && value < RAM_END && value !== 0 ? value + 1 : value));

function descriptorOf(arena: Arena, { to, length, type }: Descriptor): SglDescriptor {
  const isSegment = type === 0x20 || type === 0x30;
  // Half a descriptor further on, lengths would be addresses.
  const at = to.offset % 8 === 0 ? to.offset - (to.offset % 16) : to.offset;
  return {
    // Address 0 is null to a PRP alone.
    address: isSegment ? arena.sgl + at : arena.address(to.page === -1 ? { ...to, page: -2 } : to),
    length: Math.min(length, PAGE - to.offset),
    type,
  };
}

/** Puts what the command points to into the arena, and answers the command. */
export function materialize(template: Template, arena: Arena): Command {
  const { opcode, flags, nsid, prp1, prp2, list, sgl, cdw } = template;
  if (list.length > 0 && prp2.page >= 0) arena.writeList(prp2.page, list);
  const command: Command = {
    opcode,
    flags,
    nsid,
    prp1: arena.address(prp1),
    prp2: arena.address(prp2),
    cdw,
  };
  if (!isSgl(template)) return command;
  const descriptors = sgl.map(each => descriptorOf(arena, each));
  arena.writeSgl(descriptors);
  return { ...command, sgl: descriptors[0] };
}

/**
 * Does the template say all that the command points to? Not if an old page is its list, or goes on in another one.
 */
export const isSelfContained = (template: Template): boolean =>
  isSgl(template) || (template.list.length > 0 && template.prp2.offset === 0);

/** May a self-contained command that runs alone write to this byte? Only where it points to: to the end of each page. */
export function describes(template: Template, arena: Arena, address: number): boolean {
  if (isSgl(template)) {
    return template.sgl.some(each => {
      const { address: start, length, type } = descriptorOf(arena, each);
      return type === 0 && address >= start && address < start + length;
    });
  }
  const within = (start: number) => address >= start && address < start - (start % PAGE) + PAGE;
  const { prp1, prp2, list } = template;
  return (
    within(arena.address(prp1)) ||
    within(arena.address(prp2)) ||
    list.some(each => within(arena.address(each)))
  );
}
