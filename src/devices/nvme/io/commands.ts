import type { IoVector } from "../../../storage/io_vector.ts";
import { address64, type GuestMemory } from "../../guest_memory.ts";
import { Effect } from "../effects.ts";
import type { Namespace } from "../namespace.ts";
import { mapPrp } from "../prp.ts";
import { NSID_ALL } from "../spec/entries.ts";
import { NvmOpcode } from "../spec/opcodes.ts";
import { MAX_TRANSFER_BYTES } from "../spec/registers.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import type { IoRequest } from "./request.ts";
import { storageStatus } from "./storage_status.ts";

/** What a command may use of the server that runs it. */
export interface IoServices {
  readonly memory: GuestMemory;
  /** The one scatter/gather list, reused: valid until the next await. */
  readonly vector: IoVector;
  readonly namespaces: ReadonlyMap<number, Namespace>;
  /** False once a controller reset has made the request's answer, and its DMA, unwanted. */
  isCurrent(request: IoRequest): boolean;
  /** Is the volatile write cache on (feature 06h)? */
  readonly writeCacheEnabled: boolean;
  /** Must follow every DMA into guest memory. */
  dmaWrote(vector: IoVector): void;
  countRead(bytes: number): void;
  countWrite(bytes: number): void;
}

/** One I/O command: this table is what is supported, how it is run, and what the effects log says. */
export interface IoCommand {
  readonly name: string;
  readonly effects: number;
  /** Answers at once when no storage is to be waited for: no promise, no allocation. */
  execute(services: IoServices, request: IoRequest): StatusCode | Promise<StatusCode>;
}

export const ioCommands: ReadonlyMap<number, IoCommand> = new Map<number, IoCommand>([
  [NvmOpcode.flush, { name: "Flush", effects: Effect.supported, execute: flush }],
  [NvmOpcode.write, { name: "Write", effects: Effect.supported | Effect.changesBlocks, execute: write }],
  [NvmOpcode.read, { name: "Read", effects: Effect.supported, execute: read }],
  [
    NvmOpcode.writeZeroes,
    { name: "Write Zeroes", effects: Effect.supported | Effect.changesBlocks, execute: writeZeroes },
  ],
  [
    NvmOpcode.datasetManagement,
    {
      name: "Dataset Management",
      effects: Effect.supported | Effect.changesBlocks,
      execute: datasetManagement,
    },
  ],
]);

/** CDW12 of Read, Write and Write Zeroes: Number of Logical Blocks is 0's based; bit 30 is Force Unit Access. */
const blocksOf = (request: IoRequest): number => (request.cdw12 & 0xffff) + 1;
const FUA = 1 << 30;

/** Flush, section 6.8. Covers what was completed before it, on one namespace or on all. */
function flush(services: IoServices, request: IoRequest): StatusCode | Promise<StatusCode> {
  if (request.nsid === NSID_ALL) return flushAll([...services.namespaces.values()]);
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  return flushAll([namespace]);
}

async function flushAll(namespaces: readonly Namespace[]): Promise<StatusCode> {
  try {
    await Promise.all(namespaces.map(namespace => namespace.disk.flush()));
    return Status.success;
  } catch (error) {
    return storageStatus(error, "write");
  }
}

/** The checks that Read and Write share. Leaves the data's place in guest memory in `services.vector`. */
function mapData(services: IoServices, request: IoRequest, namespace: Namespace): StatusCode {
  const blocks = blocksOf(request);
  if (request.slba + blocks > namespace.blocks) return Status.lbaOutOfRange;
  const bytes = blocks * 2 ** namespace.lbaShift;
  // MDTS: section 5.15.2.1, "the command is aborted with Invalid Field in Command".
  if (bytes > MAX_TRANSFER_BYTES) return Status.invalidField;
  return mapPrp(services.memory, request.prp1, request.prp2, bytes, services.vector);
}

/** Read, section 6.9. */
function read(services: IoServices, request: IoRequest): StatusCode | Promise<StatusCode> {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  const status = mapData(services, request, namespace);
  if (status !== Status.success) return status;
  const { vector } = services;
  if (!namespace.disk.tryRead(request.slba * 2 ** namespace.lbaShift, vector)) {
    return readWhenLoaded(services, request, namespace, vector.byteLength);
  }
  services.dmaWrote(vector);
  services.countRead(vector.byteLength);
  return Status.success;
}

function readWhenLoaded(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  bytes: number,
): Promise<StatusCode> {
  const offset = request.slba * 2 ** namespace.lbaShift;
  return moveWhenReady(services, request, namespace, "read", bytes, () => {
    if (!namespace.disk.tryRead(offset, services.vector)) return false;
    services.dmaWrote(services.vector);
    services.countRead(bytes);
    return true;
  });
}

/**
 * Waits for storage and tries to move the data, until that works. The vector served other commands meanwhile, and the
 * PRP list is guest memory: it is walked and checked anew each time. `move` has the vector to itself; nobody after it.
 */
async function moveWhenReady(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  intent: "read" | "write",
  bytes: number,
  move: () => boolean,
): Promise<StatusCode> {
  try {
    for (;;) {
      await namespace.disk.prepare(intent, request.slba * 2 ** namespace.lbaShift, bytes);
      if (!services.isCurrent(request)) return Status.abortedByRequest;
      const status = mapData(services, request, namespace);
      if (status !== Status.success || move()) return status;
    }
  } catch (error) {
    return storageStatus(error, intent);
  }
}

/** Write, section 6.15. */
function write(services: IoServices, request: IoRequest): StatusCode | Promise<StatusCode> {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  const status = mapData(services, request, namespace);
  if (status !== Status.success) return status;
  const offset = request.slba * 2 ** namespace.lbaShift;
  const bytes = services.vector.byteLength;
  if (!namespace.disk.tryWrite(offset, services.vector)) {
    return writeWhenReady(services, request, namespace, bytes);
  }
  services.countWrite(bytes);
  return durable(services, request, namespace, offset, bytes);
}

async function writeWhenReady(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  bytes: number,
): Promise<StatusCode> {
  const offset = request.slba * 2 ** namespace.lbaShift;
  const status = await moveWhenReady(services, request, namespace, "write", bytes, () =>
    namespace.disk.tryWrite(offset, services.vector),
  );
  if (status !== Status.success) return status;
  services.countWrite(bytes);
  return durable(services, request, namespace, offset, bytes);
}

/** Force Unit Access, or a write cache that is switched off: the data is durable before the command completes. */
function durable(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  offset: number,
  bytes: number,
): StatusCode | Promise<StatusCode> {
  if ((request.cdw12 & FUA) === 0 && services.writeCacheEnabled) return Status.success;
  return namespace.disk.flushRange(offset, bytes).then(
    () => Status.success,
    error => storageStatus(error, "write"),
  );
}

/** Write Zeroes, section 6.17. No data moves; the range need not fit MDTS. */
function writeZeroes(services: IoServices, request: IoRequest): StatusCode | Promise<StatusCode> {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  const blocks = blocksOf(request);
  if (request.slba + blocks > namespace.blocks) return Status.lbaOutOfRange;
  const offset = request.slba * 2 ** namespace.lbaShift;
  const bytes = blocks * 2 ** namespace.lbaShift;
  if (!namespace.disk.tryZero(offset, bytes)) {
    return zeroWhenReady(services, request, namespace, offset, bytes).then(status =>
      status === Status.success ? durable(services, request, namespace, offset, bytes) : status,
    );
  }
  return durable(services, request, namespace, offset, bytes);
}

async function zeroWhenReady(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  offset: number,
  bytes: number,
): Promise<StatusCode> {
  try {
    do {
      await namespace.disk.prepare("write", offset, bytes);
      if (!services.isCurrent(request)) return Status.abortedByRequest;
    } while (!namespace.disk.tryZero(offset, bytes));
    return Status.success;
  } catch (error) {
    return storageStatus(error, "write");
  }
}

const RANGE_BYTES = 16;
const ATTRIBUTE_DEALLOCATE = 1 << 2;

/** Dataset Management, section 6.7. Deallocate; the two other attributes are hints that need no action. */
function datasetManagement(services: IoServices, request: IoRequest): StatusCode | Promise<StatusCode> {
  const namespace = services.namespaces.get(request.nsid);
  if (!namespace) return Status.invalidNamespace;
  const count = (request.cdw10 & 0xff) + 1;
  const status = mapPrp(services.memory, request.prp1, request.prp2, count * RANGE_BYTES, services.vector);
  if (status !== Status.success) return status;
  // The ranges are read once, here, and checked as a whole before anything is discarded.
  const ranges = readRanges(services, count);
  for (const range of ranges) {
    if (range.slba + range.blocks > namespace.blocks) return Status.lbaOutOfRange;
  }
  if ((request.cdw11 & ATTRIBUTE_DEALLOCATE) === 0) return Status.success;
  return deallocate(services, request, namespace, ranges);
}

interface BlockRange {
  readonly slba: number;
  readonly blocks: number;
}

function readRanges({ memory, vector }: IoServices, count: number): BlockRange[] {
  const bytes = new Uint8Array(count * RANGE_BYTES);
  let at = 0;
  for (let i = 0; i < vector.count; i++) {
    const start = vector.offsets[i];
    bytes.set(memory.bytes.subarray(start, start + vector.lengths[i]), at);
    at += vector.lengths[i];
  }
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, i) => ({
    blocks: view.getUint32(i * RANGE_BYTES + 4, true),
    slba: address64(view.getUint32(i * RANGE_BYTES + 8, true), view.getUint32(i * RANGE_BYTES + 12, true)),
  }));
}

async function deallocate(
  services: IoServices,
  request: IoRequest,
  namespace: Namespace,
  ranges: readonly BlockRange[],
): Promise<StatusCode> {
  for (const { slba, blocks } of ranges) {
    if (blocks === 0) continue;
    const offset = slba * 2 ** namespace.lbaShift;
    const bytes = blocks * 2 ** namespace.lbaShift;
    if (namespace.disk.tryZero(offset, bytes)) continue;
    const status = await zeroWhenReady(services, request, namespace, offset, bytes);
    if (status !== Status.success) return status;
  }
  return Status.success;
}
