import { StorageError } from "../../../storage/block_backend.ts";
import { MAX_TRANSFER_BYTES } from "../disk_info.ts";
import type { VirtioRequest } from "../request.ts";
import { Response } from "../spec/scsi.ts";
import { Sense, type SenseCode } from "../spec/scsi_commands.ts";
import { keepFront } from "../vectors.ts";
import { cdb8, cdb16, cdb32, cdb64, GONE, type Outcome, type ScsiTarget } from "./target.ts";

/** READ and WRITE of 6, 10 and 16 bytes (SBC-3, sections 5.7 to 5.11 and 5.32 to 5.36). */

type Execute = (target: ScsiTarget, request: VirtioRequest) => Outcome;

const lba6 = (request: VirtioRequest) => cdb32(request, 0) & 0x1fffff;
/** The 6-byte commands have no byte of flags, and 0 blocks mean 256. */
export const read6: Execute = (target, request) =>
  read(target, request, lba6(request), cdb8(request, 4) || 256, 0);
export const write6: Execute = (target, request) =>
  write(target, request, lba6(request), cdb8(request, 4) || 256, 0);
export const read10: Execute = (target, request) =>
  read(target, request, cdb32(request, 2), cdb16(request, 7), cdb8(request, 1));
export const write10: Execute = (target, request) =>
  write(target, request, cdb32(request, 2), cdb16(request, 7), cdb8(request, 1));
export const read16: Execute = (target, request) =>
  read(target, request, cdb64(request, 2), cdb32(request, 10), cdb8(request, 1));
export const write16: Execute = (target, request) =>
  write(target, request, cdb64(request, 2), cdb32(request, 10), cdb8(request, 1));

/** Byte 1: protection information (not supported) in 7:5, DPO, Force Unit Access. */
const PROTECT = 0xe0;
const FUA = 0x08;

/** The checks that both share. */
function check(target: ScsiTarget, lba: number, blocks: number, flags: number): SenseCode {
  const { info } = target.services;
  if ((flags & PROTECT) !== 0) return Sense.invalidFieldInCdb;
  if (lba + blocks > info.blocks) return Sense.lbaOutOfRange;
  // MAXIMUM TRANSFER LENGTH of the block limits page (SBC-3, section 6.6.4).
  return blocks * 2 ** info.lbaShift > MAX_TRANSFER_BYTES ? Sense.invalidFieldInCdb : Sense.none;
}

function read(
  target: ScsiTarget,
  request: VirtioRequest,
  lba: number,
  blocks: number,
  flags: number,
): Outcome {
  const { services } = target;
  const sense = check(target, lba, blocks, flags);
  if (sense !== Sense.none) return sense;
  const bytes = blocks * 2 ** services.info.lbaShift;
  const offset = lba * 2 ** services.info.lbaShift;
  if (services.writable.byteLength < bytes) return overrun(request);
  keepFront(services.writable, bytes);
  if (!services.disk.tryRead(offset, services.writable))
    return readWhenLoaded(target, request, offset, bytes);
  return haveRead(target, request, bytes);
}

/** Section 5.6.6.1 of virtio 1.1: "the content of the CDB requires more data than is available". */
function overrun(request: VirtioRequest): SenseCode {
  request.response = Response.OVERRUN;
  return Sense.none;
}

function haveRead({ services }: ScsiTarget, request: VirtioRequest, bytes: number): SenseCode {
  services.dmaWrote(services.writable);
  services.countRead(bytes);
  request.transferred = bytes;
  return Sense.none;
}

async function readWhenLoaded(
  target: ScsiTarget,
  request: VirtioRequest,
  offset: number,
  bytes: number,
): Promise<SenseCode> {
  const { services } = target;
  try {
    for (;;) {
      await services.disk.prepare("read", offset, bytes);
      // The vectors served other requests meanwhile, and the chain is guest memory: walk and check it anew.
      if (!services.isCurrent(request) || !target.remapData(request)) return GONE;
      keepFront(services.writable, bytes);
      if (services.disk.tryRead(offset, services.writable)) return haveRead(target, request, bytes);
    }
  } catch (error) {
    return storageSense(error, "read");
  }
}

function write(
  target: ScsiTarget,
  request: VirtioRequest,
  lba: number,
  blocks: number,
  flags: number,
): Outcome {
  const { services } = target;
  const sense = check(target, lba, blocks, flags);
  if (sense !== Sense.none) return sense;
  const bytes = blocks * 2 ** services.info.lbaShift;
  const offset = lba * 2 ** services.info.lbaShift;
  if (services.readable.byteLength < bytes) return overrun(request);
  keepFront(services.readable, bytes);
  const durable = (flags & FUA) !== 0;
  if (!services.disk.tryWrite(offset, services.readable)) {
    return writeWhenReady(target, request, offset, bytes, durable);
  }
  services.countWrite(bytes);
  request.transferred = bytes;
  return durable ? flushRange(target, offset, bytes) : Sense.none;
}

async function writeWhenReady(
  target: ScsiTarget,
  request: VirtioRequest,
  offset: number,
  bytes: number,
  durable: boolean,
): Promise<SenseCode> {
  const { services } = target;
  try {
    do {
      await services.disk.prepare("write", offset, bytes);
      if (!services.isCurrent(request) || !target.remapData(request)) return GONE;
      keepFront(services.readable, bytes);
    } while (!services.disk.tryWrite(offset, services.readable));
  } catch (error) {
    return storageSense(error, "write");
  }
  services.countWrite(bytes);
  request.transferred = bytes;
  return durable ? flushRange(target, offset, bytes) : Sense.none;
}

function flushRange({ services }: ScsiTarget, offset: number, bytes: number): Promise<SenseCode> {
  return services.disk.flushRange(offset, bytes).then(
    () => Sense.none,
    error => storageSense(error, "write"),
  );
}

/** What a storage failure is called in SCSI. Anything else is a bug, and reported as one. */
export function storageSense(error: unknown, intent: "read" | "write"): SenseCode {
  if (!(error instanceof StorageError)) throw error;
  if (error.kind === "no-space") return Sense.spaceAllocationFailed;
  return intent === "read" ? Sense.unrecoveredReadError : Sense.writeError;
}
