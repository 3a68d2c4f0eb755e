import { MAX_TRANSFER_BYTES, type VirtioDiskInfo } from "../disk_info.ts";
import type { VirtioRequest } from "../request.ts";
import { READ_CAPACITY_16, Sense } from "../spec/scsi_commands.ts";
import { cdb8, cdb16, cdb32, type Outcome, type ScsiTarget } from "./target.ts";

/** Commands by which a driver learns what the disk is. */

/** What the block limits page says and the commands keep to. */
export const MAX_UNMAP_BLOCKS = 1 << 22;
export const MAX_UNMAP_RANGES = 256;
export const MAX_WRITE_SAME_BLOCKS = 1 << 22;

const ABSENT_UNIT = 0x7f;
const VENDOR = "DOORBELL";
const PRODUCT = "Virtual disk";
const REVISION = "1.0";

/** Left-aligned ASCII, padded with spaces (SPC-4, section 4.4.1). */
function setText(into: Uint8Array, at: number, length: number, text: string): void {
  for (let i = 0; i < length; i++) into[at + i] = i < text.length ? text.charCodeAt(i) : 0x20;
}

/** INQUIRY (SPC-4, section 6.6). */
export function inquiry(target: ScsiTarget, request: VirtioRequest): Outcome {
  const vitalProductData = (cdb8(request, 1) & 1) !== 0;
  const page = cdb8(request, 2);
  const allocationLength = cdb16(request, 3);
  if (!vitalProductData) {
    if (page !== 0) return Sense.invalidFieldInCdb;
    return target.reply(request, standardInquiry(target.unitExists), allocationLength);
  }
  const build = target.unitExists ? vpdPages.get(page) : undefined;
  if (!build) return Sense.invalidFieldInCdb;
  const content = build(target.services.info);
  const data = new Uint8Array(4 + content.length);
  data[1] = page;
  data[2] = content.length >> 8;
  data[3] = content.length;
  data.set(content, 4);
  return target.reply(request, data, allocationLength);
}

function standardInquiry(unitExists: boolean): Uint8Array {
  const data = new Uint8Array(36);
  data[0] = unitExists ? 0 : ABSENT_UNIT;
  data[2] = 0x06; // SPC-4
  data[3] = 0x12; // HiSup, response data format 2
  data[4] = data.length - 5;
  data[7] = 0x02; // CmdQue
  setText(data, 8, 8, VENDOR);
  setText(data, 16, 16, PRODUCT);
  setText(data, 32, 4, REVISION);
  return data;
}

/** Vital product data (SPC-4, section 7.8; SBC-3, section 6.6), without the four bytes in front. */
const vpdPages: ReadonlyMap<number, (info: VirtioDiskInfo) => Uint8Array> = new Map([
  [0x00, () => new Uint8Array([...vpdPages.keys()])],
  [0x80, serialNumberPage],
  [0x83, identificationPage],
  [0xb0, blockLimitsPage],
  [0xb1, characteristicsPage],
  [0xb2, provisioningPage],
]);

function serialNumberPage({ serialNumber }: VirtioDiskInfo): Uint8Array {
  const content = new Uint8Array(serialNumber.length);
  setText(content, 0, content.length, serialNumber);
  return content;
}

/** One designator: binary, of the logical unit, an NAA identifier. */
function identificationPage({ wwn }: VirtioDiskInfo): Uint8Array {
  const content = new Uint8Array(12);
  content.set([0x01, 0x03, 0x00, 8]);
  for (let i = 0; i < 8; i++) content[4 + i] = Number.parseInt(wwn.slice(2 * i, 2 * i + 2), 16);
  return content;
}

function blockLimitsPage({ lbaShift }: VirtioDiskInfo): Uint8Array {
  // Offsets as in the standard, where the four bytes in front count.
  const page = new Uint8Array(64);
  const view = new DataView(page.buffer);
  page[4] = 0x01; // WSNZ
  view.setUint16(6, 1); // OPTIMAL TRANSFER LENGTH GRANULARITY
  view.setUint32(8, MAX_TRANSFER_BYTES >> lbaShift); // MAXIMUM TRANSFER LENGTH
  view.setUint32(20, MAX_UNMAP_BLOCKS);
  view.setUint32(24, MAX_UNMAP_RANGES);
  view.setUint32(28, 1); // OPTIMAL UNMAP GRANULARITY
  view.setUint32(40, MAX_WRITE_SAME_BLOCKS); // lower half of MAXIMUM WRITE SAME LENGTH
  return page.subarray(4);
}

function characteristicsPage(): Uint8Array {
  const content = new Uint8Array(60);
  content[1] = 1; // MEDIUM ROTATION RATE: it does not rotate
  return content;
}

function provisioningPage(): Uint8Array {
  // THRESHOLD EXPONENT 0; LBPU, LBPWS, LBPRZ; thin.
  return new Uint8Array([0, 0x80 | 0x40 | 0x04, 2, 0]);
}

/** REPORT LUNS (SPC-4, section 6.33). */
export function reportLuns(target: ScsiTarget, request: VirtioRequest): Outcome {
  const select = cdb8(request, 2);
  const allocationLength = cdb32(request, 6);
  if (select > 2 || allocationLength < 16) return Sense.invalidFieldInCdb;
  // 1: well known logical units only, of which there is none to be listed.
  const data = new Uint8Array(select === 1 ? 8 : 16);
  data[3] = data.length - 8;
  return target.reply(request, data, allocationLength);
}

/** READ CAPACITY (10) (SBC-3, section 5.15). */
export function readCapacity10(target: ScsiTarget, request: VirtioRequest): Outcome {
  const { blocks, lbaShift } = target.services.info;
  const data = new Uint8Array(8);
  const view = new DataView(data.buffer);
  view.setUint32(0, Math.min(blocks - 1, 0xffffffff));
  view.setUint32(4, 2 ** lbaShift);
  return target.reply(request, data, data.length);
}

/** READ CAPACITY (16) (SBC-3, section 5.16) is the only service action. */
export function serviceActionIn16(target: ScsiTarget, request: VirtioRequest): Outcome {
  if ((cdb8(request, 1) & 0x1f) !== READ_CAPACITY_16) return Sense.invalidFieldInCdb;
  const { blocks, lbaShift } = target.services.info;
  const data = new Uint8Array(32);
  const view = new DataView(data.buffer);
  view.setUint32(0, Math.floor((blocks - 1) / 2 ** 32));
  view.setUint32(4, (blocks - 1) % 2 ** 32);
  view.setUint32(8, 2 ** lbaShift);
  data[14] = 0x80 | 0x40; // LBPME, LBPRZ
  return target.reply(request, data, cdb32(request, 10));
}

// --- MODE SENSE (SPC-4, sections 6.13 and 6.14)

const PAGE_CONTROL = { CHANGEABLE: 1, SAVED: 3 } as const;
const ALL_PAGES = 0x3f;
/** DEVICE-SPECIFIC PARAMETER: DPO and FUA are supported (SBC-3, section 6.5.1). */
const DPOFUA = 0x10;

/** Caching (SBC-3, section 6.5.5): WCE, the write cache is on. */
const cachingPage = Uint8Array.from({ length: 20 }, (_, i) => [0x08, 18, 0x04][i] ?? 0);
/** Control (SPC-4, section 7.5.8): commands may be reordered. */
const controlPage = Uint8Array.from({ length: 12 }, (_, i) => [0x0a, 10, 0, 0x10][i] ?? 0);
const modePages = [cachingPage, controlPage];

export const modeSense6 = (target: ScsiTarget, request: VirtioRequest): Outcome =>
  modeSense(target, request, 4, cdb8(request, 4));
export const modeSense10 = (target: ScsiTarget, request: VirtioRequest): Outcome =>
  modeSense(target, request, 8, cdb16(request, 7));

function modeSense(
  target: ScsiTarget,
  request: VirtioRequest,
  headerBytes: 4 | 8,
  allocationLength: number,
): Outcome {
  const pageControl = cdb8(request, 2) >> 6;
  const pageCode = cdb8(request, 2) & 0x3f;
  const subpage = cdb8(request, 3);
  const pages = modePages.filter(page => pageCode === ALL_PAGES || page[0] === pageCode);
  if (pages.length === 0 || (subpage !== 0 && subpage !== 0xff)) return Sense.invalidFieldInCdb;
  if (pageControl === PAGE_CONTROL.SAVED) return Sense.savingParametersNotSupported;
  const descriptor = (cdb8(request, 1) & 0x08) === 0 ? blockDescriptor(target.services.info) : [];
  const body = pages.flatMap(page => [
    ...page.subarray(0, 2),
    // Nothing can be changed.
    ...page.subarray(2).map(byte => (pageControl === PAGE_CONTROL.CHANGEABLE ? 0 : byte)),
  ]);
  const data = new Uint8Array(headerBytes + descriptor.length + body.length);
  if (headerBytes === 4) {
    data.set([data.length - 1, 0, DPOFUA, descriptor.length]);
  } else {
    data.set([(data.length - 2) >> 8, data.length - 2, 0, DPOFUA, 0, 0, 0, descriptor.length]);
  }
  data.set(descriptor, headerBytes);
  data.set(body, headerBytes + descriptor.length);
  return target.reply(request, data, allocationLength);
}

/** Short LBA mode parameter block descriptor (SBC-3, section 6.5.2). */
function blockDescriptor({ blocks, lbaShift }: VirtioDiskInfo): number[] {
  const data = new Uint8Array(8);
  const view = new DataView(data.buffer);
  view.setUint32(0, Math.min(blocks, 0xffffffff));
  view.setUint32(4, 2 ** lbaShift);
  return [...data];
}
