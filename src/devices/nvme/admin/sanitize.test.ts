import { describe, expect, it } from "vitest";
import { StorageError } from "../../../storage/block_backend.ts";
import { saveHealth } from "../health.ts";
import { DNR, FLUSH, PAGE, type QueuePair, Rig, transfer } from "../testing/driver.ts";

/** Sanitize: NVMe 1.4, sections 5.24, 5.14.1.16.2 and 8.15. */

const EXIT_FAILURE_MODE = 1;
const BLOCK_ERASE = 2;
const UNRESTRICTED = 1 << 3;
const NO_DEALLOCATE = 1 << 9;
const IN_PROGRESS = 0x01d;
const FAILED = 0x01c | DNR;
const sanitize = (cdw10: number) => ({ opcode: 0x84, cdw: [cdw10] });

async function log(rig: Rig) {
  const page = rig.alloc(PAGE);
  expect((await rig.command({ opcode: 0x02, prp1: page, cdw: [0x81 | (127 << 16)] })).status).toBe(0);
  const view = rig.view(page, 512);
  return {
    progress: view.getUint16(0, true),
    status: view.getUint16(2, true) & 7,
    globalDataErased: (view.getUint16(2, true) & 0x100) !== 0,
    cdw10: view.getUint32(4, true),
    estimates: [8, 12, 16, 20, 24, 28].map(at => view.getUint32(at, true)),
  };
}

async function write(rig: Rig, io: QueuePair, nsid: number, lba = 64) {
  const page = rig.alloc(PAGE);
  rig.memory.bytes.fill(0x5a, page, page + PAGE);
  return (await rig.io(io, transfer(1, lba, 8, { prp1: page }, { nsid }))).status;
}

async function firstByte(rig: Rig, io: QueuePair, nsid: number): Promise<number> {
  const page = rig.alloc(PAGE);
  rig.memory.bytes.fill(0xcc, page, page + PAGE);
  expect((await rig.io(io, transfer(2, 64, 8, { prp1: page }, { nsid }))).status).toBe(0);
  return rig.memory.bytes[page];
}

/** Two disks with data on each, flushed. */
async function filled() {
  const { rig, io } = await Rig.withQueue({ disks: [{}, {}] });
  for (const nsid of [1, 2]) {
    expect(await write(rig, io, nsid)).toBe(0);
    await rig.io(io, { ...FLUSH, nsid });
  }
  return { rig, io };
}

/** The same, and a Sanitize operation that storage does not finish until it is released. */
async function running(cdw10 = BLOCK_ERASE) {
  const { rig, io } = await filled();
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  rig.disks[1].faults.commit = () => held;
  expect((await rig.command(sanitize(cdw10))).status).toBe(0);
  await rig.settle();
  expect((await log(rig)).status).toBe(2);
  return {
    rig,
    io,
    release: async () => {
      release();
      await rig.settle();
    },
  };
}

async function failed(cdw10 = BLOCK_ERASE) {
  const { rig, io } = await filled();
  rig.disks[1].faults.commit = () => Promise.reject(new StorageError("io", "injected"));
  expect((await rig.command(sanitize(cdw10))).status).toBe(0);
  await rig.settle();
  expect((await log(rig)).status).toBe(3);
  rig.disks[1].faults.commit = undefined;
  return { rig, io };
}

describe("block erase", () => {
  it("before the first one the log says never, with no estimates", async () => {
    const { rig } = await Rig.withQueue();
    const nothing = { progress: 0xffff, status: 0, globalDataErased: false, cdw10: 0 };
    expect(await log(rig)).toEqual({ ...nothing, estimates: Array(6).fill(0xffffffff) });
  });

  it("deletes all namespaces in storage, with what was never flushed", async () => {
    const { rig, io } = await filled();
    await write(rig, io, 2, 0);
    expect((await rig.command(sanitize(BLOCK_ERASE))).status).toBe(0);
    await rig.settle();
    expect(await log(rig)).toMatchObject({ progress: 0xffff, status: 1, globalDataErased: true, cdw10: 2 });
    expect(rig.disks.map(({ store }) => store.size)).toEqual([0, 0]);
    expect([await firstByte(rig, io, 1), await firstByte(rig, io, 2)]).toEqual([0, 0]);
    expect(rig.bugs).toEqual([]);
  });

  it("Global Data Erased says so until something is written", async () => {
    const { rig, io } = await filled();
    await rig.command(sanitize(BLOCK_ERASE));
    await rig.settle();
    await firstByte(rig, io, 1);
    expect((await log(rig)).globalDataErased).toBe(true);
    await write(rig, io, 1);
    expect(await log(rig)).toMatchObject({ status: 1, globalDataErased: false });
  });

  it("is under way until it is durable; I/O commands and those that change media are refused meanwhile", async () => {
    const { rig, io, release } = await running();
    expect((await log(rig)).progress).toBe(0x8000); // the first of two namespaces
    expect(await write(rig, io, 1)).toBe(IN_PROGRESS);
    expect((await rig.io(io, transfer(2, 0, 8, { prp1: rig.alloc(PAGE) }))).status).toBe(IN_PROGRESS);
    expect((await rig.io(io, FLUSH)).status).toBe(IN_PROGRESS);
    for (const command of [
      sanitize(BLOCK_ERASE),
      sanitize(EXIT_FAILURE_MODE),
      { opcode: 0x80, nsid: 1, cdw: [0] },
      { opcode: 0x14, nsid: 1, cdw: [1] },
    ]) {
      expect((await rig.command(command)).status).toBe(IN_PROGRESS);
    }
    // Identify, logs and features go on.
    expect((await rig.command({ opcode: 0x06, prp1: rig.alloc(PAGE), cdw: [1] })).status).toBe(0);
    expect((await rig.command({ opcode: 0x0a, cdw: [6] })).status).toBe(0);
    await release();
    expect(await log(rig)).toMatchObject({ status: 1, globalDataErased: true });
    expect(await write(rig, io, 1)).toBe(0);
  });

  it("tells when it is over, by an event of the I/O command set (5.2)", async () => {
    const { rig, release } = await running();
    const aer = rig.admin.submit({ opcode: 0x0c });
    await rig.settle();
    expect(rig.admin.reap()).toEqual([]);
    await release();
    expect(rig.admin.reap()).toMatchObject([{ cid: aer, status: 0, result: 6 | (1 << 8) | (0x81 << 16) }]);
  });

  it("an event that nobody has heard is withdrawn when the next operation begins", async () => {
    const { rig, io } = await filled();
    await rig.command(sanitize(BLOCK_ERASE));
    await rig.settle();
    await write(rig, io, 1);
    await rig.io(io, FLUSH);
    let release = () => {};
    rig.disks[0].faults.commit = () =>
      new Promise<void>(resolve => {
        release = resolve;
      });
    await rig.command(sanitize(BLOCK_ERASE));
    rig.admin.submit({ opcode: 0x0c });
    await rig.settle();
    expect(rig.admin.reap()).toEqual([]);
    release();
    await rig.settle();
    expect(rig.admin.reap()).toHaveLength(1);
  });

  it("waits for writes that are under way, and leaves nothing of them", async () => {
    const { rig, io } = await Rig.withQueue({
      disks: [{ cache: { cacheBytes: 4 * 16384, dirtyBytes: 2 * 16384 } }],
    });
    for (let lba = 0; lba < 6 * 32; lba += 32) {
      const page = rig.alloc(PAGE);
      rig.memory.bytes.fill(0x5a, page, page + PAGE);
      await rig.io(io, transfer(1, lba, 8, { prp1: page }, { fua: true }));
    }
    const held: (() => void)[] = [];
    rig.disks[0].faults.read = () => new Promise<void>(resolve => void held.push(resolve));
    const page = rig.alloc(PAGE);
    rig.memory.bytes.fill(0x77, page, page + PAGE);
    io.submit(transfer(1, 1, 1, { prp1: page })); // part of a chunk that is not in memory
    await rig.settle();
    expect((await rig.command(sanitize(BLOCK_ERASE))).status).toBe(0);
    await rig.settle();
    expect((await log(rig)).status).toBe(2);
    rig.disks[0].faults.read = undefined;
    // The serving side sleeps: the end of the command must wake it.
    expect(rig.shared.serverNotifier.isSet).toBe(false);
    for (const resolve of held) resolve();
    await rig.scheduler.advance(0);
    expect(rig.shared.serverNotifier.isSet).toBe(true);
    for (let i = 0; i < 4; i++) await rig.settle();
    expect(io.reap()).toMatchObject([{ status: 0 }]);
    expect((await log(rig)).status).toBe(1);
    expect(rig.disks[0].store.size).toBe(0);
  });
});

describe("log pages while an operation goes on, or after one that has failed (8.15)", () => {
  const logStatus = async (rig: Rig, id: number) =>
    (await rig.command({ opcode: 0x02, prp1: rig.alloc(PAGE), cdw: [id | (15 << 16)] })).status;
  const ALLOWED = [0x01, 0x02, 0x04, 0x81];
  const OTHERS = [0x03, 0x05, 0x06];

  it("those that tell of the operation and the drive's health can be read, others not", async () => {
    const { rig, release } = await running();
    for (const id of ALLOWED) expect(await logStatus(rig, id)).toBe(0);
    for (const id of OTHERS) expect(await logStatus(rig, id)).toBe(IN_PROGRESS);
    // A page that there is not is that, whatever goes on.
    expect(await logStatus(rig, 0x0e)).toBe(0x109 | DNR);
    await release();
    for (const id of [...ALLOWED, ...OTHERS]) expect(await logStatus(rig, id)).toBe(0);
    const { rig: broken } = await failed();
    for (const id of ALLOWED) expect(await logStatus(broken, id)).toBe(0);
    for (const id of OTHERS) expect(await logStatus(broken, id)).toBe(FAILED);
  });

  it("the error log does not tell where data was", async () => {
    const lbaOf = async (rig: Rig) => {
      const page = rig.alloc(PAGE);
      // The oldest of the errors: refused commands come in front of it.
      expect((await rig.command({ opcode: 0x02, prp1: page, cdw: [1 | (1023 << 16)] })).status).toBe(0);
      const view = rig.view(page, PAGE);
      for (let at = 0; at < PAGE; at += 64) {
        if (view.getBigUint64(at, true) === 1n) return view.getBigUint64(at + 16, true);
      }
      throw new Error("the entry is gone");
    };
    const { rig, io, release } = await running();
    await release();
    const page = rig.alloc(PAGE);
    expect((await rig.io(io, transfer(2, 5000, 8, { prp1: page }))).status).toBe(0x080 | DNR);
    expect(await lbaOf(rig)).toBe(5000n);
    // Something to erase.
    expect(await write(rig, io, 2)).toBe(0);
    await rig.io(io, { ...FLUSH, nsid: 2 });
    let letGo = () => {};
    const held = new Promise<void>(resolve => {
      letGo = resolve;
    });
    rig.disks[1].faults.commit = () => held;
    await rig.command(sanitize(BLOCK_ERASE));
    await rig.settle();
    expect((await log(rig)).status).toBe(2);
    expect(await lbaOf(rig)).toBe(0n);
    letGo();
    await rig.settle();
    expect(await lbaOf(rig)).toBe(5000n);
  });
});

describe("resets and power cycles", () => {
  it("a controller reset does not stop it: I/O stays refused until it is over", async () => {
    const { rig, release } = await running();
    rig.disable();
    rig.enable();
    const io = await rig.createQueues();
    expect((await log(rig)).status).toBe(2);
    expect(await write(rig, io, 1)).toBe(IN_PROGRESS);
    await release();
    expect((await log(rig)).status).toBe(1);
    expect(rig.disks.map(({ store }) => store.size)).toEqual([0, 0]);
    expect(await write(rig, io, 1)).toBe(0);
  });

  it("the next boot goes on with one that the last did not finish", async () => {
    const { rig } = await running();
    const next = await Rig.create({ disks: [{}, {}], health: saveHealth(rig.shared) });
    next.enable();
    next.disks[0].store.set(0, new Uint8Array(16384).fill(1));
    expect((await log(next)).status).toBe(2);
    await next.settle();
    expect(await log(next)).toMatchObject({ status: 1, cdw10: 2 });
  });

  it("and remembers one that has succeeded, or failed", async () => {
    const { rig, io } = await filled();
    await rig.command(sanitize(BLOCK_ERASE));
    await rig.settle();
    await write(rig, io, 1);
    const after = await Rig.create({ health: saveHealth(rig.shared) });
    after.enable();
    expect(await log(after)).toMatchObject({ status: 1, globalDataErased: false, cdw10: 2 });
    const { rig: broken } = await failed();
    const again = await Rig.create({ disks: [{}, {}], health: saveHealth(broken.shared) });
    again.enable();
    expect(await write(again, await again.createQueues(), 1)).toBe(FAILED);
  });
});

describe("failure (8.15)", () => {
  it("restricted: only another Sanitize in that mode leads out of it", async () => {
    const { rig, io } = await failed();
    expect(await write(rig, io, 1)).toBe(FAILED);
    expect((await rig.command({ opcode: 0x80, nsid: 1, cdw: [0] })).status).toBe(FAILED);
    expect((await rig.command(sanitize(EXIT_FAILURE_MODE))).status).toBe(FAILED);
    expect((await rig.command(sanitize(BLOCK_ERASE | UNRESTRICTED))).status).toBe(FAILED);
    expect((await rig.command(sanitize(BLOCK_ERASE))).status).toBe(0);
    await rig.settle();
    expect((await log(rig)).status).toBe(1);
    expect(await write(rig, io, 1)).toBe(0);
  });

  it("unrestricted: Exit Failure Mode gives the namespaces back as they are", async () => {
    const { rig, io } = await failed(BLOCK_ERASE | UNRESTRICTED);
    expect(await write(rig, io, 1)).toBe(FAILED);
    expect((await rig.command(sanitize(EXIT_FAILURE_MODE))).status).toBe(0);
    expect(await write(rig, io, 1)).toBe(0);
    expect((await log(rig)).status).toBe(3);
  });

  it("Exit Failure Mode without a failure changes nothing", async () => {
    const { rig, io } = await filled();
    expect((await rig.command(sanitize(EXIT_FAILURE_MODE))).status).toBe(0);
    expect((await log(rig)).status).toBe(0);
    expect(await firstByte(rig, io, 1)).toBe(0x5a);
  });
});

it("what is not claimed is refused: overwrite, crypto erase, reserved actions (SANICAP)", async () => {
  const { rig, io } = await filled();
  for (const action of [0, 3, 4, 5, 6, 7]) {
    expect((await rig.command(sanitize(action))).status).toBe(0x002 | DNR);
  }
  expect(await firstByte(rig, io, 1)).toBe(0x5a);
});

it("No-Deallocate After Sanitize is refused, or warned of afterwards if the host wants that (5.21.1.23)", async () => {
  const { rig, io } = await filled();
  expect((await rig.command(sanitize(BLOCK_ERASE | NO_DEALLOCATE))).status).toBe(0x002 | DNR);
  expect((await rig.command({ opcode: 0x09, cdw: [0x17, 1] })).status).toBe(0);
  expect((await rig.command(sanitize(BLOCK_ERASE | NO_DEALLOCATE))).status).toBe(0);
  await rig.settle();
  expect(await log(rig)).toMatchObject({ status: 4, globalDataErased: true });
  const aer = rig.admin.submit({ opcode: 0x0c });
  rig.pump();
  expect(rig.admin.reap()).toMatchObject([{ cid: aer, result: 6 | (2 << 8) | (0x81 << 16) }]);
  expect(await firstByte(rig, io, 1)).toBe(0);
});

it("is refused while a format goes on (8.15)", async () => {
  const { rig } = await filled();
  let release = () => {};
  rig.disks[1].faults.commit = () =>
    new Promise<void>(resolve => {
      release = resolve;
    });
  const cid = rig.admin.submit({ opcode: 0x80, nsid: 2, cdw: [0] });
  await rig.settle();
  expect((await rig.command(sanitize(BLOCK_ERASE))).status).toBe(0x084);
  release();
  await rig.settle();
  expect(rig.admin.reap()).toMatchObject([{ cid, status: 0 }]);
});
