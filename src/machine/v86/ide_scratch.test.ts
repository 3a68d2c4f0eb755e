import { describe, expect, it } from "vitest";
import { saveScratchSparsely } from "./ide_scratch.ts";
import type { V86Emulator, V86MemoryBuffer } from "./seams.ts";

const CHUNK = 65_536;

/** As v86's SyncBuffer. */
class Medium implements V86MemoryBuffer {
  buffer: ArrayBuffer;
  constructor(byteLength: number) {
    this.buffer = new ArrayBuffer(byteLength);
  }
  set(start: number, data: Uint8Array, done: () => void) {
    new Uint8Array(this.buffer, start, data.length).set(data);
    done();
  }
  get_state(): unknown[] {
    return [this.buffer.byteLength, new Uint8Array(this.buffer)];
  }
  set_state(state: unknown[]) {
    this.buffer = (state[1] as Uint8Array<ArrayBuffer>).slice().buffer;
  }
}

function withMedium(medium: unknown): V86Emulator {
  const ide = { primary: { master: { buffer: medium }, slave: { buffer: null } } };
  return { v86: { cpu: { devices: { ide } } } } as unknown as V86Emulator;
}

/** A disk of ten chunks and a half. */
function makeDisk(): Medium {
  const medium = new Medium(10.5 * CHUNK);
  saveScratchSparsely(withMedium(medium));
  return medium;
}

describe("v86's own IDE disk in a snapshot", () => {
  it("is what was written, and comes back over a disk that is empty", () => {
    const disk = makeDisk();
    const write = (start: number, data: Uint8Array) => disk.set(start, data, () => {});
    write(CHUNK - 512, new Uint8Array(1024).fill(1));
    write(10.5 * CHUNK - 512, new Uint8Array(512).fill(2));
    const state = disk.get_state();
    expect([state[0], state[1], (state[2] as Uint8Array).length]).toEqual([
      10.5 * CHUNK,
      Uint32Array.of(0, 1, 10),
      3 * CHUNK,
    ]);
    const again = makeDisk();
    again.set_state(state);
    expect(Buffer.compare(Buffer.from(again.buffer), Buffer.from(disk.buffer))).toBe(0);
    // The next snapshot has it too.
    expect(again.get_state()).toEqual(state);
  });

  it("takes no state that is none, and then nothing has changed", () => {
    const packed = new Uint8Array(CHUNK).fill(7);
    const bad: unknown[][] = [
      [10 * CHUNK, Uint32Array.of(0), packed],
      [10.5 * CHUNK, Uint32Array.of(11), packed],
      [10.5 * CHUNK, Uint32Array.of(0, 1), packed],
      [10.5 * CHUNK, [0], packed],
      [10.5 * CHUNK, packed],
      [],
    ];
    for (const state of bad) {
      const disk = makeDisk();
      expect(() => disk.set_state(state)).toThrow("damaged");
      expect(new Uint8Array(disk.buffer).some(byte => byte !== 0)).toBe(false);
    }
  });

  it("is not saved with more than a snapshot can hold", () => {
    const disk = new Medium(300 << 20);
    saveScratchSparsely(withMedium(disk));
    disk.set(0, new Uint8Array(257 << 20), () => {});
    expect(() => disk.get_state()).toThrow("more than 256 MiB");
  });

  it("is refused where v86 keeps it in another way", () => {
    expect(() => saveScratchSparsely(withMedium({ set() {} }))).toThrow("in another way");
  });
});
