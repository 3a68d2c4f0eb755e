import fc from "fast-check";
import { expect, it } from "vitest";
import { CC, CC_EN, CC_ENTRY_SIZES, CFS, PAGE, RDY, transfer } from "../testing/driver.ts";
import {
  address,
  command,
  fillList,
  fillSgl,
  harmless,
  ioCommand,
  pointer,
  RUNS,
  setUp,
  sqe,
  word,
  writeList,
  writeSgl,
} from "./arbitraries.ts";

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
