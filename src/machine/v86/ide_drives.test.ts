import { beforeEach, describe, expect, it } from "vitest";
import type { BlockDevice } from "../../storage/block_device.ts";
import { DiskBuffer } from "./disk_buffer.ts";
import { completeIdeDrives } from "./ide_drives.ts";
import { ImageBuffer } from "./image_buffer.ts";
import type { V86Emulator } from "./seams.ts";

const FLUSH_CACHE = 0xe7;
const FLUSH_CACHE_EXT = 0xea;

/** What v86's drive does: sealed, and done with a flush at once. */
class Drive {
  readonly buffer: unknown;
  readonly is_atapi: boolean;
  readonly channel = { dma_status: 1 };
  readonly data = new Uint8Array(512);
  current_command = -1;
  status_reg = 0x50;
  error_reg = 0;
  interrupts = 0;
  cancelled = 0;
  sense: number[] = [];

  constructor(buffer: unknown, isCd = false) {
    this.buffer = buffer;
    this.is_atapi = isCd;
    Object.seal(this);
  }
  ata_command(command: number) {
    this.current_command = command;
    this.status_reg = 0x50;
    this.push_irq();
  }
  create_identify_packet() {
    this.data.fill(0);
  }
  atapi_check_condition_response(...sense: number[]) {
    this.sense = sense;
  }
  cancel_io_operations() {
    this.cancelled++;
  }
  push_irq() {
    this.interrupts++;
  }
}

function pending() {
  let resolve = () => {};
  let reject = (_error: Error) => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe("IDE drives with kept disks", () => {
  let flushes: { readonly promise: Promise<void>; resolve(): void; reject(error: Error): void };
  let disk: DiskBuffer;
  let cd: ImageBuffer;
  let drives: { master: Drive; slave: Drive; cd: Drive };
  const settled = () => new Promise(resolve => setTimeout(resolve));

  beforeEach(() => {
    flushes = pending();
    const cache = { byteLength: 1 << 20, flush: () => flushes.promise } as unknown as BlockDevice;
    disk = new DiskBuffer(cache, 1 << 20);
    cd = new ImageBuffer({ byteLength: 2048, chunkBytes: 4096 } as unknown as ConstructorParameters<
      typeof ImageBuffer
    >[0]);
    drives = { master: new Drive(disk), slave: new Drive("v86's own"), cd: new Drive(cd, true) };
    const ide = {
      primary: { master: drives.master, slave: drives.slave },
      secondary: { master: drives.cd, slave: new Drive(null) },
    };
    const emulator = { v86: { cpu: { devices: { ide } } } } as unknown as V86Emulator;
    completeIdeDrives(emulator, { cdrom: cd, ideDisks: [disk], bootOrder: [] });
  });

  it.each([FLUSH_CACHE, FLUSH_CACHE_EXT])("end command %i when the data is durable", async command => {
    const { master } = drives;
    master.ata_command(command);
    await settled();
    expect([master.status_reg & 0x80, master.interrupts]).toEqual([0x80, 0]);
    flushes.resolve();
    await settled();
    expect([master.status_reg, master.error_reg, master.interrupts]).toEqual([0x50, 0, 1]);
  });

  it("tell of data that could not be saved", async () => {
    const { master } = drives;
    master.ata_command(FLUSH_CACHE);
    flushes.reject(new Error("full"));
    await settled();
    expect([master.status_reg & 1, master.error_reg, master.interrupts]).toEqual([1, 0x40, 1]);
  });

  it("say nothing of a flush that a reset has ended", async () => {
    const { master } = drives;
    master.ata_command(FLUSH_CACHE);
    master.status_reg = 0x51;
    flushes.resolve();
    await settled();
    expect([master.status_reg, master.interrupts]).toEqual([0x51, 0]);
  });

  it("tell of their write cache, so that Linux flushes it", () => {
    for (const drive of [drives.master, drives.slave]) drive.create_identify_packet();
    const words = (drive: Drive) => [82, 85].map(word => drive.data[word * 2] & 0x20);
    expect([words(drives.master), words(drives.slave)]).toEqual([
      [0x20, 0x20],
      [0, 0],
    ]);
  });

  it("leave all other commands and drives as they are", () => {
    drives.slave.ata_command(FLUSH_CACHE);
    drives.master.ata_command(0xec);
    expect([drives.slave.status_reg, drives.slave.interrupts, drives.master.interrupts]).toEqual([
      0x50, 1, 1,
    ]);
  });

  it("fail a read that cannot be done, the CD's with a medium error", () => {
    const { master, cd: drive } = drives;
    disk.onReadError(new Error("gone"));
    expect([master.status_reg & 0x81, master.error_reg, master.channel.dma_status, master.cancelled]).toEqual(
      [1, 0x40, 0, 1],
    );
    cd.onReadError(new Error("gone"));
    expect([drive.sense, drive.interrupts, drive.cancelled]).toEqual([[3, 0x11], 1, 1]);
  });
});
