import { describe, expect, it } from "vitest";
import { Counter } from "../../trace/counters.ts";
import {
  CC,
  CC_EN,
  CC_ENTRY_SIZES,
  FLUSH,
  needEvent,
  PAGE,
  type QueuePair,
  RDY,
  Rig,
  tailDoorbell,
  transfer,
} from "./testing/driver.ts";

/**
 * Bugs that doorbell buffers had in other emulators and drivers, numbered. Each test says how the bug was planted here
 * once, and how the test then failed.
 */

const IDENTIFY = (page: number) => ({ opcode: 0x06, prp1: page, cdw: [1] });
const count = (rig: Rig, name: keyof typeof Counter) => rig.shared.counters[Counter[name]];
const shadowWord = (rig: Rig, offset: number) => rig.memory.words[(rig.shadowPage + offset) / 4];
const eventIdxWord = (rig: Rig, offset: number) => rig.memory.words[(rig.eventIdxPage + offset) / 4];

/** What AioContext does before it sleeps. True if it would sleep. */
function goToSleep(rig: Rig): boolean {
  rig.shared.serverNotifier.testAndClear();
  rig.shared.serverNotifier.announceSleep();
  rig.server.pollEnd();
  if (!rig.server.ready() && !rig.shared.serverNotifier.isSet) {
    rig.shared.serverNotifier.waitBlocking(0);
    return true;
  }
  rig.shared.serverNotifier.cancelSleep();
  return false;
}

function read(rig: Rig) {
  return transfer(2, 0, 1, { prp1: rig.alloc(PAGE) });
}

/** One command done, whose doorbell the serving side did not need: EventIdx lies behind, so the guest rings no more. */
async function awake(options: { stronglyOrderedHost?: boolean } = {}): Promise<{ rig: Rig; io: QueuePair }> {
  const { rig, io } = await Rig.withShadow(options);
  rig.server.pollEnd();
  await rig.io(io, read(rig));
  return { rig, io };
}

/** From awake() to the slot before the one whose doorbell was rung there, without another doorbell. */
async function almostALap(rig: Rig, io: QueuePair): Promise<void> {
  while (io.tail < 8) await rig.io(io, read(rig));
  // The serving side looks once more before it sleeps: it takes this one, and EventIdx is left in the middle of the lap.
  io.submit(read(rig));
  rig.server.pollEnd();
  rig.pump();
  rig.pump();
  expect(io.reap()).toHaveLength(1);
  while (io.tail > 0) await rig.io(io, read(rig));
  expect(count(rig, "doorbellsRung")).toBe(1);
}

describe("1 and 9: write shadow, read EventIdx against write EventIdx, read shadow", () => {
  // Every order in which the two steps of each side can come.
  const orders = ["GGSS", "GSGS", "GSSG", "SGGS", "SGSG", "SSGG"];

  // Planted: pollEnd() does not write EventIdx. SSGG failed: neither rung nor fetched.
  // That the event loop looks once more after pollEnd() is in aio_context.test.ts.
  // That these are atomic accesses (the fence between them) no test in one thread can show.
  it.each(orders)("no order of the steps loses the doorbell: %s", async order => {
    const { rig, io } = await awake();
    io.push(read(rig));
    rig.shared.serverNotifier.testAndClear();
    rig.shared.serverNotifier.announceSleep();
    let eventIdx = -1;
    const guest = [
      () => {
        rig.memory.words[(rig.shadowPage + 8) / 4] = io.tail;
      },
      () => {
        eventIdx = eventIdxWord(rig, 8) & 0xffff;
      },
    ];
    const server = [() => rig.server.pollEnd(), () => void rig.server.ready()];
    for (const side of order) (side === "G" ? guest : server).shift()?.();
    if (needEvent(eventIdx, io.tail, io.tail - 1)) rig.write(tailDoorbell(1), io.tail);
    const fetched = rig.shared.inFlight(1) === 1;
    expect(fetched || rig.shared.serverNotifier.isSet).toBe(true);
    rig.server.ready();
    rig.controller.safePoint(false);
    expect(io.reap()).toHaveLength(1);
    expect(count(rig, "doorbellsSwept")).toBe(0);
  });

  /** The guest's store of the tail is still in its store buffer when it reads EventIdx and the server looks. */
  function loseDoorbell(rig: Rig, io: QueuePair): void {
    io.push(read(rig));
    const eventIdx = eventIdxWord(rig, 8) & 0xffff;
    expect(needEvent(eventIdx, io.tail, io.tail - 1)).toBe(false);
    expect(goToSleep(rig)).toBe(true);
    rig.memory.words[(rig.shadowPage + 8) / 4] = io.tail;
    expect(rig.shared.serverNotifier.isSet).toBe(false);
  }

  // Planted: safePoint() without the sweep. Failed: the notifier stays unset for ever.
  it("a doorbell lost to a delayed store is rung by the sweep at the second safe point", async () => {
    const { rig, io } = await awake();
    loseDoorbell(rig, io);
    rig.controller.safePoint(false);
    expect([rig.shared.serverNotifier.isSet, count(rig, "doorbellsSwept")]).toEqual([false, 0]);
    rig.controller.safePoint(false);
    expect([rig.shared.serverNotifier.isSet, count(rig, "doorbellsSwept")]).toEqual([true, 1]);
    rig.server.ready();
    rig.controller.safePoint(false);
    expect(io.reap()).toHaveLength(1);
  });

  // Planted: the sweep waits for a second safe point when the guest goes idle, too. Failed: not set.
  it("… and at once when the guest goes idle", async () => {
    const { rig, io } = await awake();
    loseDoorbell(rig, io);
    rig.controller.safePoint(true);
    expect([rig.shared.serverNotifier.isSet, count(rig, "doorbellsSwept")]).toEqual([true, 1]);
  });

  // Was a bug here: a tail equal to the last rung one, a lap ago, counted as handed over. Failed: never rung.
  it("… even if the tail has the value of the last real doorbell, a lap ago", async () => {
    const { rig, io } = await awake();
    await almostALap(rig, io);
    loseDoorbell(rig, io);
    rig.controller.safePoint(true);
    expect(rig.shared.serverNotifier.isSet).toBe(true);
    rig.server.ready();
    rig.controller.safePoint(false);
    expect(io.reap()).toHaveLength(1);
  });

  it("an awake server finds the tail by itself, and the sweep does not ring", async () => {
    const { rig, io } = await awake();
    io.submit(read(rig));
    expect(rig.server.poll()).toBe(true);
    for (let i = 0; i < 3; i++) rig.controller.safePoint(false);
    expect(count(rig, "doorbellsSwept")).toBe(0);
    rig.pump();
    expect(io.reap()).toHaveLength(1);
  });

  it("a server that has been rung and is about to wake up is not swept", async () => {
    const { rig, io } = await awake();
    expect(goToSleep(rig)).toBe(true);
    io.submit(read(rig));
    expect(rig.shared.serverNotifier.isSet).toBe(true);
    for (let i = 0; i < 3; i++) rig.controller.safePoint(true);
    expect(count(rig, "doorbellsSwept")).toBe(0);
  });
});

describe("2: CQ EventIdx and a full completion queue", () => {
  // Planted: armCqEventIdx() writes cq.tail. Failed: the guest's rule says "no doorbell" for the queue that is full.
  it("a guest that frees an entry of a full queue is told to ring, each time", async () => {
    const rig = await Rig.create();
    rig.enable();
    const io = await rig.createQueues(1, 16, 4);
    await rig.configureShadow();
    for (let i = 0; i < 10; i++) io.push(read(rig));
    io.ring();
    rig.server.ready();
    rig.controller.safePoint(false);
    const cids: number[] = [];
    while (cids.length < 10) {
      const before = io.head;
      const [cqe] = io.reap(1, true);
      expect(cqe).toBeDefined();
      cids.push(cqe.cid);
      expect(rig.updateShadow(12, io.head, before)).toBe(true);
      rig.write(0x100c, io.head);
    }
    expect(cids).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  // Planted: readCqShadows() left out. Failed: only three completions came.
  it("a head that was only written to the shadow is found at the next safe point", async () => {
    const rig = await Rig.create();
    rig.enable();
    const io = await rig.createQueues(1, 16, 4);
    await rig.configureShadow();
    for (let i = 0; i < 6; i++) io.push(read(rig));
    io.ring();
    rig.pump();
    expect(io.reap(9, true)).toHaveLength(3);
    rig.memory.words[(rig.shadowPage + 12) / 4] = io.head;
    rig.controller.safePoint(false);
    expect(io.reap(9, true)).toHaveLength(3);
  });

  it("a shadow head that no queue can have is not believed", async () => {
    const { rig, io } = await Rig.withShadow();
    io.submit(read(rig));
    rig.pump();
    for (const head of [5, 16, 0xffff]) {
      rig.memory.words[(rig.shadowPage + 12) / 4] = head;
      rig.pump();
      expect(rig.pin).toBe(true);
    }
  });
});

// Planted: startReset() leaves SHADOW_ENABLED set. Failed: EventIdx of the old page became 0, and the tail there was
// taken, which ran commands that nobody had sent.
it("3: nothing of Doorbell Buffer Config outlives a controller reset", async () => {
  const { rig, io } = await Rig.withShadow();
  await rig.io(io, read(rig));
  const pages = [rig.shadowPage, rig.eventIdxPage];
  rig.disable();
  for (const page of pages) rig.memory.words.fill(3, page / 4, (page + PAGE) / 4);
  rig.enable();
  const again = await rig.createQueues();
  rig.server.pollEnd();
  await rig.settle();
  expect(again.reap()).toEqual([]);
  again.submit(read(rig)); // through MMIO
  rig.pump();
  expect(again.reap()).toHaveLength(1);
  rig.server.pollEnd();
  for (const page of pages)
    expect(rig.slice(page, PAGE)).toEqual(new Uint8Array(new Int32Array(1024).fill(3).buffer));
});

// Was a bug here: with shadows in use, the last doorbell word is history. A reset switched the shadows off before
// the new epoch was out, and a serving side that looked in between fetched from the head round to that old tail.
// Played here by a notifier that looks at every store of the vCPU thread.
it("3: a reset never lets the serving side fall back on an old doorbell", async () => {
  const { rig, io } = await awake();
  for (let i = 0; i < 5; i++) await rig.io(io, read(rig));
  const commands = count(rig, "commands");
  const { setControl, addControl } = rig.shared;
  rig.shared.setControl = (word, value) => {
    setControl.call(rig.shared, word, value);
    rig.server.ready();
  };
  rig.shared.addControl = (word, amount) => {
    const sum = addControl.call(rig.shared, word, amount);
    rig.server.ready();
    return sum;
  };
  rig.write(CC, 0);
  expect(count(rig, "commands")).toBe(commands);
});

// Planted: safePoint() rings the admin queue with shadow word 0. Failed: Identify was answered without a doorbell.
it("4: the admin queue's shadow words mean nothing", async () => {
  const { rig } = await Rig.withShadow();
  const cid = rig.admin.push(IDENTIFY(rig.alloc(PAGE)));
  rig.memory.words[rig.shadowPage / 4] = rig.admin.tail;
  rig.memory.words[rig.shadowPage / 4 + 1] = 0xffff;
  rig.server.pollEnd();
  for (let i = 0; i < 3; i++) rig.pump();
  expect(rig.admin.reap()).toEqual([]);
  rig.admin.ring();
  rig.pump();
  expect(rig.admin.reap().map(cqe => cqe.cid)).toEqual([cid]);
  expect(rig.memory.words[rig.eventIdxPage / 4]).toBe(0);
});

// Planted: resetShadow() does nothing. Failed: the new queue ran the commands up to the old tail, and its CQ took the
// old head for freed entries.
it("5: a re-created queue starts with shadow and EventIdx 0", async () => {
  const { rig, io } = await Rig.withShadow();
  for (let i = 0; i < 5; i++) await rig.io(io, read(rig));
  rig.server.pollEnd();
  expect([shadowWord(rig, 8), shadowWord(rig, 12), eventIdxWord(rig, 8)]).toEqual([5, 5, 5]);
  await rig.deleteSq(1);
  await rig.deleteCq(1);
  const commands = count(rig, "commands");
  const again = await rig.createQueues(1, 8);
  expect([8, 12].map(offset => shadowWord(rig, offset))).toEqual([0, 0]);
  expect([8, 12].map(offset => eventIdxWord(rig, offset))).toEqual([0, 0]);
  for (let i = 0; i < 3; i++) rig.pump();
  expect(count(rig, "commands")).toBe(commands);
  expect((await rig.io(again, read(rig))).status).toBe(0);
});

describe("6: a shadow tail out of range", () => {
  // Planted: acceptedTail() without `shadow >= entries`. Failed: every look fetched 32 commands more.
  it.each([16, 17, 0x7fff, 0xffff])("%i is not taken, for any number of looks", async tail => {
    const { rig, io } = await Rig.withShadow();
    rig.memory.words[(rig.shadowPage + 8) / 4] = tail;
    for (let look = 0; look < 5; look++) {
      expect(rig.server.ready()).toBe(false);
      rig.controller.safePoint(true);
    }
    expect(count(rig, "commands")).toBe(0);
    io.submit(read(rig));
    rig.pump();
    expect(io.reap()).toHaveLength(1);
  });

  // Was a bug here: poll() said "work" for a tail that ready() refuses, so the iothread never slept again.
  it("does not keep the iothread busy", async () => {
    const { rig } = await Rig.withShadow();
    rig.memory.words[(rig.shadowPage + 8) / 4] = 0xffff;
    expect(rig.server.poll()).toBe(false);
    expect(goToSleep(rig)).toBe(true);
  });

  // Was a bug here: one error log entry at every other safe point for as long as the guest left it there.
  it("is reported as an invalid doorbell value, once", async () => {
    const { rig } = await Rig.withShadow();
    const aer = rig.admin.submit({ opcode: 0x0c });
    rig.pump();
    rig.memory.words[(rig.shadowPage + 8) / 4] = 99;
    for (let i = 0; i < 9; i++) rig.pump();
    expect(rig.admin.reap()).toMatchObject([{ cid: aer, status: 0, result: 0x010100 }]);
    const page = rig.alloc(PAGE);
    await rig.command({ opcode: 0x02, prp1: page, cdw: [1 | (31 << 16)] });
    expect(rig.view(page, 128).getUint16(8, true)).toBe(1);
    expect([0, 64].map(at => Number(rig.view(page, 128).getBigUint64(at, true)))).toEqual([1, 0]);
  });
});

describe("7: a second Doorbell Buffer Config while one is active", () => {
  // Was a bug here: the new shadow page was filled from the last MMIO doorbell, which lies behind the head, and
  // the commands from the head round to it were executed again. Failed: commands 16 where 7 were sent.
  it("moves the buffers and executes nothing twice", async () => {
    const { rig, io } = await awake();
    for (let i = 0; i < 6; i++) await rig.io(io, read(rig));
    const old = [rig.shadowPage, rig.eventIdxPage];
    await rig.configureShadow();
    for (const page of old) rig.memory.words.fill(0x0c0c, page / 4, (page + PAGE) / 4);
    for (let look = 0; look < 5; look++) {
      rig.server.ready();
      rig.controller.safePoint(false);
    }
    expect(count(rig, "commands")).toBe(7);
    expect(io.reap()).toEqual([]);
    rig.server.pollEnd();
    for (let i = 0; i < 20; i++) expect((await rig.io(io, read(rig))).status).toBe(0);
    for (const page of old) expect(rig.slice(page, 4)).toEqual(Uint8Array.of(12, 12, 0, 0));
  });

  it("that is refused leaves the first one in force", async () => {
    const { rig, io } = await awake();
    const page = rig.alloc(PAGE);
    for (const [prp1, prp2] of [
      [page + 4, page],
      [page, page + 8],
      [0, page],
      [page, 0],
      [0xf0000000, page],
    ]) {
      expect((await rig.command({ opcode: 0x7c, prp1, prp2 })).status).toBe(0x4002);
    }
    const rung = count(rig, "doorbellsRung");
    expect((await rig.io(io, read(rig))).status).toBe(0);
    expect(count(rig, "doorbellsRung")).toBe(rung);
  });
});

// Planted: pollEnd() remembers what it wrote and skips an equal value. Failed: EventIdx stays 9.
it("8: EventIdx is written at each sleep, whatever was written before", async () => {
  const { rig } = await Rig.withShadow();
  rig.server.pollEnd();
  await rig.deleteSq(1);
  await rig.deleteCq(1);
  await rig.createQueues();
  rig.memory.words[(rig.eventIdxPage + 8) / 4] = 9;
  rig.server.pollEnd();
  expect(eventIdxWord(rig, 8)).toBe(0);
});

it("no EventIdx is written for queues that do not exist", async () => {
  const { rig } = await Rig.withShadow();
  await rig.createQueues(3);
  rig.memory.words.fill(-1, rig.eventIdxPage / 4, rig.eventIdxPage / 4 + 20);
  rig.server.pollEnd();
  expect([0, 8, 16, 24, 32].map(offset => eventIdxWord(rig, offset))).toEqual([-1, 0, -1, 0, -1]);
});

// Was a bug here: a deleted queue's shadow word kept poll() saying "work" for ever.
it("the shadow word of a deleted queue does not keep the iothread busy", async () => {
  const { rig, io } = await Rig.withShadow();
  await rig.createQueues(2);
  for (let i = 0; i < 3; i++) await rig.io(io, read(rig));
  await rig.deleteSq(1);
  expect(rig.server.poll()).toBe(false);
});

describe("a weakly ordered host", () => {
  it("fetches up to a tail seen in guest memory only after a safe point has passed", async () => {
    const { rig, io } = await awake({ stronglyOrderedHost: false });
    io.submit(read(rig));
    for (let look = 0; look < 3; look++) expect(rig.server.ready()).toBe(false);
    expect(count(rig, "shadowTailsHeld")).toBe(1);
    // Nothing to do until then: the iothread must be able to sleep.
    expect(rig.server.poll()).toBe(false);
    rig.controller.safePoint(false);
    expect(rig.server.poll()).toBe(true);
    expect(rig.server.ready()).toBe(true);
    rig.controller.safePoint(false);
    expect(io.reap()).toHaveLength(1);
    expect(count(rig, "shadowTailsTaken")).toBe(0);
  });

  it("believes a real doorbell at once, for all of its entries", async () => {
    const { rig, io } = await Rig.withShadow({ stronglyOrderedHost: false }, 128);
    rig.server.pollEnd();
    for (let i = 0; i < 100; i++) io.push(FLUSH);
    io.ring();
    expect(count(rig, "doorbellsRung")).toBe(1);
    for (let look = 0; look < 4; look++) expect(rig.server.ready()).toBe(true); // bursts of 32
    expect(rig.shared.inFlight(1)).toBe(100);
  });

  // Was a bug here: a tail equal to the last rung one counted as announced, though that was a lap ago.
  it("does not take the value of an old doorbell for a new one", async () => {
    const { rig, io } = await awake({ stronglyOrderedHost: false });
    await almostALap(rig, io);
    io.submit(read(rig));
    expect([io.tail, count(rig, "doorbellsRung")]).toEqual([1, 1]);
    expect(rig.server.ready()).toBe(false);
    rig.controller.safePoint(false);
    expect(rig.server.ready()).toBe(true);
  });

  it("is rung by the sweep when it sleeps over a held tail", async () => {
    const { rig, io } = await awake({ stronglyOrderedHost: false });
    io.push(read(rig));
    const before = io.tail - 1;
    expect(rig.updateShadow(8, io.tail, before)).toBe(false);
    expect(goToSleep(rig)).toBe(true);
    rig.controller.safePoint(true);
    expect(rig.shared.serverNotifier.isSet).toBe(true);
    expect(rig.server.ready()).toBe(true);
  });
});

it("a strongly ordered host takes the tail at once", async () => {
  const { rig, io } = await awake();
  io.submit(read(rig));
  expect(rig.server.ready()).toBe(true);
  expect([count(rig, "shadowTailsTaken"), count(rig, "shadowTailsHeld")]).toEqual([1, 0]);
});

it("is offered only where it is wanted (OACS bit 8), and refused elsewhere", async () => {
  for (const shadowDoorbells of ["dbbuf", "off"] as const) {
    const { rig } = await Rig.withQueue({ shadowDoorbells });
    const page = rig.alloc(2 * PAGE);
    await rig.command(IDENTIFY(page));
    expect((rig.view(page, PAGE).getUint16(256, true) >>> 8) & 1).toBe(shadowDoorbells === "dbbuf" ? 1 : 0);
    const { status } = await rig.command({ opcode: 0x7c, prp1: page, prp2: page + PAGE });
    expect(status).toBe(shadowDoorbells === "dbbuf" ? 0 : 0x4001);
  }
  const rig = await Rig.create();
  rig.write(CC, CC_ENTRY_SIZES | CC_EN);
  expect(rig.csts & RDY).toBe(0);
});
