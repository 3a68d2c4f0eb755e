import { expect, it } from "vitest";
import { ACQ, AQA, ASQ, CC, CSTS, PAGE, RDY, Rig, transfer } from "./testing/driver.ts";

/** NVM Subsystem Reset: NVMe 1.4, sections 3.1.7 and 7.3.1. */

const NSSR = 0x20;
const MAGIC = 0x4e564d65;
const NSSRO = 1 << 4;

it("only its own value starts it, and the register reads as zero", async () => {
  const { rig } = await Rig.withQueue();
  for (const value of [0, 1, -1, MAGIC - 1, 0x654d564e]) rig.write(NSSR, value);
  rig.pump();
  expect([rig.csts, rig.read(NSSR)]).toEqual([RDY, 0]);
});

it("takes queues and all registers with it; RDY falls when DMA is over, and NSSRO tells of it", async () => {
  const { rig, io } = await Rig.withQueue();
  const page = rig.alloc(PAGE);
  io.submit(transfer(2, 0, 8, { prp1: page }));
  rig.write(NSSR, MAGIC);
  expect(rig.csts).toBe(RDY | NSSRO);
  expect([CC, AQA, ASQ, ACQ].map(register => rig.read(register))).toEqual([0, 0, 0, 0]);
  rig.pump();
  expect(rig.csts).toBe(NSSRO);
  expect(io.reap(9, true)).toEqual([]);
  rig.enable();
  expect(rig.csts & NSSRO).toBe(NSSRO);
  await rig.createQueues();
});

it("NSSRO stays over controller resets until the host writes a one to it", async () => {
  const rig = await Rig.create();
  rig.write(NSSR, MAGIC);
  rig.pump();
  rig.enable();
  rig.disable();
  expect(rig.csts).toBe(NSSRO);
  rig.write(CSTS, RDY);
  expect(rig.csts).toBe(NSSRO);
  rig.write(CSTS, NSSRO);
  expect(rig.csts).toBe(0);
});

it("an enable that comes before it is over waits for it", async () => {
  const { rig } = await Rig.withQueue();
  rig.write(NSSR, MAGIC);
  rig.startEnable();
  rig.pump();
  expect(rig.csts).toBe(RDY | NSSRO);
  await rig.createQueues();
});
