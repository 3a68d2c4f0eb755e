import { beforeEach, describe, expect, it } from "vitest";
import type { BlockDevice } from "../../storage/block_device.ts";
import { DiskBuffer } from "./disk_buffer.ts";
import { ideBusyWith, restoreSense, saveSense } from "./ide_state.ts";
import type { V86Emulator } from "./seams.ts";

describe("IDE drives in a snapshot", () => {
  let flushed = () => {};
  let written = () => {};
  let isLoaded = true;
  let disk: DiskBuffer;
  let cd: { in_progress_io_ids: Map<number, object>; atapi_sense_key: number; atapi_add_sense: number };
  let emulator: V86Emulator;
  const settled = () => new Promise(resolve => setTimeout(resolve));

  beforeEach(() => {
    isLoaded = true;
    const device = {
      byteLength: 1 << 20,
      tryWrite: () => isLoaded,
      prepare: () =>
        new Promise<void>(resolve => {
          written = () => {
            isLoaded = true;
            resolve();
          };
        }),
      flush: () =>
        new Promise<void>(resolve => {
          flushed = resolve;
        }),
    } as unknown as BlockDevice;
    disk = new DiskBuffer(device, 1 << 20);
    const drive = (buffer: unknown, is_atapi = false) => ({
      buffer,
      is_atapi,
      in_progress_io_ids: new Map<number, object>(),
      atapi_sense_key: 0,
      atapi_add_sense: 0,
    });
    cd = drive(null, true);
    const ide = {
      primary: { master: drive(disk), slave: drive(null) },
      secondary: { master: cd, slave: drive(null) },
    };
    emulator = { v86: { cpu: { devices: { ide } } } } as unknown as V86Emulator;
  });

  it("are busy with a write that waits, a flush, and a read of the CD, until that has ended", async () => {
    expect(ideBusyWith(emulator)).toBeUndefined();
    isLoaded = false;
    disk.set(0, new Uint8Array(512), () => {});
    expect(ideBusyWith(emulator)).toContain("transfer");
    await settled();
    written();
    await settled();
    expect(ideBusyWith(emulator)).toBeUndefined();

    const flushing = disk.flush();
    await settled();
    expect(ideBusyWith(emulator)).toContain("flush");
    flushed();
    await flushing;
    expect(ideBusyWith(emulator)).toBeUndefined();

    cd.in_progress_io_ids.set(1, {});
    expect(ideBusyWith(emulator)).toContain("CD");
    cd.in_progress_io_ids.clear();
    expect(ideBusyWith(emulator)).toBeUndefined();
  });

  it("keep what the CD drive has to say of its last failure", () => {
    Object.assign(cd, { atapi_sense_key: 3, atapi_add_sense: 0x11 });
    const sense = saveSense(emulator);
    expect(sense).toEqual([[3, 0x11]]);
    Object.assign(cd, { atapi_sense_key: 0, atapi_add_sense: 0 });
    restoreSense(emulator, sense);
    expect([cd.atapi_sense_key, cd.atapi_add_sense]).toEqual([3, 0x11]);
    for (const bad of [3, [3], [[256, 0]], [["3", 0]], null]) {
      expect(() => restoreSense(emulator, bad as never)).toThrow("damaged");
    }
  });
});
