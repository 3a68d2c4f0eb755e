import { describe, expect, it } from "vitest";
import { StorageError } from "../../storage/block_backend.ts";
import { hang } from "../../storage/fault_backend.ts";
import { restoreHealth, saveHealth } from "./health.ts";
import { CC, CC_EN, CC_ENTRY_SIZES, CC_SHN_NORMAL, FLUSH, PAGE, Rig, transfer } from "./testing/driver.ts";

/** What the SMART / Health Information log counts: NVMe 1.4, section 5.14.1.2, figure 194. */

async function smart(rig: Rig) {
  const page = rig.alloc(PAGE);
  const { status } = await rig.command({
    opcode: 0x02,
    nsid: 0xffffffff,
    prp1: page,
    cdw: [0x02 | (127 << 16)],
  });
  expect(status).toBe(0);
  const view = rig.view(page, 512);
  const at = (byte: number) => Number(view.getBigUint64(byte, true));
  return {
    criticalWarning: view.getUint8(0),
    dataUnitsRead: at(32),
    dataUnitsWritten: at(48),
    reads: at(64),
    writes: at(80),
    busyMinutes: at(96),
    powerCycles: at(112),
    powerOnHours: at(128),
    unsafeShutdowns: at(144),
    mediaErrors: at(160),
    errorLogEntries: at(176),
  };
}

/** The next machine with the same drive. */
async function nextRun(before: Rig): Promise<Rig> {
  const rig = await Rig.create({ health: saveHealth(before.shared) });
  rig.enable();
  return rig;
}

async function shutDown(rig: Rig): Promise<void> {
  rig.write(CC, CC_ENTRY_SIZES | CC_SHN_NORMAL | CC_EN);
  await rig.settle();
}

describe("power cycles and unsafe shutdowns", () => {
  it("a run that ends with a shutdown is safe, one that does not is not", async () => {
    const { rig: first } = await Rig.withQueue();
    expect(await smart(first)).toMatchObject({ powerCycles: 1, unsafeShutdowns: 0 });
    await shutDown(first);
    const second = await nextRun(first);
    expect(await smart(second)).toMatchObject({ powerCycles: 2, unsafeShutdowns: 0 });
    const third = await nextRun(second);
    expect(await smart(third)).toMatchObject({ powerCycles: 3, unsafeShutdowns: 1 });
  });

  it("a shutdown that could not save the data is no safe one, and neither is one that still goes on", async () => {
    const { rig } = await Rig.withQueue();
    const io = await rig.createQueues(2);
    await rig.io(io, transfer(1, 0, 1, { prp1: rig.alloc(PAGE) }));
    rig.disks[0].faults.commit = hang;
    await shutDown(rig);
    expect(await smart(await nextRun(rig))).toMatchObject({ powerCycles: 2, unsafeShutdowns: 1 });
  });

  it("a drive that was used again after a shutdown needs another one", async () => {
    const { rig } = await Rig.withQueue();
    await shutDown(rig);
    rig.disable();
    rig.enable();
    expect((await smart(await nextRun(rig))).unsafeShutdowns).toBe(1);
  });

  it("a controller that was never enabled loses nothing", async () => {
    expect((await smart(await nextRun(await Rig.create()))).unsafeShutdowns).toBe(0);
  });
});

it("commands and data go on counting over resets and runs", async () => {
  const { rig, io } = await Rig.withQueue();
  const page = rig.alloc(PAGE);
  await rig.io(io, transfer(1, 0, 8, { prp1: page }));
  await rig.io(io, transfer(2, 0, 8, { prp1: page }));
  rig.disable();
  rig.enable();
  const counted = { dataUnitsRead: 1, dataUnitsWritten: 1, reads: 1, writes: 1 };
  expect(await smart(rig)).toMatchObject(counted);
  const next = await nextRun(rig);
  expect(await smart(next)).toMatchObject(counted);
  const queue = await next.createQueues();
  const to = next.alloc(PAGE);
  for (let i = 0; i < 200; i++) await next.io(queue, transfer(2, 0, 8, { prp1: to }));
  expect(await smart(next)).toMatchObject({ reads: 201, dataUnitsRead: 2 });
});

it("media errors and error log entries are counted apart, and outlive the entries", async () => {
  const { rig, io } = await Rig.withQueue();
  await rig.command({ opcode: 0xff });
  await rig.io(io, transfer(1, 0, 1, { prp1: rig.alloc(PAGE) }));
  rig.disks[0].faults.commit = () => Promise.reject(new StorageError("io", "injected"));
  expect((await rig.io(io, FLUSH)).status & 0x7ff).toBe(0x280);
  expect(await smart(rig)).toMatchObject({ mediaErrors: 1, errorLogEntries: 2 });
  const next = await nextRun(rig);
  await next.command({ opcode: 0xff });
  expect(await smart(next)).toMatchObject({ mediaErrors: 1, errorLogEntries: 3 });
  // Error Count of the newest entry goes on, too (figure 192).
  const page = next.alloc(PAGE);
  await next.command({ opcode: 0x02, prp1: page, cdw: [0x01 | (15 << 16)] });
  expect(next.view(page, 64).getBigUint64(0, true)).toBe(3n);
});

it("busy time is the time with commands outstanding; powered time is all of it", async () => {
  const { rig, io } = await Rig.withQueue();
  rig.nowMs = 10 * 60_000; // idle
  rig.pump();
  expect((await smart(rig)).busyMinutes).toBe(0);
  await rig.io(io, transfer(1, 0, 1, { prp1: rig.alloc(PAGE) }));
  let release = () => {};
  rig.disks[0].faults.commit = () =>
    new Promise<void>(resolve => {
      release = resolve;
    });
  io.submit(FLUSH);
  await rig.settle();
  rig.nowMs += 90_000;
  rig.pump();
  rig.nowMs += 90_000;
  rig.pump();
  release();
  await rig.settle();
  expect(io.reap()).toHaveLength(1);
  expect((await smart(rig)).busyMinutes).toBe(3);
  rig.nowMs += 3_600_000;
  rig.pump();
  expect(await smart(rig)).toMatchObject({ busyMinutes: 3, powerOnHours: 1 });
});

it("is of the controller: a namespace's own is refused (LPA bit 0)", async () => {
  const { rig } = await Rig.withQueue();
  const read = (nsid: number) =>
    rig.command({ opcode: 0x02, nsid, prp1: rig.alloc(PAGE), cdw: [0x02 | (127 << 16)] });
  expect([(await read(0)).status, (await read(0xffffffff)).status]).toEqual([0, 0]);
  expect((await read(1)).status & 0x7ff).toBe(0x002);
});

it("a record of another layout is not taken", async () => {
  const { rig } = await Rig.withQueue();
  for (const record of [
    [],
    [1, 2, 3],
    [...saveHealth(rig.shared), 0],
    saveHealth(rig.shared).map(() => 0.5),
  ]) {
    const next = await Rig.create({ health: record });
    next.enable();
    expect(await smart(next)).toMatchObject({ powerCycles: 1, unsafeShutdowns: 0, reads: 0 });
  }
  restoreHealth(rig.shared, []);
  expect((await smart(rig)).powerCycles).toBe(1);
});

describe("temperature (5.21.1.4, 5.21.1.11)", () => {
  const UNDER = 1 << 20;
  const set = (rig: Rig, id: number, value: number) => rig.command({ opcode: 0x09, cdw: [id, value] });
  const AER = { opcode: 0x0c };
  /** Type 1 (SMART), information 01h (temperature threshold), log page 02h. */
  const EVENT = 0x020101;

  it.each([
    ["over", 300],
    ["under", 300 | UNDER],
  ])("at the %s threshold the warning is in the log", async (_name, value) => {
    const { rig } = await Rig.withQueue();
    expect((await smart(rig)).criticalWarning).toBe(0);
    await set(rig, 0x04, value);
    expect((await smart(rig)).criticalWarning).toBe(2);
    await set(rig, 0x04, value === 300 ? 301 : 299 | UNDER);
    expect((await smart(rig)).criticalWarning).toBe(0);
  });

  it("and an event is sent, if the host has asked for it; once for each time", async () => {
    const { rig } = await Rig.withQueue();
    const events = () => {
      rig.pump();
      return rig.admin.reap().filter(({ result }) => result === EVENT).length;
    };
    rig.admin.submit(AER);
    rig.admin.submit(AER);
    await set(rig, 0x04, 290);
    expect(events()).toBe(0);
    await set(rig, 0x0b, 0xff);
    rig.pump();
    // It came with the answer to Set Features, which the driver has consumed: ask again after a fall and a rise.
    await smart(rig);
    await set(rig, 0x04, 343);
    rig.admin.push({ opcode: 0x09, cdw: [0x04, 290] });
    rig.admin.push({ opcode: 0x09, cdw: [0x05, 0] });
    rig.admin.ring();
    expect(events()).toBe(1);
  });
});
