import fc from "fast-check";
import { expect, it } from "vitest";
import { type QueuePair, RDY } from "../testing/driver.ts";
import {
  EVENT_IDX,
  fillList,
  fillSgl,
  ioCommand,
  RUNS,
  SHADOW,
  setUp,
  sqe,
  writeList,
  writeSgl,
} from "./arbitraries.ts";

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
