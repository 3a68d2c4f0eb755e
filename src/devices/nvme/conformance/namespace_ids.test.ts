import { describe, expect, it } from "vitest";
import { type Command, PAGE, Rig } from "../testing/driver.ts";
import { code, identify, Nvm, Opcode, Sc } from "../testing/host.ts";

/** Namespaces 1 and 3 of 5 that there could be. */
const withGaps = () => Rig.withQueue({ disks: [{}, { nsid: 3 }], highestNsid: 5 });
const INACTIVE = [2, 4, 5];
const INVALID = [6, 0xfffffffe];

describe("inactive ids are Invalid Field in Command, invalid ones Invalid Namespace or Format (6.1)", () => {
  it.each<{ section: string; name: string; isAdmin: boolean; command: Command }>([
    { section: "6.8", name: "Flush", isAdmin: false, command: { opcode: Nvm.flush } },
    { section: "6.9", name: "Read", isAdmin: false, command: { opcode: Nvm.read } },
    { section: "6.15", name: "Write", isAdmin: false, command: { opcode: Nvm.write } },
    { section: "6.6", name: "Compare", isAdmin: false, command: { opcode: Nvm.compare } },
    { section: "6.17", name: "Write Zeroes", isAdmin: false, command: { opcode: Nvm.writeZeroes } },
    {
      section: "6.7",
      name: "Dataset Management",
      isAdmin: false,
      command: { opcode: Nvm.datasetManagement },
    },
    { section: "6.14", name: "Verify", isAdmin: false, command: { opcode: Nvm.verify } },
    {
      section: "6.16",
      name: "Write Uncorrectable",
      isAdmin: false,
      command: { opcode: Nvm.writeUncorrectable },
    },
    { section: "5.23", name: "Format NVM", isAdmin: true, command: { opcode: 0x80 } },
    { section: "5.8", name: "Device Self-test", isAdmin: true, command: { opcode: 0x14, cdw: [1] } },
    {
      section: "5.21",
      name: "Set Features",
      isAdmin: true,
      command: { opcode: Opcode.setFeatures, cdw: [6, 1] },
    },
  ])("$section: $name", async ({ isAdmin, command }) => {
    const { rig, io } = await withGaps();
    const statusOf = async (nsid: number) => {
      const prp1 = rig.alloc(PAGE);
      return code(
        await (isAdmin ? rig.command({ ...command, nsid, prp1 }) : rig.io(io, { ...command, nsid, prp1 })),
      );
    };
    for (const nsid of INACTIVE) expect(await statusOf(nsid), `namespace ${nsid}`).toBe(Sc.invalidField);
    for (const nsid of INVALID) expect(await statusOf(nsid), `namespace ${nsid}`).toBe(Sc.invalidNamespace);
  });

  it("5.15.2.2: Identify answers inactive ids with zeroes, and refuses invalid ones", async () => {
    const { rig } = await withGaps();
    expect((await identify(rig, 0x01)).getUint32(516, true)).toBe(5);
    for (const nsid of INACTIVE) {
      expect(new Uint8Array((await identify(rig, 0x00, nsid)).buffer).every(byte => byte === 0)).toBe(true);
    }
    for (const nsid of [0, ...INVALID]) {
      const answer = await rig.command({ opcode: Opcode.identify, nsid, prp1: rig.alloc(PAGE), cdw: [0] });
      expect(code(answer)).toBe(Sc.invalidNamespace);
    }
  });
});
