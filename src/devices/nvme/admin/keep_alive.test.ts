import { expect, it } from "vitest";
import { AQA, CC, CC_ENTRY_SIZES, CFS, FLUSH, PAGE, RDY, Rig } from "../testing/driver.ts";

/** Keep Alive: NVMe 1.4, sections 5.16, 5.21.1.15 and 7.12. */

const KEEP_ALIVE = { opcode: 0x18 };
const timeout = (ms: number) => ({ opcode: 0x09, cdw: [0x0f, ms] });

it("KAS tells the granularity of the timer: a second (5.15.2.2)", async () => {
  const { rig } = await Rig.withQueue();
  const page = rig.alloc(PAGE);
  await rig.command({ opcode: 0x06, prp1: page, cdw: [1] });
  expect(rig.view(page, PAGE).getUint16(320, true)).toBe(10);
});

it("without a timeout the host may be silent for ever", async () => {
  const { rig } = await Rig.withQueue();
  expect((await rig.command(KEEP_ALIVE)).status).toBe(0);
  rig.nowMs = 1e9;
  rig.pump();
  expect(rig.csts).toBe(RDY);
});

it("a host that sends it in time keeps its controller; the timeout is rounded up", async () => {
  const { rig } = await Rig.withQueue();
  await rig.command(timeout(1500)); // 2 s
  for (let i = 0; i < 5; i++) {
    rig.nowMs += 2000;
    rig.pump();
    expect(rig.csts).toBe(RDY);
    expect((await rig.command(KEEP_ALIVE)).status).toBe(0);
  }
  // Other commands do not count: traffic based Keep Alive (CTRATT bit 6) is not claimed.
  rig.nowMs += 1900;
  await rig.command({ opcode: 0x0a, cdw: [0x0f] });
  rig.nowMs += 200;
  expect(rig.csts & CFS).toBe(CFS);
});

it("switched off again it does nothing", async () => {
  const { rig } = await Rig.withQueue();
  await rig.command(timeout(1000));
  await rig.command(timeout(0));
  rig.nowMs = 1e6;
  rig.pump();
  expect(rig.csts).toBe(RDY);
});

it("a host that is silent for too long gets a fatal status and an error log entry; a reset brings it back", async () => {
  const { rig, io } = await Rig.withQueue();
  await rig.command(timeout(1000));
  rig.nowMs = 1001;
  rig.pump();
  expect(rig.csts).toBe(RDY | CFS);
  // Commands are not processed any more.
  io.submit(FLUSH);
  rig.admin.submit({ opcode: 0x0a, cdw: [0x07] });
  await rig.settle();
  expect([io.reap(9, true), rig.admin.reap(9, true)]).toEqual([[], []]);
  rig.write(CC, CC_ENTRY_SIZES);
  rig.pump();
  expect(rig.csts).toBe(0);
  expect(rig.read(AQA)).not.toBe(0);
  rig.enable();
  const page = rig.alloc(PAGE);
  await rig.command({ opcode: 0x02, prp1: page, cdw: [0x01 | (15 << 16)] });
  expect(rig.view(page, 64).getUint16(12, true) >> 1).toBe(0x014 | 0x4000);
  rig.nowMs += 10_000;
  rig.pump();
  expect(rig.csts).toBe(RDY);
});
