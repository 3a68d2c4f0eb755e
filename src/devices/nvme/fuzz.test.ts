import fc from "fast-check";
import { expect, it } from "vitest";
import { AioContext } from "../../eventloop/aio_context.ts";
import {
  CC,
  CC_EN,
  CC_ENTRY_SIZES,
  CFS,
  type Command,
  PAGE,
  putSgl,
  type QueuePair,
  RDY,
  Rig,
  transfer,
} from "./testing/driver.ts";

/** What a guest may do, in any order and with any values. FUZZ_RUNS=20000 for a long run. */

const RUNS = Number(process.env.FUZZ_RUNS ?? 300);
const CANARY = 0xa5;
const ARENA_PAGES = 24;
const RAM = 2 << 20;
const SHADOW = 0;
const EVENT_IDX = 1;

/** A rig in whose RAM all is canary except what the guest gives to the device: an arena of every other page. */
async function setUp(options: { stronglyOrderedHost: boolean }) {
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
const page = fc.oneof(
  { weight: 12, arbitrary: fc.nat(ARENA_PAGES - 1) },
  { weight: 1, arbitrary: fc.constantFrom(-1, -2, -3, -4) },
);
const offset = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.nat(1023).map(dword => dword * 4) },
  { weight: 1, arbitrary: fc.constantFrom(1, 4088, 4092) },
);
const pointer = fc.record({ page, offset });
type Pointer = { readonly page: number; readonly offset: number };
const address = (arena: readonly number[], { page, offset }: Pointer) =>
  (page >= 0 ? arena[page] : [0xa0000, RAM, 2 ** 32, 2 ** 64 - 2 ** 12][-page - 1]) + offset;

const word = fc.oneof(
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
const harmless = word.filter(value => value >>> 0 < PAGE || value >>> 0 >= RAM);

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
const fillSgl = fc.record({
  kind: fc.constant("sgl" as const),
  entries: fc.array(descriptor, { minLength: 1, maxLength: 5 }),
});
function writeSgl(rig: Rig, arena: readonly number[], sglPage: number, entries: readonly Descriptor[]): void {
  for (let i = 0; i < PAGE / 16; i++) {
    putSgl(rig.memory.words, (sglPage + i * 16) / 4, sglOf(arena, sglPage, entries[i % entries.length]));
  }
}

const sqe = fc.record({
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
const command = (arena: readonly number[], { prp1, prp2, ...rest }: FuzzSqe): Command => ({
  ...rest,
  prp1: address(arena, prp1),
  prp2: address(arena, prp2),
});
type FuzzIoSqe = FuzzSqe & { readonly flags: number; readonly sgl: Descriptor };
const ioCommand = (arena: readonly number[], sglPage: number, { sgl, ...rest }: FuzzIoSqe): Command => ({
  ...command(arena, rest),
  ...((rest.flags & 0xc0) === PSDT_SGL && { sgl: sglOf(arena, sglPage, sgl) }),
});

/** PRP lists are data of the guest too: pages are filled with entries. */
const fillList = fc.record({
  kind: fc.constant("list" as const),
  page: fc.nat(ARENA_PAGES - 1),
  entries: fc.array(pointer, { minLength: 1, maxLength: 5 }),
});

function writeList(rig: Rig, arena: readonly number[], page: number, entries: readonly Pointer[]): void {
  for (let i = 0; i < 512; i++) {
    const to = address(arena, entries[i % entries.length]);
    rig.memory.words[(arena[page] + i * 8) / 4] = to % 2 ** 32;
    rig.memory.words[(arena[page] + i * 8) / 4 + 1] = Math.floor(to / 2 ** 32);
  }
}

it("answers every I/O command exactly once, in RAM that it was given, however the threads interleave", async () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("submit" as const), queue: fc.nat(1), sqe }) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        { kind: "server" as const },
        { kind: "safePoint" as const },
        { kind: "idle" as const },
      ),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("reap" as const), queue: fc.nat(1), most: fc.nat(4) }),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        { kind: "storage" as const },
        { kind: "sleep" as const },
        { kind: "shadow" as const },
      ),
    },
    { weight: 2, arbitrary: fillList },
    { weight: 1, arbitrary: fillSgl },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, stronglyOrderedHost) => {
      const { rig, queues, arena, sglPage, intact } = await setUp({ stronglyOrderedHost });
      const open = queues.map(() => new Set<number>());
      // SHADOW and EVENT_IDX pages are not lent to commands: they would write over them.
      const lent = arena.slice(2);
      const pages = [...lent, lent[0], lent[1]];
      const take = (queue: QueuePair, most?: number) => {
        for (const cqe of queue.reap(most)) {
          expect(cqe.sqid).toBe(queue.qid);
          expect(open[queue.qid - 1].delete(cqe.cid), `queue ${queue.qid}, command ${cqe.cid}`).toBe(true);
          expect(cqe.status).not.toBe(0x006);
        }
      };
      for (const step of steps) {
        if (step.kind === "submit") {
          const queue = queues[step.queue];
          if ((queue.tail + 1) % queue.sqEntries === queue.sqHead) continue;
          open[step.queue].add(queue.submit(ioCommand(pages, sglPage, step.sqe)));
        } else if (step.kind === "reap") take(queues[step.queue], step.most);
        else if (step.kind === "list") writeList(rig, pages, step.page, step.entries);
        else if (step.kind === "sgl") writeSgl(rig, pages, sglPage, step.entries);
        else if (step.kind === "server") rig.server.ready();
        else if (step.kind === "storage") await rig.scheduler.advance(0);
        else if (step.kind === "sleep") rig.server.pollEnd();
        else if (step.kind === "shadow") {
          if (rig.shadowPage) continue;
          const config = { opcode: 0x7c, prp1: arena[SHADOW], prp2: arena[EVENT_IDX] };
          expect((await rig.command(config)).status).toBe(0);
          [rig.shadowPage, rig.eventIdxPage] = [arena[SHADOW], arena[EVENT_IDX]];
        } else rig.controller.safePoint(step.kind === "idle");
      }
      for (let i = 0; i < 40 && open.some(set => set.size > 0); i++) {
        await rig.settle();
        for (const queue of queues) take(queue);
      }
      expect(open.map(set => [...set])).toEqual([[], []]);
      rig.pump();
      expect([rig.pin, rig.csts, rig.bugs]).toEqual([false, RDY, []]);
      intact();
    }),
    { numRuns: RUNS },
  );
});

it("survives anything: never throws, never writes where it may not, and works after a reset", async () => {
  const adminSqe = fc.record({
    opcode: fc.oneof(fc.constantFrom(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 0x7c), fc.nat(255)),
    nsid: fc.constantFrom(0, 1, 2, 3, 4, 0xfffffffe, 0xffffffff),
    prp1: pointer,
    prp2: pointer,
    cdw: fc.tuple(word, word, word, word),
  });
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("admin" as const), sqe: adminSqe }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("submit" as const), queue: fc.nat(1), sqe }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("doorbell" as const),
        index: fc.oneof(fc.nat(8), fc.nat(0x7000)),
        value: word,
      }),
    },
    // Not CC, AQA, ASQ, ACQ: the queues they name must lie in the arena. They have their own steps.
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("register" as const),
        offset: fc.constantFrom(0, 8, 0xc, 0x10, 0x18, 0x1c, 0x20, 0x38, 2, 0x1002, 0x0e00),
        value: word,
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("cc" as const), value: word }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("bases" as const), asq: pointer, acq: pointer, aqa: word }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("shadow" as const),
        page: fc.nat(3),
        word: fc.nat(12),
        value: harmless,
      }),
    },
    {
      weight: 5,
      arbitrary: fc.constantFrom(
        { kind: "server" as const },
        { kind: "safePoint" as const },
        { kind: "idle" as const },
        { kind: "storage" as const },
        { kind: "sleep" as const },
        { kind: "reset" as const },
      ),
    },
    { weight: 2, arbitrary: fillList },
    { weight: 1, arbitrary: fillSgl },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, stronglyOrderedHost) => {
      const { rig, queues, arena, sglPage, intact } = await setUp({ stronglyOrderedHost });
      for (const step of steps) {
        switch (step.kind) {
          case "admin": {
            const { opcode, cdw } = step.sqe;
            // Queues must not reach out of the page that they are given: what follows is not the guest's to give.
            const size = opcode === 0x01 ? 0x3f : opcode === 0x05 ? 0xff : 0xffff;
            const cdw10 = cdw[0] & ((size << 16) | 0xffff);
            rig.admin.push(command(arena, { ...step.sqe, flags: 0, cdw: [cdw10, ...cdw.slice(1)] }));
            if ((rig.csts & RDY) !== 0) rig.admin.ring();
            break;
          }
          case "submit":
            queues[step.queue].submit(ioCommand(arena, sglPage, step.sqe));
            break;
          case "doorbell":
            rig.write(0x1000 + step.index * 4, step.value);
            break;
          case "register":
            rig.write(step.offset, step.value);
            rig.read(step.offset);
            break;
          case "cc":
            rig.write(CC, step.value);
            break;
          case "bases":
            // One page each: 64 SQ entries, 256 CQ entries at most.
            rig.write(0x24, step.aqa & 0x00ff003f);
            rig.write(0x28, address(arena, step.asq) % 2 ** 32);
            rig.write(0x2c, Math.floor(address(arena, step.asq) / 2 ** 32));
            rig.write(0x30, address(arena, step.acq) % 2 ** 32);
            rig.write(0x34, Math.floor(address(arena, step.acq) / 2 ** 32));
            break;
          case "shadow":
            rig.memory.words[arena[step.page] / 4 + step.word] = step.value;
            break;
          case "list":
            writeList(rig, arena, step.page, step.entries);
            break;
          case "sgl":
            writeSgl(rig, arena, sglPage, step.entries);
            break;
          case "server":
            rig.shared.serverNotifier.testAndClear();
            rig.server.poll();
            rig.server.ready();
            break;
          case "storage":
            await rig.scheduler.advance(0);
            break;
          case "sleep":
            rig.server.pollEnd();
            break;
          case "reset":
            rig.controller.reset();
            break;
          default:
            rig.controller.safePoint(step.kind === "idle");
        }
      }
      intact();
      // Whatever it was, CC.EN 1 → 0 → 1 makes a controller that works.
      rig.write(CC, CC_ENTRY_SIZES | CC_EN);
      rig.write(CC, CC_ENTRY_SIZES);
      rig.server.ready();
      rig.controller.safePoint(false);
      expect(rig.csts & (RDY | CFS)).toBe(0);
      await rig.scheduler.advance(0);
      rig.shadowPage = 0;
      rig.enable(8);
      const queue = await rig.createQueues(1, 4);
      expect((await rig.io(queue, transfer(2, 0, 1, { prp1: rig.alloc(PAGE) }))).status).toBe(0);
      expect(rig.bugs).toEqual([]);
    }),
    { numRuns: RUNS },
  );
});

it("works from an AioContext as it does by hand", async () => {
  const { rig, io } = await Rig.withShadow({}, 8);
  const context = new AioContext({
    notifier: rig.shared.serverNotifier,
    turn: () => new Promise(resolve => setImmediate(resolve)),
    now: () => performance.now(),
    counters: rig.shared.counters,
    pollMaxUs: 50,
  });
  context.addHandler(rig.server);
  const running = context.run();
  const cids = new Set<number>();
  for (let done = 0; done < 300; ) {
    while (done + cids.size < 300 && (io.tail + 1) % 8 !== io.sqHead) {
      const data =
        done % 7 === 3
          ? { opcode: 0, nsid: 1 }
          : transfer(done % 2 === 0 ? 1 : 2, done % 100, 1, { prp1: 0x180000 });
      cids.add(io.submit(data));
    }
    await new Promise(resolve => setImmediate(resolve));
    await rig.scheduler.advance(0);
    rig.controller.safePoint(true);
    for (const { cid, status } of io.reap()) {
      expect([cids.delete(cid), status]).toEqual([true, 0]);
      done += 1;
    }
  }
  context.stop();
  await running;
  expect(rig.bugs).toEqual([]);
});
