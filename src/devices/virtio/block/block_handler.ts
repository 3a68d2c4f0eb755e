import { StorageError } from "../../../storage/block_backend.ts";
import type { IoVector } from "../../../storage/io_vector.ts";
import { address64 } from "../../guest_memory.ts";
import { MAX_TRANSFER_BYTES } from "../disk_info.ts";
import type { VirtioRequest } from "../request.ts";
import { BROKEN, type RequestHandler, type VirtioServices, type Written } from "../services.ts";
import {
  BLK_HEADER_BYTES,
  BLK_ID_BYTES,
  BlkFeature,
  BlkHeader,
  BlkStatus,
  type BlkStatusCode,
  BlkType,
  SECTOR_SHIFT,
} from "../spec/block.ts";
import { copyFromVector, copyToVector, dropFront, keepFront, lastByte } from "../vectors.ts";
import { type BlockRange, checkRanges, readRanges } from "./ranges.ts";

const SECTOR_BYTES = 1 << SECTOR_SHIFT;

/** Serves the requests of a block device (virtio 1.1, section 5.2.6). */
export class BlockHandler implements RequestHandler {
  readonly #services: VirtioServices;
  readonly #id = new Uint8Array(BLK_ID_BYTES);

  constructor(services: VirtioServices) {
    this.#services = services;
    const { serialNumber } = services.info;
    for (let i = 0; i < Math.min(serialNumber.length, BLK_ID_BYTES); i++) {
      this.#id[i] = serialNumber.charCodeAt(i);
    }
  }

  execute(request: VirtioRequest): Written | Promise<Written> {
    const { readable, writable } = this.#services;
    if (readable.byteLength < BLK_HEADER_BYTES || writable.byteLength < 1) return BROKEN;
    copyFromVector(readable, request.header, BLK_HEADER_BYTES);
    request.answerAt = lastByte(writable);
    this.#trim();
    const type = request.headerView.getUint32(BlkHeader.TYPE, true);
    switch (type) {
      case BlkType.IN:
        return this.#read(request);
      case BlkType.OUT:
        return this.#write(request);
      case BlkType.FLUSH:
        request.flushing = true;
        return this.#answerLater(request, 0, this.#flush());
      case BlkType.GET_ID:
        return this.#getId(request);
      case BlkType.DISCARD:
      case BlkType.WRITE_ZEROES:
        return this.#zeroRanges(request, type);
      default:
        return this.#answer(request, BlkStatus.UNSUPP, 0);
    }
  }

  fail(request: VirtioRequest): Written {
    const { readable, writable } = this.#services;
    if (readable.byteLength < BLK_HEADER_BYTES || writable.byteLength < 1) return BROKEN;
    request.answerAt = lastByte(writable);
    return this.#answer(request, BlkStatus.IOERR, 0);
  }

  reset(): void {}

  /** Leaves only data in the mapped chain: without the header before it and the status byte behind it. */
  #trim(): void {
    const { readable, writable } = this.#services;
    dropFront(readable, BLK_HEADER_BYTES);
    keepFront(writable, writable.byteLength - 1);
  }

  // --- Answers

  /** `dataBytes` is what was written to all of the data buffer, which the status byte follows. */
  #answer(request: VirtioRequest, status: BlkStatusCode, dataBytes: number): Written {
    const services = this.#services;
    services.writeByte(request.answerAt, status);
    services.countCommand(request.flushing ? "flush" : "io", status !== BlkStatus.OK);
    // Section 2.6.8.2: no more than was written, from the front without a gap.
    return dataBytes === request.writableBytes - 1 ? dataBytes + 1 : dataBytes;
  }

  async #answerLater(
    request: VirtioRequest,
    dataBytes: number,
    result: Promise<BlkStatusCode | typeof BROKEN>,
  ): Promise<Written> {
    const status = await result;
    if (status === BROKEN || !this.#services.isCurrent(request)) return BROKEN;
    return this.#answer(request, status, status === BlkStatus.OK ? dataBytes : 0);
  }

  // --- Read and write

  #offset(request: VirtioRequest): number {
    const { headerView } = request;
    const low = headerView.getUint32(BlkHeader.SECTOR, true);
    return address64(low, headerView.getUint32(BlkHeader.SECTOR + 4, true)) * SECTOR_BYTES;
  }

  /** Whole blocks within the capacity (section 5.2.6.1). */
  #isOnDisk(offset: number, bytes: number): boolean {
    const { lbaShift, blocks } = this.#services.info;
    const mask = 2 ** lbaShift - 1;
    return (bytes & mask) === 0 && offset % 2 ** lbaShift === 0 && offset + bytes <= blocks * 2 ** lbaShift;
  }

  #read(request: VirtioRequest): Written | Promise<Written> {
    const services = this.#services;
    const data = services.writable;
    const bytes = data.byteLength;
    const offset = this.#offset(request);
    if (!this.#isOnDisk(offset, bytes)) return this.#answer(request, BlkStatus.IOERR, 0);
    if (bytes > MAX_TRANSFER_BYTES || !services.disk.tryRead(offset, data)) {
      return this.#answerLater(request, bytes, this.#inPieces(request, "read", offset, bytes));
    }
    services.dmaWrote(data);
    services.countRead(bytes);
    return this.#answer(request, BlkStatus.OK, bytes);
  }

  #write(request: VirtioRequest): Written | Promise<Written> {
    const services = this.#services;
    const data = services.readable;
    const bytes = data.byteLength;
    const offset = this.#offset(request);
    if (!this.#isOnDisk(offset, bytes)) return this.#answer(request, BlkStatus.IOERR, 0);
    if (bytes > MAX_TRANSFER_BYTES || !services.disk.tryWrite(offset, data)) {
      return this.#answerLater(request, 0, this.#inPieces(request, "write", offset, bytes));
    }
    services.countWrite(bytes);
    if (this.#writeBack) return this.#answer(request, BlkStatus.OK, 0);
    return this.#answerLater(request, 0, this.#durable(offset, bytes));
  }

  /**
   * The slow way: storage must be waited for, or the request is longer than the cache takes at once (a block device
   * has no way to say how long a request may be).
   */
  async #inPieces(
    request: VirtioRequest,
    intent: "read" | "write",
    offset: number,
    bytes: number,
  ): Promise<BlkStatusCode | typeof BROKEN> {
    const { disk } = this.#services;
    try {
      for (let done = 0; done < bytes; ) {
        const piece = Math.min(bytes - done, MAX_TRANSFER_BYTES);
        // The vectors served other requests meanwhile, and the chain is guest memory: walk and check it anew.
        const data = this.#remapData(request, intent, done, piece);
        if (!data) return BROKEN;
        const moved =
          intent === "read" ? disk.tryRead(offset + done, data) : disk.tryWrite(offset + done, data);
        if (moved) {
          if (intent === "read") this.#services.dmaWrote(data);
          done += piece;
          continue;
        }
        await disk.prepare(intent, offset + done, piece);
        if (!this.#services.isCurrent(request)) return BROKEN;
      }
    } catch (error) {
      return ioError(error);
    }
    if (intent === "read") this.#services.countRead(bytes);
    else this.#services.countWrite(bytes);
    return intent === "read" || this.#writeBack ? BlkStatus.OK : this.#durable(offset, bytes);
  }

  #remapData(
    request: VirtioRequest,
    intent: "read" | "write",
    start: number,
    length: number,
  ): IoVector | undefined {
    const services = this.#services;
    if (!services.remap(request)) return undefined;
    this.#trim();
    const data = intent === "read" ? services.writable : services.readable;
    dropFront(data, start);
    keepFront(data, length);
    return data;
  }

  /** Section 5.2.5: a driver without FLUSH counts on writes that are durable when they complete. */
  get #writeBack(): boolean {
    return (this.#services.features & BlkFeature.FLUSH) !== 0;
  }

  #durable(offset: number, bytes: number): Promise<BlkStatusCode> {
    return this.#services.disk.flushRange(offset, bytes).then(() => BlkStatus.OK, ioError);
  }

  #flush(): Promise<BlkStatusCode> {
    return this.#services.disk.flush().then(() => BlkStatus.OK, ioError);
  }

  #getId(request: VirtioRequest): Written {
    const services = this.#services;
    const data = services.writable;
    keepFront(data, BLK_ID_BYTES);
    copyToVector(data, this.#id, BLK_ID_BYTES);
    services.dmaWrote(data);
    return this.#answer(request, BlkStatus.OK, data.byteLength);
  }

  // --- Discard and write zeroes

  #zeroRanges(request: VirtioRequest, type: typeof BlkType.DISCARD | typeof BlkType.WRITE_ZEROES) {
    const services = this.#services;
    const feature = type === BlkType.DISCARD ? BlkFeature.DISCARD : BlkFeature.WRITE_ZEROES;
    if ((services.features & feature) === 0) return this.#answer(request, BlkStatus.UNSUPP, 0);
    const ranges = readRanges(services.readable, type);
    // All are checked before anything is zeroed.
    const status = ranges ? checkRanges(ranges, type, services.info) : BlkStatus.IOERR;
    if (!ranges || status !== BlkStatus.OK) return this.#answer(request, status, 0);
    return this.#answerLater(request, 0, this.#zero(request, ranges, type));
  }

  /** A range that is zeroed is dropped where that is possible: the disk is thin, and what does not exist is zero. */
  async #zero(
    request: VirtioRequest,
    ranges: readonly BlockRange[],
    type: number,
  ): Promise<BlkStatusCode | typeof BROKEN> {
    const { disk } = this.#services;
    try {
      for (const { sector, sectors } of ranges) {
        const offset = sector * SECTOR_BYTES;
        const bytes = sectors * SECTOR_BYTES;
        while (!disk.tryZero(offset, bytes)) {
          await disk.prepare("write", offset, bytes);
          if (!this.#services.isCurrent(request)) return BROKEN;
        }
        if (type === BlkType.WRITE_ZEROES && !this.#writeBack) await disk.flushRange(offset, bytes);
      }
      return BlkStatus.OK;
    } catch (error) {
      return ioError(error);
    }
  }
}

/** What a storage failure is called. Anything else is a bug, and reported as one. */
function ioError(error: unknown): BlkStatusCode {
  if (error instanceof StorageError) return BlkStatus.IOERR;
  throw error;
}
