import { describe, expect, it } from "vitest";
import { Counter } from "../../trace/counters.ts";
import { takeRecords } from "../../trace/testing/records.ts";
import { TraceKind } from "../../trace/trace_ring.ts";
import { MachineSignals } from "../machine_signals.ts";
import { STAGE_US, Step } from "../pace.ts";
import { SqWord } from "./shared_state.ts";
import {
  CC,
  CC_EN,
  CC_ENTRY_SIZES,
  CC_SHN_NORMAL,
  PAGE,
  type QueuePair,
  RDY,
  Rig,
  SHST,
  SHST_COMPLETE,
  transfer,
} from "./testing/driver.ts";

type Mode = "iothread" | "mmio";

/** In `mmio` the doorbell's write runs the server, as serve_here.ts has it; else it runs when rig.pump() says. */
function serveIn(rig: Rig, mode: Mode): void {
  if (mode === "iothread") return;
  const { writeRegister } = rig.controller;
  rig.controller.writeRegister = (offset, value) => {
    writeRegister.call(rig.controller, offset, value);
    while (rig.server.ready());
    rig.server.pollEnd();
  };
}

async function make(mode: Mode, shadow: boolean): Promise<{ rig: Rig; io: QueuePair }> {
  const made = shadow ? await Rig.withShadow() : await Rig.withQueue();
  serveIn(made.rig, mode);
  return made;
}

const read = (rig: Rig) => transfer(2, 0, 8, { prp1: rig.alloc(PAGE) });
const pace = (rig: Rig) => rig.shared.signals.pace;
const fetched = (rig: Rig) => rig.shared.getSq(1, SqWord.FETCHED);
const posted = (rig: Rig) => rig.shared.getSq(1, SqWord.POSTED);

/** The guest announces commands, with the vCPU thread and the server looking on. */
function submit(rig: Rig, io: QueuePair, commands = 1): void {
  for (let i = 0; i < commands; i++) io.push(read(rig));
  io.ring();
}

async function step(rig: Rig, kind: number): Promise<boolean> {
  expect(pace(rig).ask(kind)).toBe(true);
  await rig.settle();
  return pace(rig).step === Step.none;
}

describe.each([
  ["iothread", false],
  ["iothread", true],
  ["mmio", false],
  ["mmio", true],
] as const)("single steps, served in %s, shadow doorbells %s", (mode, shadow) => {
  it("a read goes by doorbell, fetch and completion, one at a time", async () => {
    const { rig, io } = await make(mode, shadow);
    const before = { fetched: fetched(rig), posted: posted(rig) };
    const done = () => ({ fetched: fetched(rig) - before.fetched, posted: posted(rig) - before.posted });
    pace(rig).slowness = 0;
    await rig.settle();
    expect(await step(rig, Step.doorbell)).toBe(false);
    expect(rig.controller.stepNeedsGuest).toBe(true);
    submit(rig, io, 2);
    await rig.settle();
    expect(pace(rig).step).toBe(Step.none);
    expect(done()).toEqual({ fetched: 0, posted: 0 });
    for (let n = 1; n <= 2; n++) {
      expect(await step(rig, Step.fetch)).toBe(true);
      expect(done()).toEqual({ fetched: n, posted: n - 1 });
      expect(io.reap()).toEqual([]);
      expect(await step(rig, Step.completion)).toBe(true);
      expect(done()).toEqual({ fetched: n, posted: n });
      expect(io.reap()).toHaveLength(1);
    }
    // Nothing is left: only the guest can bring more.
    expect(await step(rig, Step.fetch)).toBe(false);
    expect(rig.controller.stepNeedsGuest).toBe(true);
    submit(rig, io);
    await rig.settle();
    expect(done()).toEqual({ fetched: 3, posted: 2 });
    expect(rig.bugs).toEqual([]);
  });

  it("a step lets pass what its event needs", async () => {
    const { rig, io } = await make(mode, shadow);
    pace(rig).slowness = 0;
    submit(rig, io, 3);
    await rig.settle();
    expect(await step(rig, Step.completion)).toBe(true);
    expect([fetched(rig), posted(rig)]).toEqual([1, 1]);
    expect(await step(rig, Step.fetch)).toBe(true);
    expect(await step(rig, Step.fetch)).toBe(true);
    // Until its next doorbell the guest gets all answers.
    expect(await step(rig, Step.doorbell)).toBe(false);
    expect(io.reap()).toHaveLength(3);
    submit(rig, io);
    await rig.settle();
    expect(pace(rig).step).toBe(Step.none);
    expect([fetched(rig), posted(rig)]).toEqual([3, 3]);
  });

  it("goes on at full speed when it is let go", async () => {
    const { rig, io } = await make(mode, shadow);
    pace(rig).slowness = 0;
    submit(rig, io, 5);
    await rig.settle();
    expect(io.reap()).toEqual([]);
    pace(rig).slowness = 1;
    await rig.settle();
    expect(io.reap()).toHaveLength(5);
    expect(rig.server.pending).toBe(false);
  });

  it("no doorbell counts as lost because its commands are held back", async () => {
    const { rig, io } = await make(mode, shadow);
    pace(rig).slowness = 0;
    submit(rig, io, 2);
    for (let i = 0; i < 20; i++) {
      rig.pump();
      // As a server that sleeps.
      rig.shared.serverNotifier.announceSleep();
      rig.controller.safePoint(true);
      rig.shared.serverNotifier.cancelSleep();
    }
    expect(rig.shared.counters[Counter.doorbellsSwept]).toBeLessThanOrEqual(1);
    expect(rig.server.poll()).toBe(false);
  });

  it("a reset while all stands still is a reset", async () => {
    const { rig, io } = await make(mode, shadow);
    submit(rig, io);
    pace(rig).slowness = 0;
    submit(rig, io, 2);
    await rig.settle();
    rig.disable();
    expect(rig.csts & RDY).toBe(0);
    pace(rig).slowness = 1;
    rig.enable();
    const queue = await rig.createQueues();
    expect((await rig.io(queue, read(rig))).status).toBe(0);
    // Nothing of the life before is answered.
    expect(queue.reap()).toEqual([]);
    expect(rig.bugs).toEqual([]);
  });

  it("a shutdown while all stands still is a shutdown", async () => {
    const { rig, io } = await make(mode, shadow);
    pace(rig).slowness = 0;
    submit(rig, io);
    await rig.settle();
    rig.write(CC, CC_ENTRY_SIZES | CC_EN | CC_SHN_NORMAL);
    await rig.settle();
    expect(rig.csts & SHST).toBe(SHST_COMPLETE);
  });

  it("slow motion stretches each stage", async () => {
    const { rig, io } = await make(mode, shadow);
    pace(rig).slowness = 1000;
    const stageMs = STAGE_US;
    submit(rig, io, 2);
    const at: [ms: number, fetched: number, posted: number][] = [];
    for (; rig.nowMs < 6 * stageMs; rig.nowMs += stageMs / 10) {
      await rig.settle();
      at.push([rig.nowMs, fetched(rig), posted(rig)]);
    }
    const first = (found: (entry: (typeof at)[number]) => boolean) => at.find(found)?.[0] ?? Number.NaN;
    expect(first(([, n]) => n === 1)).toBeCloseTo(stageMs, -1);
    expect(first(([, n]) => n === 2)).toBeGreaterThan(1.9 * stageMs);
    expect(first(([, , n]) => n === 1)).toBeGreaterThan(1.9 * stageMs);
    expect(first(([, , n]) => n === 2)).toBeLessThan(5 * stageMs);
    expect(rig.server.pending).toBe(false);
  });
});

describe("admin commands", () => {
  it("are fetched, run and answered in one step", async () => {
    const { rig } = await Rig.withQueue();
    pace(rig).slowness = 0;
    pace(rig).ask(Step.doorbell);
    // Get Features: arbitration.
    rig.admin.submit({ opcode: 0x0a, cdw: [1] });
    await rig.settle();
    expect(pace(rig).step).toBe(Step.none);
    expect(rig.admin.reap()).toEqual([]);
    expect(await step(rig, Step.fetch)).toBe(true);
    expect(rig.admin.reap()).toHaveLength(1);
  });
});

it("a shadow tail that no doorbell told of is recorded", async () => {
  const { rig, io } = await Rig.withShadow();
  rig.shared.signals.observed = true;
  const [server] = rig.shared.signals.readTraces();
  pace(rig).slowness = 0;
  await rig.settle();
  // The server is awake: its EventIdx lies behind.
  io.push(read(rig));
  Atomics.store(rig.memory.words, (rig.shadowPage + 8) / 4, io.tail);
  await rig.settle();
  expect(takeRecords(server).map(({ kind, a, b }) => [kind, a, b])).toEqual([[TraceKind.shadowSeen, 1, 1]]);
});

it("a token is taken once", () => {
  const { pace: words } = MachineSignals.create();
  expect(words.ask(Step.fetch)).toBe(true);
  expect(words.ask(Step.doorbell)).toBe(false);
  expect(words.take(Step.doorbell)).toBe(false);
  expect(words.take(Step.fetch)).toBe(true);
  expect(words.take(Step.fetch)).toBe(false);
  expect(words.take(Step.none)).toBe(false);
});
