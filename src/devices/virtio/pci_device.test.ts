import { describe, expect, it } from "vitest";
import { AioContext } from "../../eventloop/aio_context.ts";
import { Counter } from "../../trace/counters.ts";
import {
  ACKNOWLEDGE,
  blockHeader,
  DRIVER,
  DRIVER_OK,
  F_EVENT_IDX,
  F_INDIRECT,
  F_VERSION_1,
  FEATURES_OK,
  NEEDS_RESET,
  pattern,
  Rig,
} from "./testing/driver.ts";

const count = (rig: Rig, name: keyof typeof Counter) => rig.shared.counters[Counter[name]];
const bit = (features: bigint, n: number) => ((features >> BigInt(n)) & 1n) === 1n;

/** A read of one sector; returns where its status byte is. */
function pushRead(rig: Rig, sector = 0, indirect = false) {
  const header = rig.segments(blockHeader(0, sector));
  const data = rig.segments(512);
  const status = rig.segments(new Uint8Array([0xff]));
  const head = rig.io.push(header, [...data, ...status], indirect);
  return { head, data, statusAt: status[0].at };
}

describe("what the PCI function shows (virtio 1.1, section 4.1)", () => {
  it("ids and class of both device types", () => {
    const block = new Rig().device;
    const scsi = new Rig({ type: "scsi" }).device;
    expect([block.pciIds.vendorId, block.pciIds.deviceId]).toEqual([0x1af4, 0x1042]);
    expect([scsi.pciIds.vendorId, scsi.pciIds.deviceId]).toEqual([0x1af4, 0x1048]);
    expect([block.pciIds.revisionId, scsi.pciIds.revisionId]).toEqual([1, 1]);
    expect(scsi.classCode[0]).toBe(1);
  });

  it("capabilities name structures that do not overlap and are large enough (4.1.4)", () => {
    const { device } = new Rig({ type: "scsi" });
    const caps = device.pciCapabilities(2).map(cap => {
      const view = new DataView(cap.buffer);
      expect([cap[0], cap[1], cap[2], cap[4]]).toEqual([0x09, 0, cap.length, 2]);
      return { type: cap[3], offset: view.getUint32(8, true), length: view.getUint32(12, true) };
    });
    expect(caps.map(cap => cap.type).sort()).toEqual([1, 2, 3, 4]);
    expect(caps.find(cap => cap.type === 1)!.length).toBeGreaterThanOrEqual(56);
    expect(caps.find(cap => cap.type === 2)!.length).toBeGreaterThanOrEqual(3 * 4);
    expect(caps.find(cap => cap.type === 4)!.length).toBe(36);
    caps.sort((a, b) => a.offset - b.offset);
    for (let i = 1; i < caps.length; i++) {
      expect(caps[i].offset).toBeGreaterThanOrEqual(caps[i - 1].offset + caps[i - 1].length);
    }
  });
});

describe("negotiation (sections 2.2, 3.1.1)", () => {
  it("offers what this device can do", () => {
    const features = new Rig().features();
    for (const n of [2, 6, 9, 10, 13, 14, F_INDIRECT, F_EVENT_IDX, F_VERSION_1])
      expect(bit(features, n)).toBe(true);
    expect(bit(new Rig({ eventIdx: false }).features(), F_EVENT_IDX)).toBe(false);
    expect(bit(new Rig({ requestQueues: 2 }).features(), 12)).toBe(true);
  });

  it.each([
    ["something that was not offered", (offered: bigint) => offered | (1n << 5n)],
    ["no VERSION_1", (offered: bigint) => offered & 0xffffffffn],
    ["an unknown bit of the upper word", (offered: bigint) => offered | (1n << 40n)],
  ])("does not keep FEATURES_OK for %s", (_name, change) => {
    const rig = new Rig();
    rig.status = ACKNOWLEDGE | DRIVER;
    rig.accept(change(rig.features()));
    rig.status = ACKNOWLEDGE | DRIVER | FEATURES_OK;
    expect(rig.status).toBe(ACKNOWLEDGE | DRIVER);
    // … and the driver may think again.
    rig.accept(1n << 32n);
    rig.status = ACKNOWLEDGE | DRIVER | FEATURES_OK;
    expect(rig.status).toBe(ACKNOWLEDGE | DRIVER | FEATURES_OK);
  });

  it("features are fixed from FEATURES_OK on", () => {
    const rig = new Rig();
    rig.negotiate();
    rig.accept(1n << 32n);
    rig.write32(rig.common + 8, 0);
    expect(rig.read32(rig.common + 12)).not.toBe(0);
  });

  it("DRIVER_OK without FEATURES_OK needs a reset, and serves nothing", () => {
    const rig = new Rig();
    rig.status = ACKNOWLEDGE | DRIVER;
    rig.setUpQueues();
    rig.status = ACKNOWLEDGE | DRIVER | DRIVER_OK;
    pushRead(rig);
    rig.io.kick();
    rig.pump();
    expect(rig.status & NEEDS_RESET).toBe(NEEDS_RESET);
    expect(rig.io.reap()).toEqual([]);
  });

  it("buffers are not used before DRIVER_OK, and then without a kick", () => {
    const rig = new Rig();
    rig.negotiate();
    rig.setUpQueues();
    pushRead(rig);
    rig.io.kick();
    rig.pump();
    expect(rig.io.reap()).toEqual([]);
    rig.status |= DRIVER_OK;
    rig.pump();
    expect(rig.io.reap()).toHaveLength(1);
  });
});

describe("common configuration (section 4.1.4.3)", () => {
  it("16-bit fields take two single bytes, and each byte leaves the other alone", () => {
    const rig = new Rig({ requestQueues: 3 });
    rig.write8(rig.common + 22, 2);
    rig.write8(rig.common + 26, 3);
    rig.write8(rig.common + 27, 0);
    expect(rig.read16(rig.common + 26)).toBe(3);
    rig.write16(rig.common + 22, 1);
    expect(rig.read16(rig.common + 26)).toBe(0xffff);
    rig.write16(rig.common + 24, 8);
    expect(rig.read16(rig.common + 24)).toBe(8);
    rig.write16(rig.common + 22, 2);
    expect([rig.read16(rig.common + 24), rig.read16(rig.common + 26)]).toEqual([16, 3]);
    expect(rig.read16(rig.common + 18)).toBe(3);
    expect(rig.read8(rig.common + 21)).toBe(0);
  });

  it("32-bit fields take single bytes and words, and 64-bit ones two words", () => {
    const rig = new Rig();
    rig.write32(rig.common + 32, 0x12345678);
    rig.write8(rig.common + 33, 0xab);
    rig.write32(rig.common + 36, 1);
    expect([rig.read32(rig.common + 32), rig.read32(rig.common + 36)]).toEqual([0x1234ab78, 1]);
    expect(rig.read8(rig.common + 35)).toBe(0x12);
    // A word across two 16-bit fields is both of them.
    rig.write32(rig.common + 24, 4 | (2 << 16));
    expect([rig.read16(rig.common + 24), rig.read16(rig.common + 26)]).toEqual([4, 2]);
  });

  it("a queue that does not exist has size 0 and takes nothing", () => {
    const rig = new Rig();
    rig.write16(rig.common + 22, 7);
    rig.write16(rig.common + 28, 1);
    rig.write32(rig.common + 32, 4096);
    expect([24, 28, 30].map(at => rig.read16(rig.common + at))).toEqual([0, 0, 0]);
    expect(rig.read32(rig.common + 32)).toBe(0);
    expect(rig.status).toBe(0);
  });

  it("a vector that the function has not reads as NO_VECTOR (4.1.5.1.2)", () => {
    const rig = new Rig();
    for (const at of [16, 26]) {
      rig.write16(rig.common + at, 3);
      expect(rig.read16(rig.common + at)).toBe(3);
      rig.write16(rig.common + at, 4);
      expect(rig.read16(rig.common + at)).toBe(0xffff);
    }
  });

  it.each([
    ["descriptors outside RAM", 32, 0xf0000000],
    ["descriptors above 4 GiB", 36, 1],
    ["descriptors that are not aligned", 32, 0x100008],
    ["an available ring in the VGA window", 40, 0xa0000],
    ["an odd available ring", 40, 0x100001],
    ["a used ring that is not aligned", 48, 0x100002],
    ["a used ring that ends outside RAM", 48, (8 << 20) - 64],
    ["a size that is no power of two", 24, 3],
    ["size 0", 24, 0],
    ["a size beyond the largest", 24, 32],
  ])("%s needs a reset, and is not used", (_name, at, value) => {
    const rig = new Rig();
    rig.negotiate();
    for (const [i, address] of [0x100000, 0x110000, 0x120000].entries())
      rig.write32(rig.common + 32 + 8 * i, address);
    if (at === 24) rig.write16(rig.common + at, value);
    else rig.write32(rig.common + at, value);
    rig.write16(rig.common + 28, 1);
    expect(rig.read16(rig.common + 28)).toBe(0);
    expect(rig.status & NEEDS_RESET).toBe(NEEDS_RESET);
  });

  it("an enabled queue's registers are left alone", () => {
    const rig = Rig.started();
    rig.write16(rig.common + 22, 0);
    rig.write32(rig.common + 32, 0);
    rig.write16(rig.common + 24, 4);
    rig.write16(rig.common + 28, 0);
    expect([rig.read32(rig.common + 32), rig.read16(rig.common + 24), rig.read16(rig.common + 28)]).toEqual([
      rig.io.desc,
      16,
      1,
    ]);
  });

  it("what lies between the structures reads as zero and takes writes in silence", () => {
    const rig = Rig.started();
    for (const at of [
      rig.common + 56,
      rig.common + 0xffc,
      rig.isr + 1,
      rig.config + 200,
      rig.notify,
      0x1fffc,
    ]) {
      rig.write32(at, -1);
      rig.write8(at, 0xff);
      expect([rig.read32(at), rig.read8(at)]).toEqual([0, 0]);
    }
    rig.pump();
    expect(rig.status & NEEDS_RESET).toBe(0);
  });
});

describe("block configuration (section 5.2.4)", () => {
  it("capacity counts 512-byte sectors whatever the block size", () => {
    const rig = new Rig({ lbaShift: 12, blocks: 100, queueSize: 256 });
    const { config } = rig;
    expect([rig.read32(config), rig.read32(config + 4)]).toEqual([800, 0]);
    expect(rig.read32(config + 12)).toBe(254);
    expect(rig.read32(config + 20)).toBe(4096);
    expect(rig.read8(config + 32)).toBe(1);
    expect(rig.read16(config + 34)).toBe(1);
    expect(rig.read32(config + 36)).toBeGreaterThan(0);
    expect(rig.read32(config + 40)).toBeGreaterThan(0);
    expect(rig.read32(config + 44)).toBe(8);
    rig.write32(config, 5);
    rig.write8(config + 32, 0);
    expect([rig.read32(config), rig.read8(config + 32)]).toEqual([800, 1]);
  });
});

describe("notifications (sections 2.6.10, 4.1.4.4)", () => {
  it("a 16-bit write rings once and counts as one access, and so does a 32-bit write", () => {
    const rig = Rig.started();
    for (const width of [16, 32] as const) {
      const [rung, exits] = [count(rig, "doorbellsRung"), count(rig, "mmioExits")];
      if (width === 16) rig.write16(rig.io.notifyAt, 0);
      else rig.write32(rig.io.notifyAt, 0);
      expect(count(rig, "doorbellsRung") - rung).toBe(1);
      expect(count(rig, "mmioExits") - exits).toBe(1);
    }
  });

  it("without event indices each buffer is a kick, and nothing is found without", () => {
    const rig = Rig.started({ eventIdx: false });
    pushRead(rig);
    rig.pump();
    expect(rig.server.poll()).toBe(false);
    expect(rig.io.reap()).toEqual([]);
    expect(rig.io.kick()).toBe(true);
    rig.pump();
    expect(rig.io.reap()).toHaveLength(1);
  });

  it("a serving side that is awake needs no kick; one that went to sleep asks for it", () => {
    const rig = Rig.started();
    pushRead(rig);
    expect(rig.io.kick()).toBe(true);
    while (rig.server.ready());
    // It has not slept since: no kick, and it finds the buffer itself.
    pushRead(rig);
    expect(rig.io.wantsKick).toBe(false);
    expect(rig.server.poll()).toBe(true);
    rig.server.ready();
    expect(count(rig, "doorbellsElided")).toBe(1);
    expect(count(rig, "shadowTailsTaken")).toBe(1);
    rig.io.kick();
    rig.server.pollEnd();
    pushRead(rig);
    expect(rig.io.wantsKick).toBe(true);
  });

  it("the sweep finds a buffer whose kick was lost, at the second safe point", () => {
    const rig = Rig.started();
    rig.shared.serverNotifier.testAndClear();
    rig.server.pollEnd();
    // The driver has read avail_event before pollEnd() wrote it.
    pushRead(rig);
    rig.shared.serverNotifier.announceSleep();
    rig.shared.serverNotifier.waitBlocking(0);
    rig.device.safePoint(false);
    expect([rig.shared.serverNotifier.isSet, count(rig, "doorbellsSwept")]).toEqual([false, 0]);
    rig.device.safePoint(false);
    expect([rig.shared.serverNotifier.isSet, count(rig, "doorbellsSwept")]).toEqual([true, 1]);
    rig.serve();
    rig.device.safePoint(false);
    expect(rig.io.reap()).toHaveLength(1);
  });

  it("… and at once when the guest goes idle", () => {
    const rig = Rig.started();
    rig.shared.serverNotifier.testAndClear();
    pushRead(rig);
    rig.device.safePoint(true);
    expect(rig.shared.serverNotifier.isSet).toBe(true);
    expect(rig.device.ioInFlight).toBe(true);
    rig.pump();
    expect(rig.device.ioInFlight).toBe(false);
  });

  it("on a weakly ordered host an index waits for a safe point, but a kicked one does not", () => {
    const rig = Rig.started({ stronglyOrderedHost: false });
    pushRead(rig);
    rig.server.ready();
    expect(count(rig, "shadowTailsHeld")).toBe(1);
    expect(rig.server.poll()).toBe(false);
    expect(rig.shared.completions.length).toBe(0);
    rig.device.safePoint(false);
    expect(rig.server.poll()).toBe(true);
    rig.server.ready();
    expect(rig.shared.completions.length).toBe(1);
    rig.pump();
    pushRead(rig);
    rig.io.kick();
    rig.server.ready();
    expect(rig.shared.completions.length).toBe(1);
  });

  it("weakly ordered: every buffer is served in the end, whoever is kicked when", async () => {
    const rig = Rig.started({ stronglyOrderedHost: false });
    let served = 0;
    for (let round = 0; round < 300; round++) {
      for (let i = 0; i <= round % 4; i++) pushRead(rig);
      if (round % 3 === 0) rig.io.kick();
      if (round % 2 === 0) rig.server.ready();
      rig.pump();
      rig.pump();
      served += rig.io.reap().length;
      expect(rig.io.freeDescriptors).toBe(16);
    }
    expect(served).toBe(750);
  });
});

describe("interrupts (sections 2.6.7, 4.1.5.3, 4.1.5.4)", () => {
  it("MSI-X: the queue's vector, at a safe point, once for what was posted together", () => {
    const rig = Rig.started();
    pushRead(rig);
    pushRead(rig);
    rig.io.kick();
    rig.serve();
    expect(rig.raised).toEqual([]);
    rig.device.safePoint(false);
    expect(rig.raised).toEqual([1]);
    expect(count(rig, "interrupts")).toBe(1);
    expect(rig.pinChanges).toEqual([]);
    expect(rig.read8(rig.isr)).toBe(0);
  });

  it("MSI-X: no message without a vector", () => {
    const rig = Rig.started();
    rig.write16(rig.common + 22, 0);
    rig.write16(rig.common + 26, 0xffff);
    pushRead(rig);
    rig.pump();
    expect(rig.io.reap()).toHaveLength(1);
    expect(rig.raised).toEqual([]);
  });

  it("INTx: the pin stays up until ISR is read, which clears it (4.1.4.5)", () => {
    const rig = Rig.started({ msix: false });
    pushRead(rig);
    rig.pump();
    expect(rig.pinChanges).toEqual([true]);
    pushRead(rig);
    rig.io.reap();
    rig.pump();
    expect(rig.pinChanges).toEqual([true]);
    expect(rig.read8(rig.isr)).toBe(1);
    expect(rig.pinChanges).toEqual([true, false]);
    expect(rig.read8(rig.isr)).toBe(0);
    expect([rig.raised, count(rig, "interrupts")]).toEqual([[], 1]);
  });

  it("used_event: no interrupt until the index that the driver named is passed", () => {
    const rig = Rig.started();
    rig.io.usedEvent = 2;
    for (let i = 0; i < 4; i++) {
      pushRead(rig);
      rig.pump();
      rig.pump();
      expect(rig.raised).toHaveLength(i < 2 ? 0 : 1);
    }
  });

  it("without event indices the flag decides", () => {
    const rig = Rig.started({ eventIdx: false });
    rig.io.noInterrupt = true;
    pushRead(rig);
    rig.io.kick();
    rig.pump();
    expect(rig.raised).toEqual([]);
    rig.io.noInterrupt = false;
    pushRead(rig);
    rig.io.kick();
    rig.pump();
    expect(rig.raised).toEqual([1]);
    expect(rig.io.reap()).toHaveLength(2);
  });

  it.each([true, false])("a broken queue is a configuration change (MSI-X %s)", msix => {
    const rig = Rig.started({ msix });
    rig.io.publish(99);
    rig.io.kick();
    rig.pump();
    expect(rig.status & NEEDS_RESET).toBe(NEEDS_RESET);
    if (msix) expect(rig.raised).toEqual([0]);
    else expect([rig.pin, rig.read8(rig.isr)]).toEqual([true, 2]);
    pushRead(rig);
    rig.io.kick();
    rig.pump();
    expect(rig.io.reap()).toEqual([]);
    rig.status = 0;
    rig.pump();
    expect(rig.status).toBe(0);
    rig.start();
    pushRead(rig);
    rig.pump();
    expect(rig.io.reap()).toHaveLength(1);
  });
});

describe("rings", () => {
  it("a full ring, over and over, past the wrap of the 16-bit indices", () => {
    const rig = Rig.started({ ramBytes: 4 << 20 });
    const header = rig.segments(blockHeader(0, 3));
    const data = rig.segments(512);
    const status = rig.segments(1);
    const { io } = rig;
    rig.disk.bytes.set(pattern(512, 1), 3 * 512);
    for (let total = 0; total < 70_000; total += 5) {
      while (io.freeDescriptors >= 3) io.push(header, [...data, ...status]);
      expect(io.freeDescriptors).toBe(1);
      if (total % 2 === 0) io.kick();
      rig.pump();
      rig.pump();
      const used = io.reap();
      if (used.length !== 5 || used.some(({ written }) => written !== 513)) expect(used).toHaveLength(5);
    }
    expect(io.usedIdx).toBe(70_000 & 0xffff);
    expect(rig.gather(data)).toEqual(pattern(512, 1));
    expect(rig.status & NEEDS_RESET).toBe(0);
  });

  it("two queues have their own rings", () => {
    const rig = Rig.started({ requestQueues: 2 });
    const [first, second] = rig.queues;
    const status = rig.segments(1);
    second.push(rig.segments(blockHeader(0, 0)), [...rig.segments(512), ...status]);
    second.kick();
    rig.pump();
    expect([first.reap(), second.reap()]).toEqual([[], [{ head: 0, written: 513 }]]);
    expect(rig.raised).toEqual([2]);
  });
});

describe("reset (sections 2.4, 4.1.4.3.1)", () => {
  it("the status reads as 0 only when the serving side has stopped", () => {
    const rig = Rig.started();
    rig.status = 0;
    expect(rig.status).not.toBe(0);
    expect(rig.device.ioInFlight).toBe(true);
    rig.pump();
    expect(rig.status).toBe(0);
    expect(rig.read16(rig.common + 28)).toBe(0);
    expect(rig.read16(rig.common + 26)).toBe(0xffff);
  });

  it("of a device that was not used is over at once", () => {
    const rig = new Rig();
    rig.status = 0;
    expect(rig.status).toBe(0);
  });

  it("what is written to the status meanwhile counts when it is over", () => {
    const rig = Rig.started();
    rig.status = 0;
    rig.status = ACKNOWLEDGE | DRIVER;
    rig.pump();
    expect(rig.status).toBe(ACKNOWLEDGE | DRIVER);
  });

  it("no late DMA and no late completion", async () => {
    const rig = Rig.started();
    rig.disk.cold = true;
    rig.disk.bytes.fill(7);
    const release = rig.disk.hold();
    const { data, statusAt } = pushRead(rig);
    rig.io.kick();
    rig.pump();
    expect(rig.server.pending).toBe(true);
    rig.status = 0;
    rig.pump();
    expect(rig.status).toBe(0);
    const before = rig.memory.bytes.slice();
    release();
    await rig.settle();
    expect(Buffer.compare(rig.memory.bytes, before)).toBe(0);
    expect([rig.slice(data[0].at, 1)[0], rig.slice(statusAt, 1)[0]]).toEqual([0, 0xff]);
    // The next life starts from nothing.
    rig.disk.cold = false;
    rig.start();
    expect(rig.device.ioInFlight).toBe(false);
    pushRead(rig);
    rig.pump();
    expect(rig.io.reap()).toHaveLength(1);
    expect(rig.bugs).toEqual([]);
  });

  it("completions that lie on the ring are dropped, and their DMA is still told of", () => {
    const rig = Rig.started();
    const { data } = pushRead(rig);
    rig.io.kick();
    rig.serve();
    rig.status = 0;
    rig.pump();
    expect(rig.io.reap()).toEqual([]);
    expect(rig.dirtied).toContainEqual([data[0].at, data[0].at + 512]);
    expect(rig.raised).toEqual([]);
  });

  it("… also when the acknowledgement is seen before they are", () => {
    const rig = Rig.started();
    pushRead(rig);
    rig.io.kick();
    rig.serve();
    rig.status = 0;
    rig.serve();
    const before = rig.memory.bytes.slice();
    expect(rig.status).toBe(0);
    expect(rig.shared.completions.length).toBe(0);
    expect(Buffer.compare(rig.memory.bytes, before)).toBe(0);
  });

  it("lowers the pin", () => {
    const rig = Rig.started({ msix: false });
    pushRead(rig);
    rig.pump();
    rig.status = 0;
    expect(rig.pin).toBe(false);
  });
});

describe("under the event loop", () => {
  it.each([
    [true, 0],
    [true, 200],
    [false, 0],
  ])("every buffer is served (event indices %s, busy waiting %i µs)", async (eventIdx, pollMaxUs) => {
    const rig = Rig.started({ eventIdx });
    const { serverNotifier: notifier, counters } = rig.shared;
    const turn = () => new Promise<void>(resolve => setImmediate(resolve));
    const context = new AioContext({ notifier, turn, now: () => performance.now(), counters, pollMaxUs });
    context.addHandler(rig.server);
    const running = context.run();
    let served = 0;
    for (let i = 0; i < 100; i++) {
      rig.disk.cold = i % 3 === 0;
      for (let n = 0; n < 1 + (i % 4); n++) pushRead(rig);
      rig.io.kick();
      const wanted = served + 1 + (i % 4);
      while (served < wanted) {
        rig.device.safePoint(true);
        served += rig.io.reap().length;
        await turn();
      }
    }
    context.stop();
    await running;
    expect(served).toBe(250);
    expect(count(rig, "commands")).toBe(250);
    expect([rig.device.ioInFlight, rig.bugs.length]).toEqual([false, 0]);
  });
});
