import { describe, expect, it } from "vitest";
import { FLUSH, Rig } from "../testing/driver.ts";

/** Arbitration: NVMe 1.4, sections 4.13.1 and 5.21.1.1. */

describe("round robin", () => {
  it.each([
    ["1", 0, 1],
    ["4", 2, 4],
    ["without limit", 7, 14],
  ])("the burst is what one queue gets in its turn: %s", async (_name, burst, taken) => {
    const rig = await Rig.create();
    rig.enable();
    const queues = [await rig.createQueues(1), await rig.createQueues(2)];
    expect((await rig.command({ opcode: 0x09, cdw: [0x01, burst] })).status).toBe(0);
    for (const queue of queues) {
      for (let i = 0; i < 14; i++) queue.push(FLUSH);
      queue.ring();
    }
    rig.server.ready();
    expect(queues.map(({ qid }) => rig.shared.inFlight(qid))).toEqual([taken, taken]);
    await rig.settle();
    expect(queues.map(queue => queue.reap().length)).toEqual([14, 14]);
  });
});
