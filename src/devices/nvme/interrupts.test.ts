import { describe, expect, it } from "vitest";
import { Counter, counterNames } from "../../trace/counters.ts";
import { createGuestMemory } from "../guest_memory.ts";
import { CompletionQueue } from "./completion_queue.ts";
import { Interrupts } from "./interrupts.ts";

function rig(msix: boolean) {
  const memory = createGuestMemory(new ArrayBuffer(65536), 0, 65536);
  const log: string[] = [];
  const state = { msix };
  const counters = new Int32Array(new SharedArrayBuffer(counterNames.length * 4));
  const interrupts = new Interrupts(
    {
      setInterruptPin: level => log.push(level ? "pin up" : "pin down"),
      msixEnabled: () => state.msix,
      raiseVector: vector => log.push(`vector ${vector}`),
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
