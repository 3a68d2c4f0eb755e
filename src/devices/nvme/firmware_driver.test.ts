/** What a PC's firmware asks of the controller: the steps of SeaBIOS's driver, which polls and knows one command at a time. */
import { expect, it } from "vitest";
import {
  ACQ,
  AQA,
  ASQ,
  CC,
  CC_EN,
  CC_ENTRY_SIZES,
  type Command,
  PAGE,
  QueuePair,
  Rig,
} from "./testing/driver.ts";

const LIMITED_RETRY = 1 << 31;
const CHUNK = 65536;

/** Admin queues of a page each, then one I/O queue pair without interrupts. */
async function start(rig: Rig): Promise<QueuePair> {
  // It resets a controller that nobody has enabled, and does not look at CC before.
  rig.write(CC, 0);
  expect(rig.csts).toBe(0);
  rig.admin = new QueuePair(rig, 0, PAGE / 64, PAGE / 16);
  rig.write(AQA, ((PAGE / 16 - 1) << 16) | (PAGE / 64 - 1));
  rig.write(ASQ, rig.admin.sqBase);
  rig.write(ASQ + 4, 0);
  rig.write(ACQ, rig.admin.cqBase);
  rig.write(ACQ + 4, 0);
  rig.write(CC, CC_EN | CC_ENTRY_SIZES);
  expect(rig.csts).toBe(1);
  const io = new QueuePair(rig, 1, PAGE / 64, PAGE / 16);
  const cq = [1 | ((io.cqEntries - 1) << 16), 1];
  const sq = [1 | ((io.sqEntries - 1) << 16), 1 | (1 << 16)];
  expect((await rig.command({ opcode: 0x05, prp1: io.cqBase, cdw: cq })).status).toBe(0);
  expect((await rig.command({ opcode: 0x01, prp1: io.sqBase, cdw: sq })).status).toBe(0);
  return io;
}

async function identify(rig: Rig, cns: number, nsid: number): Promise<DataView> {
  const prp1 = rig.alloc(PAGE);
  const { status } = await rig.command({ opcode: 0x06, nsid, prp1, cdw: [cns] });
  expect(status).toBe(0);
  return rig.view(prp1, PAGE);
}

const read = (lba: number, blocks: number, prp1: number, prp2 = 0): Command => ({
  opcode: 0x02,
  nsid: 1,
  prp1,
  prp2,
  cdw: [lba, 0, LIMITED_RETRY | (blocks - 1)],
});

it("finds the namespaces by asking for each number up to NN", async () => {
  const rig = await Rig.create({ disks: [{}, { nsid: 3, lbaShift: 12 }] });
  await start(rig);
  const controller = await identify(rig, 1, 0);
  const count = controller.getUint32(516, true);
  expect(count).toBeGreaterThanOrEqual(3);
  const sizes: number[] = [];
  for (let nsid = 1; nsid <= count; nsid++) {
    const prp1 = rig.alloc(PAGE);
    expect((await rig.command({ opcode: 0x06, nsid, prp1, cdw: [0] })).status).toBe(0);
    // One that is not active is all zeroes: the firmware passes over it.
    if (rig.view(prp1, PAGE).getUint32(0, true) > 0) sizes.push(nsid);
  }
  expect(sizes).toEqual([1, 3]);
});

it("reads with completions polled for, through wraps of both queues, and no interrupt", async () => {
  const rig = await Rig.create();
  const io = await start(rig);
  const data = new Uint8Array(CHUNK).map((_, i) => (i * 7) ^ (i >> 9));
  const source = rig.alloc(CHUNK);
  const list = rig.alloc(PAGE);
  /** As the firmware makes it: the second to the sixteenth page, in its one bounce buffer. */
  const fillList = (first: number) => {
    for (let page = 1; page < 16; page++)
      rig.memory.words.set([first + page * PAGE, 0], list / 4 + (page - 1) * 2);
  };
  rig.memory.bytes.set(data, source);
  fillList(source);
  expect((await rig.io(io, { ...read(0, 128, source, list), opcode: 0x01 })).status).toBe(0);
  const target = rig.alloc(CHUNK);
  fillList(target);
  expect((await rig.io(io, read(0, 128, target, list))).status).toBe(0);
  expect(Buffer.compare(rig.slice(target, CHUNK), data)).toBe(0);

  rig.pinChanges.length = 0;
  const sector = rig.alloc(PAGE);
  for (let i = 0; i < 2 * io.cqEntries + 3; i++) {
    const lba = i % 128;
    // A buffer anywhere in a page, at a multiple of four bytes.
    const at = sector + 4 * (i % 800);
    const { status, sqHead } = await rig.io(io, read(lba, 1, at));
    expect([status, sqHead]).toEqual([0, io.tail]);
    expect(Buffer.compare(rig.slice(at, 512), data.subarray(lba * 512, lba * 512 + 512))).toBe(0);
  }
  expect(rig.pinChanges).toEqual([]);
  expect(rig.bugs).toEqual([]);
});

it("is taken over by a kernel, which resets it with the firmware's queues still there", async () => {
  const rig = await Rig.create();
  const io = await start(rig);
  await rig.io(io, read(0, 1, rig.alloc(PAGE)));
  rig.disable();
  rig.enable();
  const queue = await rig.createQueues();
  expect((await rig.io(queue, read(0, 1, rig.alloc(PAGE)))).status).toBe(0);
});
