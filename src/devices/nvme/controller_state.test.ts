import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CONTROLLER_STATE_VERSION, type ControllerState } from "./controller_state.ts";
import { EVENT_IDX, fillList, ioCommand, RUNS, SHADOW, setUp, sqe, writeList } from "./fuzz/arbitraries.ts";
import { FLUSH, PAGE, pattern, QueuePair, RDY, Rig, transfer } from "./testing/driver.ts";
import { errorLog, getFeature, identify, setFeature } from "./testing/host.ts";

const READ = 2;
const WRITE = 1;

describe("the state of a controller", () => {
  it("goes on wherever a stream of commands is cut: each is answered exactly once, with the right phase", async () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ kind: fc.constant("submit" as const), queue: fc.nat(1), sqe }) },
      {
        weight: 4,
        arbitrary: fc.constantFrom(
          { kind: "server" as const },
          { kind: "safePoint" as const },
          { kind: "idle" as const },
          { kind: "storage" as const },
          { kind: "sleep" as const },
        ),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant("reap" as const), queue: fc.nat(1), most: fc.nat(4) }),
      },
      { weight: 1, arbitrary: fc.constant({ kind: "shadow" as const }) },
      { weight: 1, arbitrary: fillList },
      // Far enough to go round the completion queues.
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant("laps" as const), queue: fc.nat(1), commands: fc.nat(9) }),
      },
      { weight: 3, arbitrary: fc.constant({ kind: "snapshot" as const }) },
    );
    let snapshots = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60, size: "max" }),
        fc.boolean(),
        async (steps, stronglyOrderedHost) => {
          const { rig, queues, arena, sglPage } = await setUp({ stronglyOrderedHost });
          const open = queues.map(() => new Set<number>());
          const lent = arena.slice(2);
          const pages = [...lent, lent[0], lent[1]];
          const take = (queue: QueuePair, most?: number) => {
            for (const cqe of queue.reap(most)) {
              expect(cqe.sqid).toBe(queue.qid);
              expect(open[queue.qid - 1].delete(cqe.cid), `queue ${queue.qid}, command ${cqe.cid}`).toBe(
                true,
              );
            }
          };
          for (const step of steps) {
            if (step.kind === "submit") {
              const queue = queues[step.queue];
              if ((queue.tail + 1) % queue.sqEntries === queue.sqHead) continue;
              open[step.queue].add(queue.submit(ioCommand(pages, sglPage, step.sqe)));
            } else if (step.kind === "laps") {
              const queue = queues[step.queue];
              for (let i = 0; i < step.commands; i++) {
                if ((queue.tail + 1) % queue.sqEntries === queue.sqHead) break;
                open[step.queue].add(queue.submit(FLUSH));
                await rig.settle();
                take(queue);
              }
            } else if (step.kind === "reap") take(queues[step.queue], step.most);
            else if (step.kind === "list") writeList(rig, pages, step.page, step.entries);
            else if (step.kind === "server") rig.server.ready();
            else if (step.kind === "storage") await rig.scheduler.advance(0);
            else if (step.kind === "sleep") rig.server.pollEnd();
            else if (step.kind === "shadow") {
              if (rig.shadowPage) continue;
              const config = { opcode: 0x7c, prp1: arena[SHADOW], prp2: arena[EVENT_IDX] };
              expect((await rig.command(config)).status).toBe(0);
              [rig.shadowPage, rig.eventIdxPage] = [arena[SHADOW], arena[EVENT_IDX]];
            } else if (step.kind === "snapshot") {
              snapshots += 1;
              const saved = await rig.save();
              rig.memory.bytes.fill(0xa5);
              rig.restore(saved);
            } else rig.controller.safePoint(step.kind === "idle");
          }
          for (let i = 0; i < 40 && open.some(set => set.size > 0); i++) {
            await rig.settle();
            for (const queue of queues) take(queue);
          }
          expect(open.map(set => [...set])).toEqual([[], []]);
          rig.pump();
          expect([rig.pin, rig.csts, rig.bugs]).toEqual([false, RDY, []]);
        },
      ),
      { numRuns: RUNS },
    );
    expect(snapshots).toBeGreaterThan(RUNS / 4);
  });

  it("keeps completions that wait for room in a full queue, and posts each once", async () => {
    const rig = await Rig.create();
    rig.enable();
    const queue = new QueuePair(rig, 1, 16, 4);
    await rig.createCq(queue);
    await rig.createSq(queue);
    const open = new Set(Array.from({ length: 12 }, () => queue.submit(FLUSH)));
    rig.restore(await rig.save());
    expect(rig.controller.save().completionQueues[0].waiting).toHaveLength(9);
    for (let i = 0; i < 12 && open.size > 0; i++) {
      for (const { cid, status } of queue.reap()) {
        expect([status, open.delete(cid)]).toEqual([0, true]);
      }
      rig.pump();
    }
    expect([...open]).toEqual([]);
    // And the queue can be deleted: no command counts as under way.
    expect((await rig.deleteSq(1)).status).toBe(0);
    expect((await rig.deleteCq(1)).status).toBe(0);
  });

  it("keeps requests for events, features, the error log and the admin queue's place", async () => {
    const rig = await Rig.create();
    rig.enable(4);
    for (let i = 0; i < 5; i++) await identify(rig, 1);
    const aer = rig.admin.submit({ opcode: 0x0c });
    rig.pump();
    await setFeature(rig, 0x06, 0); // volatile write cache
    await setFeature(rig, 0x08, 0x0307); // interrupt coalescing
    await rig.command({ opcode: 0xff });
    const before = await errorLog(rig);
    rig.restore(await rig.save());
    expect((await getFeature(rig, 0x06)).result).toBe(0);
    expect((await getFeature(rig, 0x08)).result).toBe(0x0307);
    expect(await errorLog(rig)).toEqual(before);
    // A doorbell of a queue that there is not: an event (figure 149).
    rig.write(0x1000 + 8 * 9, 1);
    rig.pump();
    expect(rig.admin.reap()).toEqual([expect.objectContaining({ cid: aer, status: 0 })]);
  });

  it("keeps an interrupt that the host has not answered: the pin stays up and falls when it is answered", async () => {
    const { rig, io } = await Rig.withQueue();
    io.submit(FLUSH);
    await rig.settle();
    expect(rig.pin).toBe(true);
    const changes = rig.pinChanges.length;
    rig.restore(await rig.save());
    rig.pump();
    expect([rig.pin, rig.pinChanges.length]).toEqual([true, changes]);
    expect(io.reap()).toHaveLength(1);
    rig.pump();
    expect(rig.pin).toBe(false);
  });

  it("sends no message twice, and none less, where messages are in use", async () => {
    const { rig, io } = await Rig.withQueue({ msixVectors: 4 });
    rig.msixEnabled = true;
    rig.pump();
    rig.messages.length = 0;
    io.submit(FLUSH);
    await rig.settle();
    expect(rig.messages).toHaveLength(1);
    rig.restore(await rig.save());
    rig.pump();
    expect(rig.messages).toHaveLength(1);
    io.submit(FLUSH);
    await rig.settle();
    expect(rig.messages).toHaveLength(2);
    expect(io.reap()).toHaveLength(2);
  });

  it("reads back what was written before, from the disk that stayed", async () => {
    const { rig, io } = await Rig.withShadow();
    const [from, to] = [rig.alloc(PAGE), rig.alloc(PAGE)];
    rig.memory.bytes.set(pattern(PAGE, 7), from);
    io.submit(transfer(WRITE, 8, 8, { prp1: from }));
    rig.restore(await rig.save());
    expect(io.reap().map(({ status }) => status)).toEqual([0]);
    expect((await rig.io(io, transfer(READ, 8, 8, { prp1: to }))).status).toBe(0);
    expect(rig.slice(to, PAGE)).toEqual(pattern(PAGE, 7));
  });

  it("can be taken of a controller that is off, and of one that is shut down", async () => {
    const rig = await Rig.create();
    rig.restore(await rig.save());
    rig.enable();
    rig.write(0x14, 0x460001 | (1 << 14));
    await rig.settle();
    expect((rig.csts >>> 2) & 3).toBe(2);
    rig.restore(await rig.save());
    expect((rig.csts >>> 2) & 3).toBe(2);
    rig.disable();
    rig.enable();
    expect((await rig.createQueues()).qid).toBe(1);
  });

  it("says with what it is busy: faults, a reset, an admin command", async () => {
    const { rig } = await Rig.withQueue();
    rig.write(0x14, 0x460000);
    expect(rig.controller.busyWith).toBe("a reset or a shutdown");
    await rig.settle();
    expect(rig.controller.busyWith).toBeUndefined();
    rig.enable();
    rig.admin.submit({ opcode: 0x06, prp1: rig.alloc(PAGE), cdw: [1] });
    expect(rig.controller.busyWith).toBe("an admin command");
    rig.pump();
    rig.armFaults({ action: "drop", queue: "admin", command: 0xff });
    expect(rig.controller.busyWith).toBe("injected faults");
  });
});

describe("a saved state", () => {
  it("of another version is refused with a sentence", async () => {
    const { rig } = await Rig.withQueue();
    const state = { ...rig.controller.save(), version: CONTROLLER_STATE_VERSION + 1 };
    expect(() => rig.controller.restore(state)).toThrow(
      `has version ${CONTROLLER_STATE_VERSION + 1}; this Doorbell reads version ${CONTROLLER_STATE_VERSION}.`,
    );
  });

  it("that is damaged is refused, or harms its own guest alone: nothing throws out of the device", async () => {
    const { rig, io } = await Rig.withShadow();
    for (let i = 0; i < 5; i++) io.submit(FLUSH);
    const saved = await rig.save();
    const leaves = (
      value: unknown,
      path: readonly (string | number)[] = [],
    ): (readonly (string | number)[])[] =>
      typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([key, child]) => leaves(child, [...path, key]))
        : [path];
    const paths = leaves(JSON.parse(saved.controller));
    const values = fc.oneof(
      fc.integer(),
      fc.constantFrom(-1, 0, 1, 15, 16, 17, 0xffff, 2 ** 31, 2 ** 32, 1e300, 0.5, 0x9f000, 8 << 20),
    );
    let refused = 0;
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), values, async (path, value) => {
        const state = JSON.parse(saved.controller) as ControllerState;
        let at = state as unknown as Record<string | number, unknown>;
        for (const key of path.slice(0, -1)) at = at[key] as typeof at;
        at[path[path.length - 1]] = value;
        try {
          rig.restore({ controller: JSON.stringify(state), ram: saved.ram });
          taken += 1;
        } catch (error) {
          expect(String(error)).toMatch(
            /^ControllerStateError: The saved state of the NVMe controller .*\.$/,
          );
          refused += 1;
          return;
        }
        await rig.settle();
        rig.write(0x14, 0);
        await rig.settle();
        expect(rig.bugs).toEqual([]);
      }),
      { numRuns: 3 * RUNS },
    );
    expect(refused).toBeGreaterThan(RUNS / 4);
    expect(taken).toBeGreaterThan(RUNS / 4);
  });
});
