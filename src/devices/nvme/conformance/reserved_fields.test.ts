import { describe, expect, it } from "vitest";
import { type Command, PAGE, Rig } from "../testing/driver.ts";
import { code, Nvm, Opcode, Sc, withReservedSet } from "../testing/host.ts";

/** Section 1.6: a reserved field that is not zero may be ignored, and must not change what a command does (tnvme: unsupportRsvdFields). */

interface Case {
  readonly name: string;
  readonly command: Omit<Command, "prp1">;
  /** Dwords of the entry that the command does not use. Dwords 2 to 5 never are: there is no metadata. */
  readonly unused: readonly number[];
  readonly section: string;
}

const admin: readonly Case[] = [
  {
    name: "Identify",
    section: "5.15",
    command: { opcode: Opcode.identify, cdw: [1] },
    unused: [12, 13, 14, 15],
  },
  {
    name: "Get Log Page",
    section: "5.14",
    command: { opcode: Opcode.getLogPage, nsid: 0xffffffff, cdw: [2 | (127 << 16)] },
    unused: [15],
  },
  {
    name: "Get Features",
    section: "5.13",
    command: { opcode: Opcode.getFeatures, cdw: [0x06] },
    unused: [12, 13, 15],
  },
  {
    name: "Set Features",
    section: "5.21",
    command: { opcode: Opcode.setFeatures, cdw: [0x06, 1] },
    unused: [13, 15],
  },
  { name: "Abort", section: "5.1", command: { opcode: Opcode.abort }, unused: [11, 12, 13, 14, 15] },
  {
    name: "Create I/O Completion Queue",
    section: "5.3",
    command: { opcode: Opcode.createCq, cdw: [2 | (3 << 16), 1] },
    unused: [8, 9, 12, 13, 14, 15],
  },
  {
    name: "Create I/O Submission Queue",
    section: "5.4",
    command: { opcode: Opcode.createSq, cdw: [3 | (3 << 16), 1 | (1 << 16)] },
    unused: [8, 9, 13, 14, 15],
  },
];

const io: readonly Case[] = [
  {
    name: "Flush",
    section: "6.8",
    command: { opcode: Nvm.flush, nsid: 1 },
    unused: [6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  },
  // Dwords 13 to 15 of what moves blocks: hints, and protection information that no namespace has.
  { name: "Read", section: "6.9", command: { opcode: Nvm.read, nsid: 1, cdw: [0] }, unused: [13, 14, 15] },
  { name: "Write", section: "6.15", command: { opcode: Nvm.write, nsid: 1, cdw: [0] }, unused: [14, 15] },
  {
    name: "Write Zeroes",
    section: "6.17",
    command: { opcode: Nvm.writeZeroes, nsid: 1, cdw: [0] },
    unused: [6, 7, 8, 9, 13, 14, 15],
  },
  {
    name: "Verify",
    section: "6.14",
    command: { opcode: Nvm.verify, nsid: 1, cdw: [0] },
    unused: [6, 7, 8, 9, 13, 14, 15],
  },
  {
    name: "Write Uncorrectable",
    section: "6.16",
    command: { opcode: Nvm.writeUncorrectable, nsid: 1, cdw: [9] },
    unused: [6, 7, 8, 9, 13, 14, 15],
  },
  {
    name: "Dataset Management",
    section: "6.7",
    command: { opcode: Nvm.datasetManagement, nsid: 1, cdw: [0, 4] },
    unused: [12, 13, 14, 15],
  },
];

describe("dwords that a command does not use are full of ones, and it succeeds", () => {
  it.each(admin)("$section: $name", async ({ command, unused }) => {
    const { rig } = await Rig.withQueue();
    const cqe = await withReservedSet(rig, rig.admin, { ...command, prp1: rig.alloc(PAGE) }, unused);
    expect(code(cqe)).toBe(Sc.success);
  });

  it.each(io)("$section: $name", async ({ command, unused }) => {
    const { rig, io: queue } = await Rig.withQueue();
    const cqe = await withReservedSet(rig, queue, { ...command, prp1: rig.alloc(PAGE) }, unused);
    expect(code(cqe)).toBe(Sc.success);
  });
});

describe("bits within dword 12 of what moves blocks", () => {
  it.each([
    { name: "Limited Retry", bits: 1 << 31, section: "6.9, 6.15" },
    { name: "Force Unit Access", bits: 1 << 30, section: "6.9, 6.15" },
    {
      name: "PRINFO, of a namespace without protection information",
      bits: 0xf << 26,
      section: "6.9, 6.15, 8.3",
    },
    { name: "reserved bits 19:16 and 25", bits: (0xf << 16) | (1 << 25), section: "6.9, 6.15" },
  ])("$section: $name is taken by Read, Write, Compare, Verify and Write Zeroes", async ({ bits }) => {
    const { rig, io: queue } = await Rig.withQueue();
    for (const opcode of [Nvm.write, Nvm.read, Nvm.compare, Nvm.verify, Nvm.writeZeroes]) {
      const command = { opcode, nsid: 1, prp1: rig.alloc(PAGE), cdw: [7, 0, bits] };
      expect(code(await rig.io(queue, command)), `opcode ${opcode}`).toBe(Sc.success);
    }
  });
});
