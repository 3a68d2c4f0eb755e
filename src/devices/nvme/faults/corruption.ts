import type { BlockDevice } from "../../../storage/block_device.ts";
import { IoVector } from "../../../storage/io_vector.ts";
import type { IoRequest } from "../io/request.ts";
import type { IoServices } from "../io/services.ts";
import { storageStatus } from "../io/storage_status.ts";
import { Status, type StatusCode } from "../spec/status.ts";

/** Data on a disk is read and written again in pieces of this size: the smallest logical block. */
const SECTOR = 512;
const FUA = 1 << 30;

/** Services whose reads come to the host with so many of their bytes inverted. */
export function corruptRead(services: IoServices, bytes: number, random: () => number): IoServices {
  const dmaWrote = (vector: IoVector) => {
    for (const place of places(vector.byteLength, bytes, random)) invert(vector, place);
    services.dmaWrote(vector);
  };
  return new Proxy(services, {
    get(target, name) {
      if (name === "dmaWrote") return dmaWrote;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Waits for the write and, if it succeeds, inverts so many bytes of what it has stored. The host's memory is left alone. */
export async function corruptWrite(
  services: IoServices,
  request: IoRequest,
  result: StatusCode | Promise<StatusCode>,
  bytes: number,
  random: () => number,
): Promise<StatusCode> {
  const status = await result;
  const namespace = services.namespaces.get(request.nsid);
  if (status !== Status.success || !namespace || !services.isCurrent(request)) return status;
  const { disk, lbaShift } = namespace;
  const offset = request.slba * 2 ** lbaShift;
  const length = ((request.cdw12 & 0xffff) + 1) * 2 ** lbaShift;
  try {
    for (const place of places(length, bytes, random)) await invertStored(disk, offset + place);
    if ((request.cdw12 & FUA) !== 0 || !services.writeCacheEnabled) await disk.flushRange(offset, length);
    return Status.success;
  } catch (error) {
    return storageStatus(error, "write");
  }
}

/** Different places in `length` bytes. */
function places(length: number, count: number, random: () => number): ReadonlySet<number> {
  const chosen = new Set<number>();
  while (chosen.size < Math.min(count, length)) chosen.add(Math.floor(random() * length));
  return chosen;
}

function invert({ memory, offsets, lengths, count }: IoVector, place: number): void {
  let left = place;
  for (let i = 0; i < count; i++) {
    if (left < lengths[i]) {
      memory[offsets[i] + left] ^= 0xff;
      return;
    }
    left -= lengths[i];
  }
}

/** Nothing comes between the reading of a sector and its writing. */
async function invertStored(disk: BlockDevice, at: number): Promise<void> {
  const sector = new Uint8Array(SECTOR);
  const vector = new IoVector(sector, 1);
  vector.add(0, SECTOR);
  const start = at - (at % SECTOR);
  for (;;) {
    if (disk.tryRead(start, vector)) {
      sector[at - start] ^= 0xff;
      if (disk.tryWrite(start, vector)) return;
    }
    await disk.prepare("read", start, SECTOR);
    await disk.prepare("write", start, SECTOR);
  }
}
