import { describe, expect, it } from "vitest";
import { commandName, decodeCqe, decodeSqe, hex, statusName } from "./decode.ts";

const fields = (list: readonly { name: string; value: string }[]) =>
  Object.fromEntries(list.map(({ name, value }) => [name, value]));

function sqe(set: Readonly<Record<number, number>>): Uint32Array {
  const words = new Uint32Array(16);
  for (const [index, value] of Object.entries(set)) words[Number(index)] = value;
  return words;
}

describe("decodeSqe", () => {
  it("says what a write is (figures 104, 414 of NVMe 1.4)", () => {
    const words = sqe({
      0: 0x01 | (77 << 16),
      1: 2,
      6: 0x1234000,
      7: 1,
      10: 0xfffffff0,
      11: 3,
      12: 7 | (1 << 30),
    });
    expect(fields(decodeSqe(1, words))).toEqual({
      Opcode: "01h Write",
      "Command identifier": "77",
      "Fused operation": "none",
      "Data pointer is a": "PRP",
      Namespace: "2",
      "PRP entry 1": "101234000h",
      "PRP entry 2": "0",
      "Starting LBA": "17179869168",
      "Logical blocks": "8",
      "Force unit access": "yes",
    });
  });

  it("knows the admin queue's opcodes from the others", () => {
    expect(commandName(0, 0x01)).toBe("Create I/O SQ");
    expect(commandName(3, 0x01)).toBe("Write");
    expect(commandName(1, 0x99)).toBe("opcode 99h");
    expect(fields(decodeSqe(0, sqe({ 0: 0x01, 10: 2 | (1023 << 16), 11: 1 | (2 << 16) })))).toMatchObject({
      "Queue identifier": "2",
      "Queue size": "1024 entries",
      "Completion queue": "2",
    });
  });

  it("knows what Copy, Compare and Write, and SGLs say", () => {
    expect(fields(decodeSqe(1, sqe({ 0: 0x19, 10: 7, 12: 3 })))).toMatchObject({
      Opcode: "19h Copy",
      "Starting LBA": "7",
      Ranges: "4",
      "Descriptor format": "0",
      "Force unit access": "no",
    });
    const compare = sqe({ 0: 0x05 | (1 << 8) | (1 << 14), 6: 0x5000, 8: 512, 9: 0x3000_0000 });
    expect(fields(decodeSqe(1, compare))).toMatchObject({
      Opcode: "05h Compare",
      "Fused operation": "first command",
      "SGL descriptor": "last segment",
      Address: "00005000h",
      Length: "512 bytes",
      "Logical blocks": "1",
    });
    expect(fields(decodeSqe(1, sqe({ 0: 0x04, 12: 1 })))).not.toHaveProperty("Force unit access");
  });

  it("takes any 64 bytes", () => {
    for (let opcode = 0; opcode < 256; opcode++) {
      for (const qid of [0, 1]) {
        const words = new Uint32Array(16).fill(0xffffffff);
        words[0] = opcode | 0xffffff00;
        for (const { name, value } of decodeSqe(qid, words)) {
          expect(name).not.toBe("");
          expect(value).not.toMatch(/NaN|undefined|-\d/);
        }
      }
    }
  });
});

describe("decodeCqe", () => {
  it("says what a completion is (figures 121 to 124)", () => {
    const words = Uint32Array.of(0xabcd, 0, 5 | (1 << 16), 77 | (1 << 16) | (0x4080 << 17));
    expect(fields(decodeCqe(words))).toEqual({
      "Command specific": "0000ABCDh",
      "SQ head pointer": "5",
      "SQ identifier": "1",
      "Command identifier": "77",
      "Phase tag": "1",
      Status: "lba out of range (080h, do not retry)",
    });
  });

  it("names a status that it does not know by its number", () => {
    expect(statusName(0)).toBe("success");
    expect(statusName(0x3ff)).toBe("status (3FFh)");
    expect(hex(-1, 8)).toBe("FFFFFFFFh");
  });
});
