import { describe, expect, it } from "vitest";
import { takeRecords } from "../../../trace/testing/records.ts";
import { TraceKind } from "../../../trace/trace_ring.ts";
import {
  CC,
  CFS,
  type Command,
  DNR,
  FLUSH,
  pattern,
  type QueuePair,
  RDY,
  Rig,
  transfer,
} from "../testing/driver.ts";
import type { FaultAction, FaultRule } from "./rules.ts";

const BYTES = 4096;
const FAILED_FUSED = 0x009;

/** One disk with known data, a queue, and a buffer in the host. */
async function setUp(options: Parameters<typeof Rig.withQueue>[0] = {}) {
  const { rig, io } = await Rig.withQueue(options);
  const buffer = rig.alloc(BYTES);
  const data = pattern(BYTES, 1);
  rig.memory.bytes.set(data, buffer);
  const write = transfer(1, 0, 8, { prp1: buffer });
  const read = transfer(2, 0, 8, { prp1: buffer });
  expect((await rig.io(io, write)).status).toBe(0);
  return { rig, io, buffer, data, commands: { read, write, flush: FLUSH } };
}

/** Submits and settles; what has come. */
async function run(rig: Rig, io: QueuePair, command: Command) {
  const cid = io.submit(command);
  await rig.settle();
  return { cid, completions: io.reap() };
}

/** The disk's first blocks, read without a fault. */
async function stored(rig: Rig, io: QueuePair): Promise<Uint8Array> {
  const to = rig.alloc(BYTES);
  expect((await rig.io(io, transfer(2, 0, 8, { prp1: to }))).status).toBe(0);
  return rig.slice(to, BYTES);
}

/** After the rules are lifted all is as before: commands succeed, each is answered once, and the queue can be deleted. */
async function expectHealthy(rig: Rig, io: QueuePair): Promise<void> {
  rig.armFaults();
  const { cid, completions } = await run(rig, io, FLUSH);
  expect(completions.map(cqe => [cqe.cid, cqe.status])).toEqual([[cid, 0]]);
  expect(rig.shared.inFlight(io.qid)).toBe(0);
  expect(rig.controller.ioInFlight).toBe(false);
  expect((await rig.deleteSq(io.qid)).status).toBe(0);
  expect(rig.bugs).toEqual([]);
}

const differences = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((sum, byte, i) => sum + (byte === b[i] ? 0 : 1), 0);

const kinds = ["read", "write", "flush"] as const;

describe("faults of I/O commands", () => {
  it.each(kinds)("delay: a %s waits, and is then served", async kind => {
    const { rig, io, commands, data } = await setUp();
    rig.armFaults({ action: "delay", ms: 300, command: kind, count: 1 });
    const { cid, completions } = await run(rig, io, commands[kind]);
    expect(completions).toEqual([]);
    await rig.scheduler.advance(299);
    rig.pump();
    expect(io.reap()).toEqual([]);
    await rig.scheduler.advance(1);
    await rig.settle();
    expect(io.reap().map(cqe => [cqe.cid, cqe.status])).toEqual([[cid, 0]]);
    expect(await stored(rig, io)).toEqual(data);
    await expectHealthy(rig, io);
  });

  it.each([
    { action: "fail", sct: 2, sc: 0x85, command: "compare" },
    { action: "fail", sct: 2, sc: 0x80, command: "write" },
  ] as const)("fail: half of a Compare and Write takes the other with it: $command", async rule => {
    const { rig, io, commands, data } = await setUp();
    rig.armFaults(rule);
    const cids = [
      io.push({ ...commands.write, opcode: 0x05, flags: 1 }),
      io.push({ ...commands.write, flags: 2 }),
    ];
    io.ring();
    await rig.settle();
    const failed = (rule.sct << 8) | rule.sc;
    const statuses = rule.command === "compare" ? [failed, FAILED_FUSED] : [FAILED_FUSED, failed];
    expect(io.reap().map(cqe => [cqe.cid, cqe.status])).toEqual(cids.map((cid, i) => [cid, statuses[i]]));
    rig.armFaults();
    expect(await stored(rig, io)).toEqual(data);
    await expectHealthy(rig, io);
  });

  it("fail: the error log has the command's first block", async () => {
    const { rig, io, buffer } = await setUp();
    rig.armFaults({ action: "fail", sct: 2, sc: 0x81, command: "read" });
    const { completions } = await run(rig, io, transfer(2, 5, 2, { prp1: buffer }));
    expect(completions.map(({ status }) => status)).toEqual([0x281]);
    const log = rig.alloc(BYTES);
    expect((await rig.command({ opcode: 0x02, prp1: log, cdw: [1 | (15 << 16)] })).status).toBe(0);
    const entry = rig.view(log, 64);
    expect([entry.getUint16(10, true), entry.getUint16(12, true), entry.getBigUint64(16, true)]).toEqual([
      completions[0].cid,
      0x281 << 1,
      5n,
    ]);
  });

  it("delay: a Compare and Write waits as one", async () => {
    const { rig, io, buffer, commands } = await setUp();
    const other = rig.alloc(BYTES);
    const data = pattern(BYTES, 2);
    rig.memory.bytes.set(data, other);
    rig.armFaults({ action: "delay", ms: 300, command: "write" });
    const compare: Command = { ...transfer(2, 0, 8, { prp1: buffer }), opcode: 0x05, flags: 1 };
    const cids = [io.push(compare), io.push({ ...commands.write, prp1: other, flags: 2 })];
    io.ring();
    await rig.settle();
    expect(io.reap()).toEqual([]);
    await rig.scheduler.advance(300);
    await rig.settle();
    expect(io.reap().map(cqe => [cqe.cid, cqe.status])).toEqual(cids.map(cid => [cid, 0]));
    expect(await stored(rig, io)).toEqual(data);
    await expectHealthy(rig, io);
  });

  it("delay: lifting the rule ends the wait", async () => {
    const { rig, io, commands } = await setUp();
    rig.armFaults({ action: "delay", ms: 600_000 });
    const { cid, completions } = await run(rig, io, commands.read);
    expect(completions).toEqual([]);
    rig.armFaults();
    await rig.settle();
    expect(io.reap().map(cqe => [cqe.cid, cqe.status])).toEqual([[cid, 0]]);
    await expectHealthy(rig, io);
  });

  it("delay: a read that a reset has taken away leaves memory alone", async () => {
    const { rig, io, buffer, commands } = await setUp();
    rig.armFaults({ action: "delay", ms: 300 });
    await run(rig, io, commands.read);
    rig.memory.bytes.fill(0xaa, buffer, buffer + BYTES);
    rig.disable();
    await rig.scheduler.advance(300);
    await rig.settle();
    expect(rig.slice(buffer, BYTES).every(byte => byte === 0xaa)).toBe(true);
    rig.enable();
    await expectHealthy(rig, await rig.createQueues());
  });

  it.each(kinds)("fail: a %s is not served and ends with the rule's status", async kind => {
    const { rig, io, buffer, commands, data } = await setUp();
    rig.memory.bytes.fill(0, buffer, buffer + BYTES);
    rig.armFaults({ action: "fail", sct: 2, sc: 0x81, dnr: true, command: kind, count: 1 });
    const { completions } = await run(rig, io, commands[kind]);
    expect(completions.map(({ status }) => status)).toEqual([0x281 | DNR]);
    // Neither has a read written to the host nor a write to the disk.
    expect(rig.slice(buffer, BYTES).every(byte => byte === 0)).toBe(true);
    expect(await stored(rig, io)).toEqual(data);
    await expectHealthy(rig, io);
  });

  it.each(kinds)("drop: a %s is served, never answered, and forgotten", async kind => {
    const { rig, io, buffer, commands } = await setUp();
    const other = pattern(BYTES, 2);
    if (kind === "write") rig.memory.bytes.set(other, buffer);
    rig.armFaults({ action: "drop", command: kind, count: 1 });
    const { completions } = await run(rig, io, commands[kind]);
    expect(completions).toEqual([]);
    if (kind === "write") expect(await stored(rig, io)).toEqual(other);
    await expectHealthy(rig, io);
  });

  it("drop: as many as the queue takes, over and over", async () => {
    const { rig, io } = await setUp();
    rig.armFaults({ action: "drop" });
    for (let i = 0; i < 3000; i++) {
      io.submit(FLUSH);
      if (i % 10 === 9) await rig.settle();
    }
    await rig.settle();
    await expectHealthy(rig, io);
  });

  it("corrupt: of a read in the host, and the disk is as it was", async () => {
    const { rig, io, buffer, commands, data } = await setUp();
    rig.memory.bytes.fill(0, buffer, buffer + BYTES);
    rig.armFaults({ action: "corrupt", bytes: 5, command: "read", count: 1 });
    const { completions } = await run(rig, io, commands.read);
    expect(completions.map(({ status }) => status)).toEqual([0]);
    expect(differences(rig.slice(buffer, BYTES), data)).toBe(5);
    // v86's JIT hears of these pages as of any others.
    expect(rig.dirtied.some(([start, end]) => start <= buffer && end >= buffer + BYTES)).toBe(true);
    expect(await stored(rig, io)).toEqual(data);
    await expectHealthy(rig, io);
  });

  it.each([false, true])(
    "corrupt: of a write on the disk, and the host's memory is as it was (FUA %s)",
    async fua => {
      const { rig, io, buffer, data } = await setUp();
      rig.armFaults({ action: "corrupt", bytes: 3, command: "write", count: 1 });
      const { completions } = await run(rig, io, transfer(1, 0, 8, { prp1: buffer }, { fua }));
      expect(completions.map(({ status }) => status)).toEqual([0]);
      expect(rig.slice(buffer, BYTES)).toEqual(data);
      const corrupted = await stored(rig, io);
      expect(differences(corrupted, data)).toBe(3);
      // What Force Unit Access has made durable is what is read.
      if (fua) expect(rig.disks[0].store.get(0)?.slice(0, BYTES)).toEqual(corrupted);
      await expectHealthy(rig, io);
    },
  );

  it("corrupt: a rule for all commands passes those without data over", async () => {
    const { rig, io } = await setUp();
    rig.armFaults({ action: "corrupt" });
    expect((await rig.io(io, FLUSH)).status).toBe(0);
    expect(rig.ioFaults.reported.fired).toEqual([]);
    await expectHealthy(rig, io);
  });

  it.each(kinds)("duplicate: a %s is answered twice", async kind => {
    const { rig, io, commands } = await setUp();
    rig.armFaults({ action: "duplicate", command: kind, count: 1 });
    const { cid, completions } = await run(rig, io, commands[kind]);
    expect(completions.map(cqe => [cqe.cid, cqe.status])).toEqual([
      [cid, 0],
      [cid, 0],
    ]);
    await expectHealthy(rig, io);
  });

  it("duplicate: not into a full completion queue", async () => {
    const { rig } = await setUp();
    const small = await rig.createQueues(2, 4, 2);
    rig.armFaults({ action: "duplicate" });
    const cids = [small.submit(FLUSH), small.submit(FLUSH), small.submit(FLUSH)];
    const seen: number[] = [];
    for (let turn = 0; turn < 6; turn++) {
      await rig.settle();
      seen.push(...small.reap().map(({ cid }) => cid));
    }
    expect([...new Set(seen)]).toEqual(cids);
    await expectHealthy(rig, small);
  });

  it.each(kinds)("stall: the serving side stands still before a %s", async kind => {
    const { rig, io, commands } = await setUp();
    rig.armFaults({ action: "stall", ms: 250, command: kind });
    const { completions } = await run(rig, io, commands[kind]);
    expect(rig.stalls).toEqual([250]);
    expect(completions.map(({ status }) => status)).toEqual([0]);
    await expectHealthy(rig, io);
  });

  it.each(kinds)(
    "interrupt: one more than a %s has a right to, when there is nothing to see (pin)",
    async kind => {
      const { rig, io, commands } = await setUp();
      rig.armFaults({ action: "interrupt", command: kind, count: 1 });
      const { completions } = await run(rig, io, commands[kind]);
      expect(completions.length).toBe(1);
      rig.pinChanges = [];
      for (let i = 0; i < 4; i++) rig.pump();
      expect(rig.pinChanges).toEqual([true, false]);
      expect(io.reap()).toEqual([]);
      await expectHealthy(rig, io);
    },
  );

  it("interrupt: as a message of the queue's vector", async () => {
    const { rig, io, commands } = await setUp({ msixVectors: 4 });
    rig.msixEnabled = true;
    await rig.settle();
    io.reap();
    rig.armFaults({ action: "interrupt", count: 1 });
    rig.messages = [];
    const { completions } = await run(rig, io, commands.read);
    expect(completions.length).toBe(1);
    const owed = rig.messages.length;
    for (let i = 0; i < 4; i++) rig.pump();
    expect(rig.messages.length).toBe(owed + 1);
    await expectHealthy(rig, io);
  });

  it.each(kinds)("fatal: a %s dies, and the controller until it is reset", async kind => {
    const { rig, io, commands, data } = await setUp();
    rig.armFaults({ action: "fatal", command: kind, count: 1 });
    const { completions } = await run(rig, io, commands[kind]);
    expect(completions).toEqual([]);
    expect(rig.csts & (CFS | RDY)).toBe(CFS | RDY);
    // Nothing is served, whatever rings.
    rig.admin.submit({ opcode: 0x06, prp1: rig.alloc(4096), cdw: [1] });
    io.submit(FLUSH);
    await rig.settle();
    expect([...rig.admin.reap(), ...io.reap()]).toEqual([]);
    rig.disable();
    expect(rig.csts & CFS).toBe(0);
    rig.enable();
    const again = await rig.createQueues();
    expect(await stored(rig, again)).toEqual(data);
    await expectHealthy(rig, again);
  });

  it.each(kinds)("remove: at a %s the controller is gone until the rule is lifted", async kind => {
    const { rig, io, commands, data } = await setUp();
    rig.armFaults({ action: "remove", command: kind, count: 1 });
    const { completions } = await run(rig, io, commands[kind]);
    expect(completions).toEqual([]);
    for (const register of [0, 8, 0x14, 0x1c, 0x1000]) expect(rig.read(register)).toBe(0xffffffff);
    expect(rig.present).toBe(false);
    rig.write(CC, 1);
    rig.armFaults();
    await rig.settle();
    expect(rig.present).toBe(true);
    expect(rig.read(CC)).toBe(0);
    expect(rig.csts).toBe(0);
    rig.enable();
    const again = await rig.createQueues();
    expect(await stored(rig, again)).toEqual(data);
    await expectHealthy(rig, again);
  });
});

describe("faults at once", () => {
  it("interrupt, without a command", async () => {
    const { rig, io } = await setUp();
    rig.pump();
    rig.pinChanges = [];
    rig.armFaults({ action: "interrupt", now: true });
    rig.pump();
    rig.pump();
    expect(rig.pinChanges).toEqual([true, false]);
    await expectHealthy(rig, io);
  });

  it("fatal", async () => {
    const { rig } = await setUp();
    rig.armFaults({ action: "fatal", now: true });
    rig.pump();
    expect(rig.csts & CFS).toBe(CFS);
    rig.disable();
    rig.enable();
    await expectHealthy(rig, await rig.createQueues());
  });

  it("remove, and back when another list of rules comes", async () => {
    const { rig } = await setUp();
    rig.armFaults({ action: "remove", now: true });
    rig.pump();
    expect(rig.csts).toBe(0xffffffff);
    rig.armFaults({ action: "drop" });
    rig.pump();
    expect(rig.csts).toBe(0);
    expect(rig.controller.faults.reported.fired.map(({ action }) => action)).toEqual(["remove"]);
  });

  it("a rule that stays armed does not fire again", async () => {
    const { rig } = await setUp();
    const rule: FaultRule = { action: "interrupt", now: true };
    rig.armFaults(rule);
    rig.armFaults(rule, { action: "drop" });
    expect(rig.controller.faults.reported.counts.get(0)).toBe(1);
  });
});

describe("faults of admin commands", () => {
  const identify = (rig: Rig): Command => ({ opcode: 0x06, prp1: rig.alloc(4096), cdw: [1] });
  const submit = async (rig: Rig, command: Command) => {
    rig.admin.submit(command);
    await rig.settle();
    return rig.admin.reap().map(({ status }) => status);
  };

  it.each<[FaultAction, readonly number[]]>([
    [{ action: "fail", sct: 0, sc: 6 }, [6]],
    [{ action: "drop" }, []],
    [{ action: "duplicate" }, [0, 0]],
    [{ action: "interrupt" }, [0]],
  ])("%j", async (action, expected) => {
    const { rig, io } = await setUp();
    rig.armFaults({ ...action, command: "identify", count: 1 });
    expect(await submit(rig, identify(rig))).toEqual(expected);
    expect(await submit(rig, identify(rig))).toEqual([0]);
    await expectHealthy(rig, io);
  });

  it("delay: the controller asks for a safe point when it is over", async () => {
    const { rig, io } = await setUp();
    rig.armFaults({ action: "delay", ms: 50, queue: "admin", count: 1 });
    expect(await submit(rig, identify(rig))).toEqual([]);
    expect(rig.controller.interruptDueInMs).toBe(50);
    rig.nowMs += 50;
    expect(rig.controller.interruptDueInMs).toBe(0);
    await rig.settle();
    expect(rig.admin.reap().map(({ status }) => status)).toEqual([0]);
    await expectHealthy(rig, io);
  });

  it("delay: a reset takes the command away, and a lifted rule lets it go on", async () => {
    const { rig } = await setUp();
    rig.armFaults({ action: "delay", ms: 50, queue: "admin" });
    expect(await submit(rig, identify(rig))).toEqual([]);
    rig.disable();
    rig.enable();
    rig.nowMs += 100;
    await rig.settle();
    expect(rig.admin.reap()).toEqual([]);
    expect(await submit(rig, identify(rig))).toEqual([]);
    rig.armFaults();
    await rig.settle();
    expect(rig.admin.reap().map(({ status }) => status)).toEqual([0]);
  });

  it.each(["fatal", "remove"] as const)("%s", async action => {
    const { rig } = await setUp();
    rig.armFaults({ action, command: "identify", count: 1 });
    expect(await submit(rig, identify(rig))).toEqual([]);
    expect(rig.csts).toBe(action === "fatal" ? CFS | RDY : 0xffffffff);
    rig.armFaults();
    await rig.settle();
    if (action === "fatal") rig.disable();
    rig.enable();
    await expectHealthy(rig, await rig.createQueues());
  });
});

describe("which commands are hit", () => {
  /** Which of `commands` fail under the rule's conditions. */
  async function hits(conditions: Partial<FaultRule>, commands: (rig: Rig) => Command[]): Promise<number[]> {
    const { rig, io } = await setUp({ disks: [{}, {}] });
    rig.armFaults({ ...conditions, action: "fail", sct: 0, sc: 6 } as FaultRule);
    const hit: number[] = [];
    for (const [i, command] of commands(rig).entries()) {
      if ((await rig.io(io, command)).status === 6) hit.push(i);
    }
    return hit;
  }
  const reads = (lbas: readonly [number, number][]) => (rig: Rig) =>
    lbas.map(([lba, blocks]) => transfer(2, lba, blocks, { prp1: rig.alloc(4096) }));
  const many = (rig: Rig): Command[] => Array.from({ length: 100 }, () => reads([[0, 1]])(rig)[0]);

  it("by opcode, namespace and queue", async () => {
    const both = (rig: Rig) =>
      [1, 2].flatMap(nsid => [transfer(2, 0, 1, { prp1: rig.alloc(512) }, { nsid }), { opcode: 0, nsid }]);
    expect(await hits({ command: "read" }, both)).toEqual([0, 2]);
    expect(await hits({ command: 0 }, both)).toEqual([1, 3]);
    expect(await hits({ nsid: 2 }, both)).toEqual([2, 3]);
    expect(await hits({ queue: 1 }, both)).toEqual([0, 1, 2, 3]);
    expect(await hits({ queue: 2 }, both)).toEqual([]);
    expect(await hits({ queue: "admin" }, both)).toEqual([]);
  });

  it("by blocks that they touch; a flush touches none", async () => {
    const commands = (rig: Rig) => [
      ...reads([
        [0, 4],
        [4, 4],
        [7, 1],
        [8, 8],
        [11, 1],
        [12, 2],
      ])(rig),
      FLUSH,
    ];
    expect(await hits({ lba: [7, 11] }, commands)).toEqual([1, 2, 3, 4]);
  });

  it("by skip and count", async () => {
    expect(await hits({ skip: 3, count: 2 }, rig => many(rig).slice(0, 10))).toEqual([3, 4]);
  });

  it("by chance, and the same seed makes the same choices", async () => {
    const first = await hits({ probability: 0.3, seed: 5 }, many);
    expect(first.length).toBeGreaterThan(15);
    expect(first.length).toBeLessThan(45);
    expect(await hits({ probability: 0.3, seed: 5 }, many)).toEqual(first);
    expect(await hits({ probability: 0.3, seed: 6 }, many)).not.toEqual(first);
    expect((await hits({ probability: 0.3, seed: 0, count: 4 }, many)).length).toBe(4);
  });

  it("by the first rule that fits; a bad list changes nothing", async () => {
    const { rig, io, commands } = await setUp();
    rig.armFaults(
      { action: "fail", sct: 0, sc: 6, command: "read", count: 1 },
      { action: "fail", sct: 0, sc: 7 },
    );
    const statuses: number[] = [];
    const bad = { action: "explode" } as unknown as FaultRule;
    expect(() => rig.armFaults(bad)).toThrow(/explode/);
    for (let i = 0; i < 2; i++) statuses.push((await rig.io(io, commands.read)).status);
    expect(statuses).toEqual([6, 7]);
    const { counts, fired } = rig.ioFaults.reported;
    expect([...counts]).toEqual([
      [0, 1],
      [1, 1],
    ]);
    expect(
      fired.map(({ id, action, command }) => [id, action, command?.opcode, command?.nsid, command?.lba]),
    ).toEqual([
      [0, "fail", 2, 1, 0],
      [1, "fail", 2, 1, 0],
    ]);
  });

  it("with no more than the latest faults remembered", async () => {
    const { rig, io } = await setUp();
    rig.armFaults({ action: "fail", sct: 0, sc: 6 });
    for (let i = 0; i < 300; i++) await rig.io(io, FLUSH);
    expect(rig.ioFaults.reported.fired.length).toBe(256);
    expect(rig.ioFaults.reported.counts.get(0)).toBe(300);
  });
});

it("faults go into the trace while somebody looks", async () => {
  const { rig, io, commands } = await setUp();
  rig.armFaults({ action: "fail", sct: 0, sc: 6 }, { action: "fail", sct: 0, sc: 6, queue: "admin" });
  rig.shared.signals.observed = true;
  const readers = rig.shared.signals.readTraces();
  const { cid } = await run(rig, io, commands.read);
  rig.admin.submit({ opcode: 0x06 });
  await rig.settle();
  const seen = readers
    .flatMap(takeRecords)
    .flatMap(({ kind, a, b, c, d }) => (kind === TraceKind.fault ? [[a, b, c & 0xff, d]] : []));
  expect(seen).toEqual([
    [1, 0, 2, 1],
    [0, 1, 6, 1],
  ]);
  expect(cid).toBe(1);
});
