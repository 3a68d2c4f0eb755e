import { MAX_SOURCE_RANGES, maxCopyBlocks } from "../io/copy.ts";
import type { NamespaceInfo } from "../namespace.ts";
import { SGL_SUPPORT } from "../sgl.ts";
import { LBA_SHIFTS, lbaFormatOf } from "../spec/lba_formats.ts";
import { MDTS, VERSION } from "../spec/registers.ts";
import { ABORT_LIMIT } from "./abort.ts";
import { AER_LIMIT } from "./async_events.ts";
import { ERROR_LOG_ENTRIES } from "./error_log.ts";
import { DEFAULT_OVER_TEMPERATURE } from "./features.ts";
import { KEEP_ALIVE_GRANULARITY } from "./keep_alive.ts";
import { SANICAP } from "./sanitize.ts";

/** Identify data structures: NVMe 1.4, section 5.15.2. All are 4096 bytes. */
export const IDENTIFY_BYTES = 4096;

/** CNS values (figure 244). */
export const Cns = {
  namespace: 0x00,
  controller: 0x01,
  activeNamespaces: 0x02,
  namespaceDescriptors: 0x03,
  commandSetNamespace: 0x05,
  commandSetController: 0x06,
  allocatedNamespaces: 0x10,
  allocatedNamespace: 0x11,
  attachedControllers: 0x12,
  controllers: 0x13,
} as const;

/** CNTLID: the id of the subsystem's only controller. */
export const CONTROLLER_ID = 0;

/** What sets one controller apart from another. */
export interface ControllerIdentity {
  /** PCI vendor and subsystem vendor id. */
  readonly vendorId: number;
  /** At most 20 ASCII characters. */
  readonly serialNumber: string;
  /** At most 40 ASCII characters. */
  readonly modelNumber: string;
  /** At most 8 ASCII characters. */
  readonly firmwareRevision: string;
  /** NVMe Qualified Name of the subsystem. */
  readonly subsystemNqn: string;
}

/** Optional Asynchronous Events Supported (OAES); the same bit of feature 0Bh switches them on. */
export const NAMESPACE_ATTRIBUTE_NOTICES = 1 << 8;
/** Optional NVM Command Support (ONCS). Copy's bit: TP 4065. */
const ONCS_COMPARE = 1 << 0;
const ONCS_WRITE_UNCORRECTABLE = 1 << 1;
const ONCS_DATASET_MANAGEMENT = 1 << 2;
const ONCS_WRITE_ZEROES = 1 << 3;
/** Save and Select fields of Set and Get Features. Select is there; no feature says that it can be saved. */
const ONCS_SAVE_AND_SELECT = 1 << 4;
const ONCS_TIMESTAMP = 1 << 6;
const ONCS_VERIFY = 1 << 7;
const ONCS_COPY = 1 << 8;
const ONCS =
  ONCS_COMPARE |
  ONCS_WRITE_UNCORRECTABLE |
  ONCS_DATASET_MANAGEMENT |
  ONCS_WRITE_ZEROES |
  ONCS_SAVE_AND_SELECT |
  ONCS_TIMESTAMP |
  ONCS_VERIFY |
  ONCS_COPY;

/** What Identify Controller says of the subsystem's namespaces. */
export interface NamespaceSummary {
  readonly allocated: readonly NamespaceInfo[];
  readonly highestNsid: number;
  readonly unallocatedBytes: number;
}

/** Identify Controller, CNS 01h (figure 247). `oacs` comes from the table of admin commands. */
export function identifyController(
  identity: ControllerIdentity,
  { allocated, highestNsid, unallocatedBytes }: NamespaceSummary,
  oacs: number,
): Uint8Array {
  const data = new Uint8Array(IDENTIFY_BYTES);
  const view = new DataView(data.buffer);
  view.setUint16(0, identity.vendorId, true); // VID
  view.setUint16(2, identity.vendorId, true); // SSVID
  putAscii(data, 4, 20, identity.serialNumber); // SN
  putAscii(data, 24, 40, identity.modelNumber); // MN
  putAscii(data, 64, 8, identity.firmwareRevision); // FR
  data[72] = 5; // RAB: the best burst is 2^5 commands, the default of feature 01h
  data[77] = MDTS;
  view.setUint32(80, VERSION, true); // VER
  view.setUint32(84, 100_000, true); // RTD3R, µs
  view.setUint32(88, 5_000_000, true); // RTD3E, µs: a shutdown flushes to the browser's storage
  view.setUint32(92, NAMESPACE_ATTRIBUTE_NOTICES, true); // OAES
  data[111] = 1; // CNTRLTYPE: I/O controller
  view.setUint16(256, oacs, true); // OACS
  data[258] = ABORT_LIMIT - 1; // ACL, 0's based
  data[259] = AER_LIMIT - 1; // AERL, 0's based
  data[260] = 0b0000_0011; // FRMW: one slot, read only
  data[261] = 0b0000_0110; // LPA: effects log, extended data (offsets)
  data[262] = ERROR_LOG_ENTRIES - 1; // ELPE, 0's based
  view.setUint16(266, DEFAULT_OVER_TEMPERATURE, true); // WCTEMP, kelvin
  view.setUint16(268, 353, true); // CCTEMP, kelvin
  putUint64(view, 280, totalBytes(allocated) + unallocatedBytes); // TNVMCAP, low half of 128 bits
  putUint64(view, 296, unallocatedBytes); // UNVMCAP
  view.setUint16(316, 1, true); // EDSTT: the extended self-test takes a minute at most
  data[318] = 1; // DSTO: one self-test at a time
  view.setUint16(320, KEEP_ALIVE_GRANULARITY, true); // KAS
  view.setUint32(328, SANICAP, true); // SANICAP
  data[512] = 0x66; // SQES: 64 bytes
  data[513] = 0x44; // CQES: 16 bytes
  view.setUint32(516, highestNsid, true); // NN
  view.setUint16(520, ONCS, true);
  view.setUint16(522, 1, true); // FUSES: Compare and Write
  // FNA (524) stays 0: a format is of one namespace unless all are named; no cryptographic erase.
  data[525] = 0b0000_0111; // VWC: present; Flush takes NSID FFFFFFFFh
  // AWUN, AWUPF, ACWU (526, 528, 532) stay 0: one logical block. The namespaces promise more (NAWUPF).
  view.setUint16(534, 1, true); // OCFS (TP 4065): Copy of format 0
  view.setUint32(536, SGL_SUPPORT, true); // SGLS
  view.setUint32(540, highestNsid, true); // MNAN: as many namespaces as there are ids
  putAscii(data, 768, 256, identity.subsystemNqn, 0); // SUBNQN, null terminated
  view.setUint16(2048, 900, true); // PSD0: MP in units of 0.01 W
  return data;
}

/** The physical block that Linux should see: 4 KiB. A write of one is old or new after a power cut, never torn. */
const PHYSICAL_BLOCK_SHIFT = 12;
/** Deallocation frees storage in units of this many bytes (one chunk of the block cache). */
const DEALLOCATE_GRANULARITY_SHIFT = 18;

/** Identify Namespace, CNS 00h and 11h (figure 245). `allocatedBytes` is what the disk takes. */
export function identifyNamespace(namespace: NamespaceInfo, allocatedBytes: number): Uint8Array {
  const data = commonNamespace();
  const view = new DataView(data.buffer);
  const { lbaShift, blocks } = namespace;
  const perPhysical = (1 << Math.max(0, PHYSICAL_BLOCK_SHIFT - lbaShift)) - 1;
  const perDeallocation = (1 << (DEALLOCATE_GRANULARITY_SHIFT - lbaShift)) - 1;
  putUint64(view, 0, blocks); // NSZE
  putUint64(view, 8, blocks); // NCAP
  putUint64(view, 16, Math.min(blocks, Math.ceil(allocatedBytes / 2 ** lbaShift))); // NUSE
  data[26] = lbaFormatOf(lbaShift); // FLBAS
  view.setUint16(34, perPhysical, true); // NAWUN
  view.setUint16(36, perPhysical, true); // NAWUPF
  view.setUint16(38, perPhysical, true); // NACWU
  view.setUint16(40, perPhysical, true); // NABSN: atomic only within a physical block
  view.setUint16(44, perPhysical, true); // NABSPF
  putUint64(view, 48, blocks * 2 ** lbaShift); // NVMCAP
  view.setUint16(64, perPhysical, true); // NPWG
  view.setUint16(66, perPhysical, true); // NPWA
  view.setUint16(68, perDeallocation, true); // NPDG
  view.setUint16(70, perDeallocation, true); // NPDA
  view.setUint16(74, maxCopyBlocks(lbaShift), true); // MSSRL (TP 4065)
  view.setUint32(76, maxCopyBlocks(lbaShift), true); // MCL
  data[80] = MAX_SOURCE_RANGES; // MSRC
  putNguid(data, 104, namespace.nguid);
  return data;
}

/** What is the same for all namespaces: the answer to CNS 00h with NSID FFFFFFFFh. */
export function commonNamespace(): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(IDENTIFY_BYTES);
  // Not THINP: the capacity is the size, also where a disk takes less (NUSE).
  data[24] = 0b0001_0010; // NSFEAT: NSABP (NAWUPF holds), OPTPERF (NPWG.. hold)
  data[25] = LBA_SHIFTS.length - 1; // NLBAF, 0's based
  data[33] = 0b0000_1001; // DLFEAT: deallocated blocks read as zeroes; Write Zeroes may deallocate
  for (const [format, lbaShift] of LBA_SHIFTS.entries()) data[128 + format * 4 + 2] = lbaShift; // LBADS
  return data;
}

/** Namespace Identification Descriptor list, CNS 03h (figure 249): the NGUID. */
export function namespaceDescriptors(namespace: NamespaceInfo): Uint8Array {
  const data = new Uint8Array(IDENTIFY_BYTES);
  data[0] = 0x02; // NIDT: NGUID
  data[1] = 16; // NIDL
  putNguid(data, 4, namespace.nguid);
  return data;
}

function totalBytes(namespaces: readonly NamespaceInfo[]): number {
  return namespaces.reduce((sum, namespace) => sum + namespace.blocks * 2 ** namespace.lbaShift, 0);
}

function putAscii(data: Uint8Array, at: number, length: number, text: string, padding = 0x20): void {
  data.fill(padding, at, at + length);
  for (let i = 0; i < Math.min(length, text.length); i++) data[at + i] = text.charCodeAt(i) & 0x7f;
}

function putUint64(view: DataView, at: number, value: number): void {
  view.setBigUint64(at, BigInt(value), true);
}

function putNguid(data: Uint8Array, at: number, hex: string): void {
  for (let i = 0; i < 16; i++) data[at + i] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16);
}
