import { type Command, type Cqe, DNR, PAGE, type QueuePair, Rig, type RigOptions } from "./driver.ts";

/**
 * What the conformance suite asks of a controller, as a checker does that knows the specification and not the device:
 * numbers are written as the specification has them, and what a controller offers is taken from what it says.
 */

/** Statuses (figures 125 to 131), without Do Not Retry. */
export const Sc = {
  success: 0x000,
  invalidOpcode: 0x001,
  invalidField: 0x002,
  dataTransferError: 0x004,
  abortedByRequest: 0x007,
  abortedSqDeletion: 0x008,
  failedFused: 0x009,
  missingFused: 0x00a,
  invalidNamespace: 0x00b,
  commandSequence: 0x00c,
  invalidSglSegment: 0x00d,
  dataSglLength: 0x00f,
  sglType: 0x011,
  invalidPrpOffset: 0x013,
  lbaOutOfRange: 0x080,
  cqInvalid: 0x100,
  queueId: 0x101,
  queueSize: 0x102,
  aerLimit: 0x105,
  interruptVector: 0x108,
  logPage: 0x109,
  queueDeletion: 0x10c,
  notSaveable: 0x10d,
  compareFailure: 0x285,
} as const;

/** Status code and type of a completion. */
export const code = ({ status }: Pick<Cqe, "status">): number => status & ~DNR & 0x7ff;

export const Opcode = {
  deleteSq: 0x00,
  createSq: 0x01,
  getLogPage: 0x02,
  deleteCq: 0x04,
  createCq: 0x05,
  identify: 0x06,
  abort: 0x08,
  setFeatures: 0x09,
  getFeatures: 0x0a,
  asyncEvent: 0x0c,
} as const;

export const Nvm = {
  flush: 0x00,
  write: 0x01,
  read: 0x02,
  writeUncorrectable: 0x04,
  compare: 0x05,
  writeZeroes: 0x08,
  datasetManagement: 0x09,
  verify: 0x0c,
} as const;

/** An enabled controller without I/O queues. */
export async function enabled(options: RigOptions = {}): Promise<Rig> {
  const rig = await Rig.create(options);
  rig.enable();
  return rig;
}

/** Identify's 4096 bytes; throws unless it succeeds. */
export async function identify(rig: Rig, cns: number, nsid = 0): Promise<DataView> {
  const page = rig.alloc(PAGE);
  const cqe = await rig.command({ opcode: Opcode.identify, nsid, prp1: page, cdw: [cns] });
  if (cqe.status !== 0) throw new Error(`Identify ${cns}: ${cqe.status.toString(16)}h`);
  return rig.view(page, PAGE);
}

export interface LogRequest {
  readonly bytes?: number;
  readonly offset?: number;
  readonly nsid?: number;
  /** Retain Asynchronous Event. */
  readonly retain?: boolean;
}

/** CDW10 to CDW13 of Get Log Page (figures 187 to 190). */
export function logCommand(id: number, prp1: number, request: LogRequest = {}): Command {
  const { bytes = 512, offset = 0, nsid = 0xffffffff, retain = false } = request;
  const dwords = bytes / 4 - 1;
  const cdw10 = id | (retain ? 1 << 15 : 0) | ((dwords & 0xffff) << 16);
  return { opcode: Opcode.getLogPage, nsid, prp1, cdw: [cdw10, dwords >>> 16, offset, 0] };
}

/** A log page's bytes; throws unless Get Log Page succeeds. Not more than a page. */
export async function logPage(rig: Rig, id: number, request: LogRequest = {}): Promise<DataView> {
  const page = rig.alloc(PAGE);
  const cqe = await rig.command(logCommand(id, page, request));
  if (cqe.status !== 0) throw new Error(`log page ${id}: ${cqe.status.toString(16)}h`);
  return rig.view(page, request.bytes ?? 512);
}

/** SEL of Get Features (figure 186). */
export const Select = { current: 0, default: 1, saved: 2, supported: 3 } as const;

export const getFeature = (rig: Rig, id: number, select: number = Select.current, cdw11 = 0): Promise<Cqe> =>
  rig.command({ opcode: Opcode.getFeatures, cdw: [id | (select << 8), cdw11] });

export const setFeature = (rig: Rig, id: number, cdw11: number, save = false): Promise<Cqe> =>
  rig.command({ opcode: Opcode.setFeatures, cdw: [(id | (save ? 1 << 31 : 0)) >>> 0, cdw11] });

/** An entry of the Error Information log (figure 193). */
export interface ErrorEntry {
  readonly count: number;
  readonly sqid: number;
  readonly cid: number;
  /** Status Field, without the phase bit. */
  readonly status: number;
  readonly location: number;
  readonly lba: bigint;
  readonly nsid: number;
}

export async function errorLog(rig: Rig, entries = 1): Promise<ErrorEntry[]> {
  const view = await logPage(rig, 0x01, { bytes: entries * 64 });
  return Array.from({ length: entries }, (_, i) => i * 64).map(at => ({
    count: Number(view.getBigUint64(at, true)),
    sqid: view.getUint16(at + 8, true),
    cid: view.getUint16(at + 10, true),
    status: view.getUint16(at + 12, true) >>> 1,
    location: view.getUint16(at + 14, true),
    lba: view.getBigUint64(at + 16, true),
    nsid: view.getUint32(at + 24, true),
  }));
}

/** Runs a command with every reserved and unused word full of ones: MPTR, CDW2, CDW3 and the dwords named. */
export async function withReservedSet(
  rig: Rig,
  queue: QueuePair,
  command: Command,
  reservedDwords: readonly number[],
): Promise<Cqe> {
  const at = queue.tail;
  const cid = queue.push(command);
  const word = (queue.sqBase + at * 64) / 4;
  for (const dword of [2, 3, 4, 5, ...reservedDwords]) rig.memory.words[word + dword] = -1;
  // CDW0 13:10 is reserved (figure 104).
  rig.memory.words[word] |= 0xf << 10;
  queue.ring();
  for (let turn = 0; turn < 8; turn++) {
    rig.pump();
    const found = queue.reap().find(cqe => cqe.cid === cid);
    if (found) return found;
    await rig.scheduler.advance(0);
  }
  throw new Error(`opcode ${command.opcode} was not answered`);
}
