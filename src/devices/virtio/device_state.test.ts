import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VIRTIO_STATE_VERSION, type VirtioState } from "./device_state.ts";
import { blockHeader, NEEDS_RESET, pattern, Rig, type RigOptions } from "./testing/driver.ts";

const RUNS = Number(process.env.FUZZ_RUNS ?? 200);
const READ = 0;
const WRITE = 1;

/** A transfer of one sector; what it answers, and its data, once it is done. */
function push(rig: Rig, type: number, sector: number, data: Uint8Array | number = 512) {
  const header = rig.segments(blockHeader(type, sector));
  const body = rig.segments(data);
  const status = rig.segments(new Uint8Array([0xff]));
  const head =
    type === READ ? rig.io.push(header, [...body, ...status]) : rig.io.push([...header, ...body], status);
  return { head, data: () => rig.gather(body), status: () => rig.memory.bytes[status[0].at] };
}

/** REPORT LUNS, TEST UNIT READY and the like: a SCSI request without data (virtio 1.1, section 5.6.6.1). */
function pushScsi(rig: Rig, opcode: number, cdbSize = 32, senseSize = 96) {
  const request = new Uint8Array(19 + cdbSize);
  request[0] = 1;
  request[2] = 0x40;
  request[19] = opcode;
  const answer = rig.segments(12 + senseSize);
  const head = rig.io.push(rig.segments(request), answer);
  return { head, answer: () => rig.gather(answer) };
}

const variants: readonly RigOptions[] = [
  { eventIdx: true, msix: true },
  { eventIdx: false, msix: false },
  { eventIdx: true, msix: true, stronglyOrderedHost: false },
];

describe("the state of a virtio device", () => {
  it("goes on wherever a stream of requests is cut: each is answered exactly once", async () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ kind: fc.constant("push" as const), sector: fc.nat(7) }) },
      { weight: 4, arbitrary: fc.constantFrom({ kind: "kick" as const }, { kind: "serve" as const }) },
      { weight: 4, arbitrary: fc.constantFrom({ kind: "safePoint" as const }, { kind: "idle" as const }) },
      { weight: 2, arbitrary: fc.constantFrom({ kind: "reap" as const }, { kind: "sleep" as const }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("snapshot" as const), first: fc.boolean() }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60, size: "max" }),
        fc.constantFrom(...variants),
        async (steps, options) => {
          const rig = Rig.started({ ...options, ramBytes: 2 << 20 });
          rig.disk.bytes.set(pattern(8 * 512, 3));
          const open = new Map<number, ReturnType<typeof push> & { sector: number }>();
          const take = () => {
            for (const { head } of rig.io.reap()) {
              const request = open.get(head);
              expect(open.delete(head), `chain ${head}`).toBe(true);
              expect(request?.status()).toBe(0);
              const at = (request?.sector ?? 0) * 512;
              expect(request?.data()).toEqual(rig.disk.bytes.slice(at, at + 512));
            }
          };
          for (const step of steps) {
            if (step.kind === "push") {
              if (rig.io.freeDescriptors < 3) continue;
              const request = push(rig, READ, step.sector);
              open.set(request.head, { ...request, sector: step.sector });
            } else if (step.kind === "kick") rig.io.kick();
            else if (step.kind === "serve") rig.server.ready();
            else if (step.kind === "sleep") rig.server.pollEnd();
            else if (step.kind === "reap") take();
            else if (step.kind === "snapshot") {
              const saved = await rig.save();
              rig.memory.bytes.fill(0xa5);
              rig.restore(saved, step.first);
            } else rig.device.safePoint(step.kind === "idle");
          }
          rig.io.kick();
          for (let i = 0; i < 20 && open.size > 0; i++) {
            await rig.settle();
            rig.device.safePoint(true);
            take();
          }
          expect([[...open.keys()], rig.bugs, rig.status & NEEDS_RESET]).toEqual([[], [], 0]);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it("reads back what was written before, from the disk that stayed", async () => {
    const rig = Rig.started();
    push(rig, WRITE, 5, pattern(512, 9));
    rig.io.kick();
    rig.restore(await rig.save());
    expect(rig.io.reap()).toHaveLength(1);
    const read = push(rig, READ, 5);
    rig.io.kick();
    await rig.settle();
    expect(rig.io.reap().map(({ head }) => head)).toEqual([read.head]);
    expect(read.data()).toEqual(pattern(512, 9));
  });

  it("keeps an interrupt that the driver has not taken: the pin stays up, and falls when it is", async () => {
    const rig = Rig.started({ msix: false });
    push(rig, READ, 0);
    rig.io.kick();
    await rig.settle();
    expect(rig.pin).toBe(true);
    const changes = rig.pinChanges.length;
    rig.restore(await rig.save());
    rig.pump();
    expect([rig.pin, rig.pinChanges.length]).toEqual([true, changes]);
    expect(rig.read8(rig.isr)).toBe(1);
    expect(rig.pin).toBe(false);
    expect(rig.io.reap()).toHaveLength(1);
  });

  it("sends no message twice, and none less", async () => {
    const rig = Rig.started();
    push(rig, READ, 0);
    rig.io.kick();
    await rig.settle();
    expect(rig.raised).toEqual([1]);
    rig.restore(await rig.save());
    rig.pump();
    expect(rig.raised).toEqual([1]);
    rig.io.reap();
    push(rig, READ, 1);
    rig.io.kick();
    await rig.settle();
    expect(rig.raised).toEqual([1, 1]);
  });

  it("keeps what a SCSI driver has chosen for itself", async () => {
    const rig = Rig.started({ type: "scsi" });
    rig.write32(rig.config + 20, 18);
    rig.write32(rig.config + 24, 16);
    rig.restore(await rig.save());
    expect([rig.read32(rig.config + 20), rig.read32(rig.config + 24)]).toEqual([18, 16]);
    const request = pushScsi(rig, 0x00, 16, 18);
    rig.io.kick();
    await rig.settle();
    expect(rig.io.reap().map(({ head }) => head)).toEqual([request.head]);
    // GOOD, and response OK.
    expect([...request.answer().subarray(10, 12)]).toEqual([0, 0]);
    expect(rig.bugs).toEqual([]);
  });

  it("can be taken of a device that nobody has started, and half way to that", async () => {
    const rig = new Rig();
    rig.restore(await rig.save());
    rig.negotiate();
    rig.restore(await rig.save());
    rig.setUpQueues();
    rig.restore(await rig.save());
    rig.status |= 4;
    const read = push(rig, READ, 0);
    rig.io.kick();
    await rig.settle();
    expect(rig.io.reap().map(({ head }) => head)).toEqual([read.head]);
  });

  it("says with what it is busy: requests, a reset, a broken queue", async () => {
    const rig = Rig.started();
    expect(rig.device.busyWith).toBeUndefined();
    rig.disk.cold = true;
    const release = rig.disk.hold();
    push(rig, READ, 0);
    rig.io.kick();
    rig.pump();
    expect(rig.device.busyWith).toBe("I/O requests");
    release();
    await rig.settle();
    expect(rig.device.busyWith).toBeUndefined();
    rig.io.publish(999);
    rig.io.kick();
    rig.pump();
    expect(rig.device.busyWith).toBe("a virtqueue that is broken");
    rig.status = 0;
    expect(rig.device.busyWith).toBe("a reset of the virtio device");
    rig.pump();
    expect(rig.device.busyWith).toBeUndefined();
  });
});

describe("a saved state of a virtio device", () => {
  it("of another version, or of another device, is refused with a sentence", async () => {
    const rig = Rig.started();
    const state = JSON.parse((await rig.save()).device) as VirtioState;
    const other = { ...state, version: VIRTIO_STATE_VERSION + 1 };
    expect(() => new Rig().device.restore(other)).toThrow(`reads version ${VIRTIO_STATE_VERSION}.`);
    expect(() => new Rig({ type: "scsi" }).device.restore(state)).toThrow("of another kind of device");
  });

  it.each(["block", "scsi"] as const)(
    "that is damaged is refused, or harms its own guest alone: %s",
    async type => {
      const rig = Rig.started({ type });
      if (type === "block") push(rig, READ, 0);
      else pushScsi(rig, 0x00);
      rig.io.kick();
      const saved = await rig.save();
      const leaves = (value: unknown, path: readonly string[] = []): (readonly string[])[] =>
        typeof value === "object" && value !== null
          ? Object.entries(value).flatMap(([key, child]) => leaves(child, [...path, key]))
          : [path];
      const paths = leaves(JSON.parse(saved.device));
      const values = fc.oneof(
        fc.integer(),
        fc.constantFrom<unknown>(
          -1,
          0,
          1,
          15,
          16,
          17,
          0xffff,
          0x10000,
          2 ** 31,
          2 ** 32,
          1e300,
          0.5,
          8 << 20,
          null,
          "1",
        ),
      );
      let [refused, taken] = [0, 0];
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...paths), values, async (path, value) => {
          const state = JSON.parse(saved.device) as VirtioState;
          let at = state as unknown as Record<string, unknown>;
          for (const key of path.slice(0, -1)) at = at[key] as typeof at;
          at[path[path.length - 1]] = value;
          try {
            rig.restore({ device: JSON.stringify(state), ram: saved.ram });
            taken += 1;
          } catch (error) {
            expect(String(error)).toMatch(/^VirtioStateError: The saved state of the virtio device .*\.$/);
            refused += 1;
            return;
          }
          rig.write16(rig.notify, 0);
          await rig.settle();
          rig.device.safePoint(true);
          await rig.settle();
          rig.status = 0;
          await rig.settle();
          expect([rig.bugs, rig.status]).toEqual([[], 0]);
        }),
        { numRuns: 3 * RUNS },
      );
      expect(refused).toBeGreaterThan(RUNS / 4);
      expect(taken).toBeGreaterThan(RUNS / 8);
    },
  );
});
