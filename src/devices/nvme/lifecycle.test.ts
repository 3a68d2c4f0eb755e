import { describe, expect, it } from "vitest";
import {
  CC,
  CC_EN,
  CC_ENTRY_SIZES,
  CC_SHN_NORMAL,
  CFS,
  PAGE,
  pattern,
  RDY,
  Rig,
  SHST,
  SHST_COMPLETE,
  SHST_OCCURRING,
  transfer,
} from "./testing/driver.ts";

/** Shutdowns, resets and failures that meet: NVMe 1.4, sections 3.1.5, 3.1.6, 7.3 and 7.6.2. */

const CC_SHN_ABRUPT = 2 << 14;
const NSSR = 0x20;
const NSSRO = 1 << 4;

/** A page of data that is not durable, and commits that wait until `release` is called. */
async function dirty() {
  const { rig, io } = await Rig.withQueue();
  const page = rig.alloc(PAGE);
  rig.memory.bytes.set(pattern(PAGE, 3), page);
  expect((await rig.io(io, transfer(1, 0, 8, { prp1: page }))).status).toBe(0);
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  const [disk] = rig.disks;
  disk.faults.commit = () => held;
  const isDurable = () =>
    Buffer.compare(disk.store.get(0)?.subarray(0, PAGE) ?? new Uint8Array(), pattern(PAGE, 3)) === 0;
  return { rig, release, isDurable };
}

const shutDown = (rig: Rig, kind: number) => rig.write(CC, CC_ENTRY_SIZES | kind | CC_EN);

it.each([
  ["a normal", CC_SHN_NORMAL],
  ["an abrupt", CC_SHN_ABRUPT],
])("%s shutdown is complete only when the data is durable", async (_name, kind) => {
  const { rig, release, isDurable } = await dirty();
  shutDown(rig, kind);
  await rig.settle();
  expect([rig.csts & SHST, isDurable()]).toEqual([SHST_OCCURRING, false]);
  release();
  await rig.settle();
  expect([rig.csts & SHST, isDurable()]).toEqual([SHST_COMPLETE, true]);
});

describe("a shutdown that is under way", () => {
  it("goes on when the host turns it into an abrupt one", async () => {
    const { rig, release, isDurable } = await dirty();
    shutDown(rig, CC_SHN_NORMAL);
    await rig.settle();
    shutDown(rig, CC_SHN_ABRUPT);
    await rig.settle();
    expect(rig.csts & SHST).toBe(SHST_OCCURRING);
    release();
    await rig.settle();
    expect([rig.csts & SHST, isDurable()]).toEqual([SHST_COMPLETE, true]);
  });

  it.each([
    ["a controller reset", (rig: Rig) => rig.write(CC, CC_ENTRY_SIZES), 0],
    ["an NVM subsystem reset", (rig: Rig) => rig.write(NSSR, 0x4e564d65), NSSRO],
  ])("is forgotten by %s, and its end does not complete a later one", async (_name, reset, left) => {
    const { rig, release, isDurable } = await dirty();
    shutDown(rig, CC_SHN_NORMAL);
    await rig.settle();
    reset(rig);
    await rig.settle();
    expect(rig.csts).toBe(left);
    rig.enable();
    shutDown(rig, CC_SHN_NORMAL);
    await rig.settle();
    expect(rig.csts & SHST).toBe(SHST_OCCURRING);
    release();
    await rig.settle();
    expect([rig.csts & SHST, isDurable()]).toEqual([SHST_COMPLETE, true]);
  });
});

it("a controller that has failed can still be told to save its data", async () => {
  const { rig, release, isDurable } = await dirty();
  await rig.command({ opcode: 0x09, cdw: [0x0f, 1000] }); // Keep Alive Timer
  rig.nowMs += 2000;
  expect(rig.csts).toBe(RDY | CFS);
  release();
  shutDown(rig, CC_SHN_NORMAL);
  await rig.settle();
  expect([rig.csts & SHST, isDurable()]).toEqual([SHST_COMPLETE, true]);
  rig.disable();
  rig.enable();
  await rig.createQueues();
});
