import { describe, expect, it } from "vitest";
import { Rig } from "./testing/driver.ts";

const PAGE = 4096;
const read = (rig: Rig) => ({ opcode: 2, nsid: 1, prp1: rig.alloc(PAGE), cdw: [0, 0, 7] });

/** Linux 6.1 after a controller reset: queues run, and elide doorbells, before Doorbell Buffer Config is sent. */
describe("Doorbell Buffer Config for queues that are in use (5.7)", () => {
  it("takes up what the host has written into the new pages, and loses no command", async () => {
    const { rig, io } = await Rig.withQueue();
    const shadow = rig.alloc(PAGE);
    const eventIdx = rig.alloc(PAGE);
    io.push(read(rig));
    rig.write(0x1008, 1);
    io.push(read(rig));
    io.push(read(rig));
    // The host believes that shadows are on: the second and third doorbell are elided.
    Atomics.store(rig.memory.words, (shadow + 8) / 4, 3);
    rig.pump();
    // It has also taken an entry, and told of it in the page alone.
    expect(io.reap(1, true)).toHaveLength(1);
    Atomics.store(rig.memory.words, (shadow + 12) / 4, 1);
    expect((await rig.command({ opcode: 0x7c, prp1: shadow, prp2: eventIdx })).status).toBe(0);
    rig.shadowPage = shadow;
    rig.eventIdxPage = eventIdx;
    await rig.settle();
    expect(io.reap().map(({ status }) => status)).toEqual([0, 0]);
    rig.pump();
    expect(rig.pin).toBe(false);
  });

  it("tells the pages where the doorbells stand when they say nothing", async () => {
    const { rig, io } = await Rig.withQueue();
    for (let i = 0; i < 5; i++) await rig.io(io, read(rig));
    await rig.configureShadow();
    expect(rig.view(rig.shadowPage + 8, 8).getUint32(0, true)).toBe(5);
    expect(rig.view(rig.shadowPage + 12, 4).getUint32(0, true)).toBe(5);
    expect((await rig.io(io, read(rig))).status).toBe(0);
  });

  it("does not believe a value that no tail can have", async () => {
    const { rig, io } = await Rig.withQueue({}, 16);
    await rig.io(io, read(rig));
    const shadow = rig.alloc(PAGE);
    const eventIdx = rig.alloc(PAGE);
    Atomics.store(rig.memory.words, (shadow + 8) / 4, 700);
    await rig.command({ opcode: 0x7c, prp1: shadow, prp2: eventIdx });
    expect(rig.view(shadow + 8, 4).getUint32(0, true)).toBe(1);
  });
});
