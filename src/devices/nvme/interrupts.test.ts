import { describe, expect, it } from "vitest";
import { Counter, counterNames } from "../../trace/counters.ts";
import { createGuestMemory } from "../guest_memory.ts";
import { CompletionQueue } from "./completion_queue.ts";
import { Interrupts } from "./interrupts.ts";

function rig(msix: boolean) {
  const memory = createGuestMemory(new ArrayBuffer(65536), 0, 65536);
  const log: string[] = [];
  const state = { msix, ms: 0 };
  const counters = new Int32Array(new SharedArrayBuffer(counterNames.length * 4));
  const interrupts = new Interrupts(
    {
      setInterruptPin: level => log.push(level ? "pin up" : "pin down"),
      msixEnabled: () => state.msix,
      raiseVector: vector => log.push(`vector ${vector}`),
      now: () => state.ms,
    },
    counters,
  );
  const queue = (id: number, enabled = true, vector = id) =>
    new CompletionQueue(memory, id, id * 4096, 8, enabled, vector);
  return { interrupts, queue, log, state, counters };
}

describe("interrupt pin (NVMe 1.4, 7.5.1)", () => {
  it("is up while a queue has entries that the host has not consumed", () => {
    const { interrupts, queue, log } = rig(false);
    const cq = queue(1);
    interrupts.update([cq], true);
    cq.post(1, 1, 7, 0, 0);
    cq.post(1, 2, 8, 0, 0);
    interrupts.update([cq], true);
    interrupts.update([cq], true);
    cq.advanceHead(1);
    interrupts.update([cq], true);
    expect(log).toEqual(["pin up"]);
    cq.advanceHead(2);
    interrupts.update([cq], false);
    expect(log).toEqual(["pin up", "pin down"]);
  });

  it("never rises within a register write, but may fall there", () => {
    const { interrupts, queue, log } = rig(false);
    const cq = queue(1);
    cq.post(1, 1, 7, 0, 0);
    interrupts.update([cq], false);
    expect(log).toEqual([]);
    interrupts.update([cq], true);
    interrupts.mask = 1;
    interrupts.update([cq], false);
    expect(log).toEqual(["pin up", "pin down"]);
  });

  it("does not speak for a queue whose interrupts are off", () => {
    const { interrupts, queue, log } = rig(false);
    const cq = queue(1, false);
    cq.post(1, 1, 7, 0, 0);
    interrupts.update([cq], true);
    expect(log).toEqual([]);
  });
});

describe("MSI-X (7.5.2)", () => {
  it("sends one message for all that was posted since the last one, and none again", () => {
    const { interrupts, queue, log, counters } = rig(true);
    const [one, two, silent] = [queue(1), queue(2, true, 5), queue(3, false)];
    one.post(1, 1, 7, 0, 0);
    one.post(1, 2, 8, 0, 0);
    two.post(2, 1, 9, 0, 0);
    silent.post(3, 1, 9, 0, 0);
    interrupts.update([one, two, silent], true);
    interrupts.update([one, two, silent], true);
    expect(log).toEqual(["vector 1", "vector 5"]);
    expect(counters[Counter.interrupts]).toBe(2);
  });

  it("keeps the message for a safe point", () => {
    const { interrupts, queue, log } = rig(true);
    const cq = queue(1);
    cq.post(1, 1, 7, 0, 0);
    interrupts.update([cq], false);
    expect(log).toEqual([]);
    interrupts.update([cq], true);
    expect(log).toEqual(["vector 1"]);
  });

  it("takes the pin down when it is switched on", () => {
    const { interrupts, queue, log, state } = rig(false);
    const cq = queue(1);
    cq.post(1, 1, 7, 0, 0);
    interrupts.update([cq], true);
    state.msix = true;
    interrupts.update([cq], true);
    expect(log).toEqual(["pin up", "pin down", "vector 1"]);
  });
});

describe("interrupt coalescing (5.21.1.8, 5.21.1.9)", () => {
  /** Threshold: 4 entries; time: 500 µs. */
  const FEATURE = 3 | (5 << 8);
  const post = (cq: CompletionQueue, count = 1) => {
    for (let i = 0; i < count; i++) cq.post(1, 1, 7, 0, 0);
  };

  it.each([
    [true, "vector 1"],
    [false, "pin up"],
  ])("waits for the threshold (MSI-X: %s)", (msix, raised) => {
    const { interrupts, queue, log } = rig(msix);
    interrupts.coalescing.configure(FEATURE, new Set());
    const cq = queue(1);
    post(cq, 3);
    interrupts.update([cq], true);
    expect(log).toEqual([]);
    post(cq);
    interrupts.update([cq], true);
    expect(log).toEqual([raised]);
  });

  it.each([true, false])("… but not longer than the time (MSI-X: %s)", msix => {
    const { interrupts, queue, log, state } = rig(msix);
    interrupts.coalescing.configure(FEATURE, new Set());
    const cq = queue(1);
    post(cq);
    state.ms = 10;
    interrupts.update([cq], true);
    expect(interrupts.dueInMs).toBeCloseTo(0.5);
    state.ms = 10.4;
    post(cq);
    interrupts.update([cq], true);
    expect(log).toEqual([]);
    expect(interrupts.dueInMs).toBeCloseTo(0.1);
    state.ms = 10.5;
    interrupts.update([cq], true);
    expect(log).toHaveLength(1);
    expect(interrupts.dueInMs).toBe(Number.POSITIVE_INFINITY);
    // The time of the next ones begins anew.
    cq.advanceHead(2);
    interrupts.update([cq], false);
    state.ms = 11;
    post(cq);
    interrupts.update([cq], true);
    expect(interrupts.dueInMs).toBeCloseTo(0.5);
  });

  it("the pin stays up for entries that the host was told of, not for those that are held back", () => {
    const { interrupts, queue, log } = rig(false);
    interrupts.coalescing.configure(FEATURE, new Set());
    const cq = queue(1);
    post(cq, 4);
    interrupts.update([cq], true);
    post(cq, 2);
    interrupts.update([cq], true);
    cq.advanceHead(3);
    interrupts.update([cq], false);
    expect(log).toEqual(["pin up"]);
    cq.advanceHead(4);
    interrupts.update([cq], false);
    expect(log).toEqual(["pin up", "pin down"]);
  });

  it("entries that the host has found by itself count no more", () => {
    const { interrupts, queue, log } = rig(true);
    interrupts.coalescing.configure(FEATURE, new Set());
    const cq = queue(1);
    post(cq, 3);
    cq.advanceHead(3);
    post(cq, 1);
    interrupts.update([cq], true);
    expect(log).toEqual([]);
  });

  it("never holds back the admin queue, a full queue, a vector that is taken out, or what a quiet guest waits for", () => {
    const { interrupts, queue, log } = rig(true);
    interrupts.coalescing.configure(0xff | (5 << 8), new Set([5]));
    const [admin, full, excepted, other] = [queue(0), queue(2), queue(3, true, 5), queue(4)];
    post(admin);
    post(full, 7);
    post(excepted);
    post(other);
    interrupts.update([admin, full, excepted, other], true);
    expect(log).toEqual(["vector 0", "vector 2", "vector 5"]);
    interrupts.update([other], true, true);
    expect(log.at(-1)).toBe("vector 4");
  });

  it.each([
    ["no time", 3],
    ["a threshold of one", 5 << 8],
  ])("is off with %s", (_name, feature) => {
    const { interrupts, queue, log } = rig(true);
    interrupts.coalescing.configure(feature, new Set());
    const cq = queue(1);
    post(cq);
    interrupts.update([cq], true);
    expect(log).toEqual(["vector 1"]);
  });
});
