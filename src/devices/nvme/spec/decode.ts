/** Submission and completion queue entries in words, for people to read (NVMe 1.4, sections 4.2, 4.6, 5 and 6). */
import { cidOf, fuseOf, NSID_ALL, opcodeOf, psdtOf, Sqe } from "./entries.ts";
import { AdminOpcode, NvmOpcode } from "./opcodes.ts";
import { DNR, Status, type StatusCode } from "./status.ts";

/** A field of an entry: its name as in the specification, its value, and where the specification has it. */
export interface DecodedField {
  readonly name: string;
  readonly value: string;
  readonly section: string;
}

const adminNames: Readonly<Record<number, string>> = {
  [AdminOpcode.deleteIoSq]: "Delete I/O SQ",
  [AdminOpcode.createIoSq]: "Create I/O SQ",
  [AdminOpcode.getLogPage]: "Get Log Page",
  [AdminOpcode.deleteIoCq]: "Delete I/O CQ",
  [AdminOpcode.createIoCq]: "Create I/O CQ",
  [AdminOpcode.identify]: "Identify",
  [AdminOpcode.abort]: "Abort",
  [AdminOpcode.setFeatures]: "Set Features",
  [AdminOpcode.getFeatures]: "Get Features",
  [AdminOpcode.asyncEventRequest]: "Asynchronous Event Request",
  [AdminOpcode.deviceSelfTest]: "Device Self-test",
  [AdminOpcode.keepAlive]: "Keep Alive",
  [AdminOpcode.doorbellBufferConfig]: "Doorbell Buffer Config",
  [AdminOpcode.formatNvm]: "Format NVM",
  [AdminOpcode.sanitize]: "Sanitize",
  [AdminOpcode.googleShadowDoorbells]: "Google shadow doorbells",
};

const nvmNames: Readonly<Record<number, string>> = {
  [NvmOpcode.flush]: "Flush",
  [NvmOpcode.write]: "Write",
  [NvmOpcode.read]: "Read",
  [NvmOpcode.writeUncorrectable]: "Write Uncorrectable",
  [NvmOpcode.compare]: "Compare",
  [NvmOpcode.writeZeroes]: "Write Zeroes",
  [NvmOpcode.datasetManagement]: "Dataset Management",
  [NvmOpcode.verify]: "Verify",
  [NvmOpcode.copy]: "Copy",
};

/** FUSE, figure 104. */
const fuseNames = ["none", "first command", "second command", "reserved"] as const;

/** By a descriptor's last byte, with an address as its sub type. */
const sglTypes: Readonly<Record<number, string>> = {
  0: "data block",
  16: "bit bucket",
  32: "segment",
  48: "last segment",
};

/** Where the commands are that name blocks. */
const blockSections = {
  [NvmOpcode.read]: "6.9",
  [NvmOpcode.write]: "6.15",
  [NvmOpcode.writeUncorrectable]: "6.16",
  [NvmOpcode.compare]: "6.6",
  [NvmOpcode.writeZeroes]: "6.17",
  [NvmOpcode.verify]: "6.14",
} as const;

/** "Read", "Identify", … or "opcode 99h". `qid` 0 is the admin queue. */
export function commandName(qid: number, opcode: number): string {
  return (qid === 0 ? adminNames : nvmNames)[opcode] ?? `opcode ${hex(opcode, 2)}`;
}

/** An SQE's 16 words. */
export function decodeSqe(qid: number, words: Uint32Array): DecodedField[] {
  const cdw0 = words[Sqe.CDW0];
  const opcode = opcodeOf(cdw0);
  const nsid = words[Sqe.NSID];
  return [
    {
      name: "Opcode",
      value: `${hex(opcode, 2)} ${commandName(qid, opcode)}`,
      section: qid === 0 ? "5 (figure 139)" : "6 (figure 346)",
    },
    { name: "Command identifier", value: String(cidOf(cdw0)), section: "4.2" },
    { name: "Fused operation", value: fuseNames[fuseOf(cdw0)], section: "4.2" },
    { name: "Data pointer is a", value: psdtOf(cdw0) === 0 ? "PRP" : "SGL", section: "4.2" },
    {
      name: "Namespace",
      value: nsid === NSID_ALL ? "all" : nsid === 0 ? "none" : String(nsid),
      section: "6.1",
    },
    ...(psdtOf(cdw0) === 0 ? decodePrps(words) : decodeSgl(words)),
    ...(qid === 0 ? decodeAdmin(opcode, words) : decodeNvm(opcode, words)),
  ];
}

const decodePrps = (words: Uint32Array): DecodedField[] => [
  { name: "PRP entry 1", value: address(words, Sqe.PRP1), section: "4.3" },
  { name: "PRP entry 2", value: address(words, Sqe.PRP2), section: "4.3" },
];

/** The SGL descriptor in the entry (figures 108 and 109). */
function decodeSgl(words: Uint32Array): DecodedField[] {
  const identifier = words[Sqe.PRP2 + 1] >>> 24;
  const type = sglTypes[identifier] ?? hex(identifier, 2);
  return [
    { name: "SGL descriptor", value: type, section: "4.4" },
    { name: "Address", value: address(words, Sqe.PRP1), section: "4.4" },
    { name: "Length", value: `${words[Sqe.PRP2]} bytes`, section: "4.4" },
  ];
}

function decodeAdmin(opcode: number, words: Uint32Array): DecodedField[] {
  const cdw10 = words[Sqe.CDW10];
  const cdw11 = words[Sqe.CDW11];
  switch (opcode) {
    case AdminOpcode.createIoSq:
    case AdminOpcode.createIoCq: {
      const isSq = opcode === AdminOpcode.createIoSq;
      const section = isSq ? "5.4" : "5.3";
      return [
        { name: "Queue identifier", value: String(cdw10 & 0xffff), section },
        { name: "Queue size", value: `${(cdw10 >>> 16) + 1} entries`, section },
        isSq
          ? { name: "Completion queue", value: String(cdw11 >>> 16), section }
          : { name: "Interrupt vector", value: String(cdw11 >>> 16), section },
      ];
    }
    case AdminOpcode.deleteIoSq:
    case AdminOpcode.deleteIoCq:
      return [{ name: "Queue identifier", value: String(cdw10 & 0xffff), section: "5.5, 5.6" }];
    case AdminOpcode.identify:
      return [{ name: "CNS", value: hex(cdw10 & 0xff, 2), section: "5.15" }];
    case AdminOpcode.getLogPage:
      return [
        { name: "Log page", value: hex(cdw10 & 0xff, 2), section: "5.14" },
        {
          name: "Bytes",
          value: String(((cdw10 >>> 16) + 1 + (cdw11 & 0xffff) * 0x10000) * 4),
          section: "5.14",
        },
      ];
    case AdminOpcode.setFeatures:
    case AdminOpcode.getFeatures:
      return [
        { name: "Feature", value: hex(cdw10 & 0xff, 2), section: "5.21" },
        { name: "Dword 11", value: hex(cdw11, 8), section: "5.21" },
      ];
    case AdminOpcode.abort:
      return [
        { name: "Abort queue", value: String(cdw10 & 0xffff), section: "5.1" },
        { name: "Abort command", value: String(cdw10 >>> 16), section: "5.1" },
      ];
    default:
      return [];
  }
}

function decodeNvm(opcode: number, words: Uint32Array): DecodedField[] {
  const cdw12 = words[Sqe.CDW12];
  switch (opcode) {
    case NvmOpcode.read:
    case NvmOpcode.write:
    case NvmOpcode.compare:
    case NvmOpcode.writeZeroes:
    case NvmOpcode.verify: {
      const section = blockSections[opcode];
      return [...decodeBlocks(words, section), forceUnitAccess(cdw12, section)];
    }
    case NvmOpcode.writeUncorrectable:
      return decodeBlocks(words, blockSections[opcode]);
    case NvmOpcode.copy: {
      const section = "NVM command set 1.0, 3.2.2";
      return [
        startingLba(words, section),
        { name: "Ranges", value: String((cdw12 & 0xff) + 1), section },
        { name: "Descriptor format", value: String((cdw12 >>> 8) & 0xf), section },
        forceUnitAccess(cdw12, section),
      ];
    }
    case NvmOpcode.datasetManagement:
      return [
        { name: "Ranges", value: String((words[Sqe.CDW10] & 0xff) + 1), section: "6.7" },
        { name: "Deallocate", value: (words[Sqe.CDW11] & 4) === 0 ? "no" : "yes", section: "6.7" },
      ];
    default:
      return [];
  }
}

const startingLba = (words: Uint32Array, section: string): DecodedField => ({
  name: "Starting LBA",
  value: ((BigInt(words[Sqe.CDW11]) << 32n) | BigInt(words[Sqe.CDW10])).toString(),
  section,
});

const decodeBlocks = (words: Uint32Array, section: string): DecodedField[] => [
  startingLba(words, section),
  { name: "Logical blocks", value: String((words[Sqe.CDW12] & 0xffff) + 1), section },
];

const forceUnitAccess = (cdw12: number, section: string): DecodedField => ({
  name: "Force unit access",
  value: (cdw12 & (1 << 30)) === 0 ? "no" : "yes",
  section,
});

/** A CQE's 4 words. */
export function decodeCqe(words: Uint32Array): DecodedField[] {
  return [
    { name: "Command specific", value: hex(words[0], 8), section: "4.6" },
    { name: "SQ head pointer", value: String(words[2] & 0xffff), section: "4.6" },
    { name: "SQ identifier", value: String(words[2] >>> 16), section: "4.6" },
    { name: "Command identifier", value: String(words[3] & 0xffff), section: "4.6" },
    { name: "Phase tag", value: String((words[3] >>> 16) & 1), section: "4.6" },
    { name: "Status", value: statusName(words[3] >>> 17), section: "4.6.1" },
  ];
}

const spaced = (name: string): string => name.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`);

const statusNames: ReadonlyMap<StatusCode, string> = new Map(
  Object.entries(Status).map(([name, code]) => [code & ~DNR, spaced(name)]),
);

/** "success", "lba out of range (080h, do not retry)", … */
export function statusName(status: StatusCode): string {
  const code = status & 0x7ff;
  const name = statusNames.get(code) ?? "status";
  if (code === Status.success) return name;
  return `${name} (${hex(code, 3)}${status & DNR ? ", do not retry" : ""})`;
}

/** As the specification writes it: 02h. */
export const hex = (value: number, digits: number): string =>
  `${(value >>> 0).toString(16).toUpperCase().padStart(digits, "0")}h`;

function address(words: Uint32Array, at: number): string {
  const value = words[at] + words[at + 1] * 2 ** 32;
  return value === 0 ? "0" : `${value.toString(16).toUpperCase().padStart(8, "0")}h`;
}
