import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MachineStateBytes } from "./machine_state.ts";
import {
  checkDisks,
  checkMachine,
  readHeader,
  readSnapshot,
  type SnapshotDisk,
  SnapshotError,
  versions,
  writeSnapshot,
} from "./snapshot_file.ts";

const disk: SnapshotDisk = {
  id: "system",
  name: "system",
  nsid: 1,
  nguid: "d00bbe11000040000000000000000001",
  lbaBytes: 512,
  capacityBytes: 1 << 30,
  generation: "c0ffee",
};
const hardware = { memory: 256, shadow: "dbbuf", interrupts: "msix", scratch: "nvme" };
const front = { takenAt: 1_700_000_000_000, hardware, disks: [disk], console: "bG9naW4=" };
// What is in it does not matter to the file.
const devices = { clockMs: 1234.5, serialInput: [[1, 2], []] } as unknown as MachineStateBytes["devices"];

function stateOf(length = 70_000): MachineStateBytes {
  return { devices, v86: Uint8Array.from({ length }, (_, i) => (i * 7) & 0xff).buffer };
}

/** The file with its header changed, and the hash left as it was. */
async function withHeader(file: Blob, change: (header: Record<string, unknown>) => void): Promise<Blob> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const length = new DataView(bytes.buffer).getUint32(8, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(12, 12 + length))) as Record<
    string,
    unknown
  >;
  change(header);
  const json = new TextEncoder().encode(JSON.stringify(header));
  const head = bytes.slice(0, 12);
  new DataView(head.buffer).setUint32(8, json.length, true);
  return new Blob([head, json, bytes.slice(12 + length)]);
}

describe("a snapshot's file", () => {
  it("gives back what was put in", async () => {
    const file = await writeSnapshot(front, stateOf());
    expect(await readHeader(file)).toMatchObject({ ...front, versions });
    const { header, state } = await readSnapshot(file);
    expect(header.disks).toEqual([disk]);
    expect(state.devices).toEqual(devices);
    expect(new Uint8Array(state.v86)).toEqual(new Uint8Array(stateOf().v86));
  });

  it.each([
    ["format", 2, "it has format version 2, and this Doorbell reads version 1"],
    ["v86", "0.6.0", "it was taken with v86 0.6.0, and this Doorbell runs v86"],
    ["devices", "9.9", "its devices have version 9.9, and those of this Doorbell version"],
  ])("of another version of its %s is refused with a sentence", async (name, value, sentence) => {
    const file = await withHeader(await writeSnapshot(front, stateOf()), header => {
      (header.versions as Record<string, unknown>)[name] = value;
    });
    await expect(readHeader(file)).rejects.toThrow(sentence);
    await expect(readSnapshot(file)).rejects.toBeInstanceOf(SnapshotError);
  });

  it("that is none is refused with a sentence", async () => {
    for (const text of ["", "DOORBELL", "a text that is longer than the header of a snapshot"]) {
      await expect(readHeader(new Blob([text]))).rejects.toBeInstanceOf(SnapshotError);
    }
  });

  it("with any byte changed is refused with a sentence, or says the same", async () => {
    const bytes = new Uint8Array(await (await writeSnapshot(front, stateOf(500))).arrayBuffer());
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const damaged = bytes.slice();
        damaged[at] ^= change;
        try {
          const { header, state } = await readSnapshot(new Blob([damaged]));
          // Of gzip's own header not all counts.
          expect(header).toMatchObject(front);
          expect(new Uint8Array(state.v86)).toEqual(new Uint8Array(stateOf(500).v86));
        } catch (error) {
          expect(error).toBeInstanceOf(SnapshotError);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("that is cut off is refused with a sentence", async () => {
    const file = await writeSnapshot(front, stateOf());
    await expect(readSnapshot(file.slice(0, file.size - 20))).rejects.toThrow("damaged");
  });
});

describe("the disks of a snapshot", () => {
  it("fit as long as nothing is written to them", () => {
    expect(() => checkDisks([disk], [{ ...disk, name: "renamed" }])).not.toThrow();
  });

  it.each([
    [[{ ...disk, generation: "beef" }], "disk “system” has been written to since it was taken"],
    [[], "disk “system” is not in the machine now"],
    [[{ ...disk, capacityBytes: 1 << 31 }], "has another size, block size or place in the machine now"],
    [[{ ...disk, nsid: 3 }], "has another size, block size or place in the machine now"],
    [[{ ...disk, nsid: undefined, on: "ide 0" }], "has another size, block size or place in the machine now"],
    [[disk, { ...disk, id: "data", name: "data" }], "disk “data” was not in the machine when it was taken"],
  ])("do not fit any more: %#", (now, sentence) => {
    expect(() => checkDisks([disk], now)).toThrow(sentence);
  });
});

it("a machine of other settings does not fit, and the sentence names them", () => {
  expect(() => checkMachine({ hardware }, { ...hardware })).not.toThrow();
  expect(() => checkMachine({ hardware }, { ...hardware, memory: 512 })).toThrow("(memory=256, not 512)");
});

describe("the snapshot of a machine of one's own", () => {
  const own = { ...hardware, machine: "a1", bus: "ide", cdrom: "2048 bytes, 01" };
  const header = { hardware: own, machineName: "old" };

  it("fits that machine alone, whatever else is the same", () => {
    expect(() => checkMachine(header, { ...own })).not.toThrow();
    expect(() => checkMachine(header, { ...own, machine: "b2" })).toThrow("is of machine “old”");
    expect(() => checkMachine(header, hardware)).toThrow("is of machine “old”");
    expect(() => checkMachine({ hardware }, own)).toThrow("is of the built-in machine");
    const { machineName: _, ...nameless } = header;
    expect(() => checkMachine(nameless, hardware)).toThrow("is of another machine");
  });

  it.each([
    [{ bus: "nvme" }, "(bus=ide, not nvme)"],
    [{ cdrom: "2048 bytes, 02" }, "(cdrom=2048 bytes, 01, not 2048 bytes, 02)"],
    [{ floppy: "1474560 bytes, 03" }, "(floppy=–, not 1474560 bytes, 03)"],
  ])("is refused when the machine was changed: %o", (change, sentence) => {
    expect(() => checkMachine(header, { ...own, ...change })).toThrow(sentence);
  });
});
