import { describe, expect, it } from "vitest";
import { Counter } from "../../../trace/counters.ts";
import { Rig } from "../testing/driver.ts";

/**
 * Google's vendor extension as its patches of November 2015 spoke it: opcode C0h, PRP1 the shadow page, PRP2 the
 * EventIdx page, and the comparison of virtio's event idx, which the test driver uses.
 */
const PAGE = 4096;
const read = (rig: Rig) => ({ opcode: 2, nsid: 1, prp1: rig.alloc(PAGE), cdw: [0, 0, 7] });
const options = { shadowDoorbells: "google" } as const;

describe("Google's shadow doorbells", () => {
  it("take over from the doorbells: a busy server is not rung any more", async () => {
    const { rig, io } = await Rig.withShadow(options);
    rig.server.pollEnd();
    for (let i = 0; i < 50; i++) expect((await rig.io(io, read(rig))).status).toBe(0);
    const { doorbellsRung, doorbellsElided } = {
      doorbellsRung: rig.shared.counters[Counter.doorbellsRung],
      doorbellsElided: rig.shared.counters[Counter.doorbellsElided],
    };
    // One to wake it, and one each time that the tail comes round to the EventIdx.
    expect(doorbellsRung).toBeLessThanOrEqual(5);
    expect(doorbellsRung + doorbellsElided).toBe(50);
  });

  it("arm the EventIdx for a server that goes to sleep", async () => {
    const { rig, io } = await Rig.withShadow(options);
    await rig.io(io, read(rig));
    rig.server.pollEnd();
    const rung = rig.shared.counters[Counter.doorbellsRung];
    io.submit(read(rig));
    expect(rig.shared.counters[Counter.doorbellsRung]).toBe(rung + 1);
  });

  it("refuse pages that are null, not aligned or not RAM with status 1C0h, Do Not Retry", async () => {
    const { rig } = await Rig.withQueue(options);
    const page = rig.alloc(PAGE);
    for (const [prp1, prp2] of [
      [0, page],
      [page, 0],
      [page + 4, page],
      [page, page + 2048],
      [0xf0000000, page],
    ]) {
      expect((await rig.command({ opcode: 0xc0, prp1, prp2 })).status).toBe(0x1c0 | 0x4000);
    }
  });

  it("are offered in place of Doorbell Buffer Config, not beside it", async () => {
    const { rig } = await Rig.withQueue(options);
    const page = rig.alloc(2 * PAGE);
    expect((await rig.command({ opcode: 0x7c, prp1: page, prp2: page + PAGE })).status).toBe(0x4001);
    await rig.command({ opcode: 6, prp1: page, cdw: [1] });
    expect(rig.view(page, PAGE).getUint16(256, true) & 0x100).toBe(0);
    const { rig: standard } = await Rig.withQueue();
    const other = standard.alloc(2 * PAGE);
    expect((await standard.command({ opcode: 0xc0, prp1: other, prp2: other + PAGE })).status).toBe(0x4001);
  });

  it("die with a reset", async () => {
    const { rig } = await Rig.withShadow(options);
    const { shadowPage, eventIdxPage } = rig;
    rig.disable();
    rig.pump();
    for (const page of [shadowPage, eventIdxPage]) rig.memory.words.fill(0x0c0c, page / 4, (page + PAGE) / 4);
    rig.shadowPage = 0;
    rig.enable();
    const io = await rig.createQueues(1, 16);
    expect((await rig.io(io, read(rig))).status).toBe(0);
    rig.server.pollEnd();
    for (const page of [shadowPage, eventIdxPage])
      expect(rig.slice(page + 8, 4)).toEqual(Uint8Array.of(12, 12, 0, 0));
  });
});
