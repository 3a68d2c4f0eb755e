import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockHeader, F_INDIRECT, NEEDS_RESET, Rig } from "./testing/driver.ts";

/** A request in descriptors 0, 1, 2, which the test then spoils. */
function request(rig: Rig) {
  const [header, data, status] = [rig.segments(blockHeader(0, 0)), rig.segments(512), rig.segments(1)];
  const { io } = rig;
  io.writeDescriptor(io.desc, 0, header[0].at, 16, 1, 1);
  io.writeDescriptor(io.desc, 1, data[0].at, 512, 3, 2);
  io.writeDescriptor(io.desc, 2, status[0].at, 1, 2, 0);
  return { header: header[0].at, data: data[0].at, status: status[0].at };
}

const run = (rig: Rig, head = 0) => {
  rig.io.publish(head);
  rig.io.kick();
  rig.pump();
  return { used: rig.io.reap().length, broken: (rig.status & NEEDS_RESET) !== 0 };
};

describe("descriptor chains (virtio 1.1, section 2.6.5)", () => {
  it("the unspoilt request is served", () => {
    const rig = Rig.started();
    request(rig);
    expect(run(rig)).toEqual({ used: 1, broken: false });
  });

  type Spoil = (rig: Rig, at: ReturnType<typeof request>) => unknown;
  const desc = (rig: Rig, index: number, at: number, length: number, flags: number, next = 0) =>
    rig.io.writeDescriptor(rig.io.desc, index, at, length, flags, next);

  it.each<[string, Spoil]>([
    ["a head beyond the table", () => 16],
    ["a next beyond the table", (rig, at) => desc(rig, 1, at.data, 512, 3, 16)],
    ["a loop", (rig, at) => desc(rig, 1, at.data, 512, 3, 1)],
    ["a loop of two", (rig, at) => desc(rig, 2, at.status, 1, 3, 1)],
    ["a buffer outside RAM", rig => desc(rig, 1, rig.memory.byteLength - 511, 512, 3, 2)],
    ["a buffer in the VGA window", rig => desc(rig, 1, 0xa0000, 512, 3, 2)],
    ["a buffer above 4 GiB", rig => desc(rig, 1, 2 ** 40, 512, 3, 2)],
    ["a buffer of no bytes", (rig, at) => desc(rig, 1, at.data, 0, 3, 2)],
    ["a length of nearly 4 GiB", (rig, at) => desc(rig, 1, at.data, 0xffffffff, 3, 2)],
    ["readable after writable", (rig, at) => desc(rig, 2, at.status, 1, 0)],
    [
      "nothing that is writable",
      (rig, at) => [desc(rig, 1, at.data, 512, 1, 2), desc(rig, 2, at.status, 1, 0)],
    ],
    ["INDIRECT with NEXT", (rig, at) => desc(rig, 0, at.data, 16, 5, 1)],
    ["an indirect table of half a descriptor", (rig, at) => desc(rig, 0, at.data, 24, 4)],
    ["an indirect table of no bytes", (rig, at) => desc(rig, 0, at.data, 0, 4)],
    ["an indirect table outside RAM", rig => desc(rig, 0, rig.memory.byteLength - 8, 16, 4)],
    [
      "an indirect table in an indirect table",
      (rig, at) => [desc(rig, 0, at.data, 16, 4), rig.io.writeDescriptor(at.data, 0, at.data, 16, 4, 0)],
    ],
    [
      "a next beyond the indirect table",
      (rig, at) => [desc(rig, 0, at.data, 16, 4), rig.io.writeDescriptor(at.data, 0, at.header, 16, 1, 1)],
    ],
  ])("%s breaks the queue", (_name, spoil) => {
    const rig = Rig.started();
    const at = request(rig);
    const head = spoil(rig, at);
    const before = rig.slice(at.data, 512);
    expect(run(rig, typeof head === "number" ? head : 0)).toEqual({ used: 0, broken: true });
    expect(rig.slice(at.data, 512)).toEqual(before);
    expect(rig.bugs).toEqual([]);
  });

  it("an indirect table breaks the queue when it was not negotiated", () => {
    const rig = Rig.started({ without: [F_INDIRECT] });
    rig.io.push(rig.segments(blockHeader(0, 0)), rig.segments(513), true);
    rig.io.kick();
    rig.pump();
    expect(rig.status & NEEDS_RESET).toBe(NEEDS_RESET);
  });

  it("normal descriptors may come before an indirect one (2.6.5.3.2), whose table need not be aligned", () => {
    const rig = Rig.started();
    const at = request(rig);
    const table = rig.alloc(33, 1) | 1;
    desc(rig, 0, at.header, 16, 1, 5);
    desc(rig, 5, table, 32, 4);
    rig.io.writeDescriptor(table, 0, at.data, 512, 3, 1);
    rig.io.writeDescriptor(table, 1, at.status, 1, 2, 0);
    expect(run(rig)).toEqual({ used: 1, broken: false });
  });

  it("more buffers than the ring has entries break the queue", () => {
    const rig = Rig.started();
    request(rig);
    rig.view.setUint16(rig.io.avail + 2, 17, true);
    rig.write16(rig.io.notifyAt, 0);
    rig.pump();
    expect(rig.status & NEEDS_RESET).toBe(NEEDS_RESET);
  });

  it("a chain of more than 1024 descriptors breaks the queue; 1024 do not", () => {
    for (const parts of [1024, 1025]) {
      const rig = Rig.started({ ramBytes: 8 << 20 });
      const into = Array.from({ length: parts - 2 }, () => ({ at: rig.alloc(2, 1), length: 1 }));
      rig.io.push(rig.segments(blockHeader(8, 0)), [...into, ...rig.segments(1)], true);
      rig.io.kick();
      rig.pump();
      expect(rig.io.reap().length).toBe(parts === 1024 ? 1 : 0);
    }
  });
});

describe("a hostile driver", () => {
  const word = fc.oneof(fc.nat(20), fc.constantFrom(0xffff, 0x7fff, 0x8000), fc.nat(0xffff));
  const address = fc.oneof(
    fc.integer({ min: 0x100000, max: 0x140000 }),
    fc.constantFrom(0, 0x9ff00, 0xa0000, 0xbffff, (2 << 20) - 8, 2 << 20, 0xfffffff0, 2 ** 53),
  );
  const length = fc.oneof(
    fc.constantFrom(0, 1, 16, 24, 32, 48, 512, 513, 51, 108, 0xffffffff),
    fc.nat(70000),
  );
  const action = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("desc" as const),
        indirect: fc.boolean(),
        index: fc.nat(15),
        address,
        length,
        flags: fc.oneof(fc.nat(7), fc.constantFrom(0xffff, 8)),
        next: fc.oneof(fc.nat(16), word),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("publish" as const), head: word }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("bytes" as const),
        at: fc.nat(0x3000),
        bytes: fc.uint8Array({ maxLength: 40 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("idx" as const), idx: word }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("mmio" as const),
        at: fc.oneof(
          fc.nat(64),
          fc.integer({ min: 0x1000, max: 0x1008 }),
          fc.integer({ min: 0x2000, max: 0x3020 }),
        ),
        width: fc.constantFrom(8, 16, 32),
        value: fc.oneof(address, word),
        read: fc.boolean(),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("run" as const), idle: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("cold" as const), cold: fc.boolean() }) },
  );

  it.each(["block", "scsi"] as const)("%s: it never throws, and touches nothing outside RAM", async type => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 5, maxLength: 40 }),
        fc.boolean(),
        fc.nat(2),
        async (actions, stronglyOrderedHost, which) => {
          const ramBytes = 2 << 20;
          const rig = Rig.started({ type, ramBytes, stronglyOrderedHost, blocks: 64, queueSize: 16 });
          let queue = rig.queues[Math.min(which, rig.queues.length - 1)];
          rig.memory.bytes.fill(0x5a, 0xa0000, 0xc0000);
          const table = 0x101000;
          for (const step of actions) {
            switch (step.kind) {
              case "desc":
                rig.io.writeDescriptor(
                  step.indirect ? table : queue.desc,
                  step.index,
                  step.address,
                  step.length,
                  step.flags,
                  step.next,
                );
                break;
              case "publish":
                queue.publish(step.head);
                queue.kick();
                break;
              case "bytes":
                rig.memory.bytes.set(step.bytes, 0x100000 + step.at);
                break;
              case "idx":
                rig.view.setUint16(queue.avail + 2, step.idx, true);
                break;
              case "mmio":
                if (step.read) [rig.read8(step.at), rig.read32(step.at)];
                else if (step.width === 32) rig.write32(step.at, step.value);
                else if (step.width === 16) rig.write16(step.at, step.value & 0xffff);
                else rig.write8(step.at, step.value & 0xff);
                break;
              case "run":
                rig.device.safePoint(step.idle);
                await rig.settle();
                break;
              case "restart":
                rig.status = 0;
                rig.pump();
                expect(rig.status).toBe(0);
                rig.start();
                queue = rig.queues[Math.min(which, rig.queues.length - 1)];
                break;
              case "cold":
                rig.disk.cold = step.cold;
            }
          }
          await rig.settle();
          expect(rig.bugs).toEqual([]);
          expect(rig.memory.bytes.subarray(0xa0000, 0xc0000).every(byte => byte === 0x5a)).toBe(true);
          for (const [start, end] of rig.dirtied) {
            expect(start >= 0 && end <= ramBytes && start <= end).toBe(true);
          }
          // A reset mends whatever it was.
          rig.status = 0;
          rig.pump();
          expect(rig.status).toBe(0);
        },
      ),
      { numRuns: 400 },
    );
  });
});
