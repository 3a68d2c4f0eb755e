import { expect, it } from "vitest";
import { StorageError } from "../../../storage/block_backend.ts";
import { DNR, FLUSH, PAGE, type QueuePair, Rig, transfer } from "../testing/driver.ts";

const INVALID_FIELD = 0x002 | DNR;
const INVALID_NAMESPACE = 0x00b | DNR;
const INVALID_FORMAT = 0x10a | DNR;
const FORMAT_IN_PROGRESS = 0x084;
const ALL = 0xffffffff;
const USER_DATA_ERASE = 1 << 9;

const format = (nsid: number, cdw10 = 0) => ({ opcode: 0x80, nsid, cdw: [cdw10] });

/** Two disks with a page of data on each, flushed. */
async function filled() {
  const { rig, io } = await Rig.withQueue({ disks: [{}, { nsid: 2 }] });
  for (const nsid of [1, 2]) {
    const page = rig.alloc(PAGE);
    rig.memory.bytes.fill(0x5a, page, page + PAGE);
    await rig.io(io, transfer(1, 64, 8, { prp1: page }, { nsid }));
    await rig.io(io, { ...FLUSH, nsid });
  }
  expect(rig.disks.map(({ store }) => store.size)).toEqual([1, 1]);
  return { rig, io };
}

/** Commits of the second disk wait until the returned function is called. */
function holdCommits(rig: Rig): () => void {
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  rig.disks[1].faults.commit = () => held;
  return release;
}

/** NUSE of Identify Namespace (bytes 23:16), in blocks. */
async function used(rig: Rig, nsid: number): Promise<number> {
  const page = rig.alloc(PAGE);
  expect((await rig.command({ opcode: 0x06, nsid, prp1: page, cdw: [0] })).status).toBe(0);
  return Number(rig.view(page, PAGE).getBigUint64(16, true));
}

async function firstByte(rig: Rig, io: QueuePair, nsid: number): Promise<number> {
  const page = rig.alloc(PAGE);
  rig.memory.bytes.fill(0xcc, page, page + PAGE);
  expect((await rig.io(io, transfer(2, 64, 8, { prp1: page }, { nsid }))).status).toBe(0);
  return rig.memory.bytes[page];
}

it.each([0, USER_DATA_ERASE])(
  "deletes one namespace in storage, and only that (SES bits %i)",
  async erase => {
    const { rig, io } = await filled();
    expect((await rig.command(format(2, erase))).status).toBe(0);
    expect(rig.disks.map(({ store }) => store.size)).toEqual([1, 0]);
    expect(await used(rig, 1)).toBeGreaterThan(0);
    expect(await used(rig, 2)).toBe(0);
    expect(await firstByte(rig, io, 1)).toBe(0x5a);
    expect(await firstByte(rig, io, 2)).toBe(0);
    expect(rig.bugs).toEqual([]);
  },
);

it("deletes all namespaces when NSID is FFFFFFFFh", async () => {
  const { rig } = await filled();
  expect((await rig.command(format(ALL))).status).toBe(0);
  expect(rig.disks.map(({ store }) => store.size)).toEqual([0, 0]);
});

it("deletes what was written and never flushed", async () => {
  const { rig, io } = await Rig.withQueue();
  await rig.io(io, transfer(1, 64, 8, { prp1: rig.alloc(PAGE) }));
  expect((await rig.command(format(1))).status).toBe(0);
  await rig.io(io, FLUSH);
  expect(rig.disks[0].store.size).toBe(0);
});

it("refuses other formats, protection, cryptographic erase and namespaces that there are not", async () => {
  const { rig } = await filled();
  for (const [command, status] of [
    [format(1, 2), INVALID_FORMAT],
    [format(1, 1 << 4), INVALID_FORMAT],
    [format(1, 1 << 5), INVALID_FORMAT],
    [format(1, 2 << 9), INVALID_FIELD],
    [format(1, 7 << 9), INVALID_FIELD],
    [format(0), INVALID_NAMESPACE],
    [format(3), INVALID_NAMESPACE],
  ] as const) {
    expect((await rig.command(command)).status, JSON.stringify(command)).toBe(status);
  }
  expect(rig.disks.map(({ store }) => store.size)).toEqual([1, 1]);
});

it("completes only when the deletion is durable; a second one meanwhile is refused", async () => {
  const { rig } = await filled();
  const release = holdCommits(rig);
  const cid = rig.admin.submit(format(2));
  await rig.settle();
  expect(rig.admin.reap()).toEqual([]);
  expect((await rig.command(format(1))).status).toBe(FORMAT_IN_PROGRESS);
  release();
  await rig.settle();
  expect(rig.admin.reap()).toEqual([expect.objectContaining({ cid, status: 0 })]);
  expect(rig.disks[1].store.size).toBe(0);
  expect((await rig.command(format(1))).status).toBe(0);
});

it("a write behind the command, while it is under way, is kept", async () => {
  const { rig, io } = await filled();
  const release = holdCommits(rig);
  rig.admin.submit(format(2));
  await rig.settle();
  const page = rig.alloc(PAGE);
  rig.memory.bytes.fill(0x33, page, page + PAGE);
  expect((await rig.io(io, transfer(1, 64, 8, { prp1: page }, { nsid: 2 }))).status).toBe(0);
  release();
  await rig.settle();
  expect((await rig.io(io, { ...FLUSH, nsid: 2 })).status).toBe(0);
  expect(rig.disks[1].store.size).toBe(1);
  expect(await firstByte(rig, io, 2)).toBe(0x33);
});

it("fails when storage does, and says so in the error log", async () => {
  const { rig } = await filled();
  rig.disks[1].faults.commit = () => {
    throw new StorageError("io", "injected");
  };
  expect((await rig.command(format(2))).status).toBe(0x280);
  const page = rig.alloc(PAGE);
  await rig.command({ opcode: 0x02, nsid: ALL, prp1: page, cdw: [1 | (15 << 16)] });
  expect(rig.view(page, 64).getUint16(12, true) >> 1).toBe(0x280); // status field, above the phase bit
});

it("a reset in the middle takes the answer away, not the deletion", async () => {
  const { rig } = await filled();
  const release = holdCommits(rig);
  rig.admin.submit(format(2));
  await rig.settle();
  rig.disable();
  rig.enable();
  release();
  await rig.settle();
  expect(rig.admin.reap()).toEqual([]);
  expect(rig.disks[1].store.size).toBe(0);
  expect((await rig.command(format(1))).status).toBe(0);
});
