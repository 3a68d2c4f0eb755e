import type { VirtioRequest } from "../request.ts";
import { BROKEN, type RequestHandler, type VirtioServices, type Written } from "../services.ts";
import { Response, ScsiQueue, ScsiRequest, ScsiResponse } from "../spec/scsi.ts";
import {
  FIXED_SENSE_BYTES,
  Opcode,
  ScsiStatus,
  Sense,
  type SenseCode,
  writeFixedSense,
} from "../spec/scsi_commands.ts";
import { copyFromVector, copyToVector, dropFront, keepFront } from "../vectors.ts";
import { scsiCommands } from "./commands.ts";
import { executeControl, unitOf } from "./control_queue.ts";
import { CDB, GONE, type Outcome, type ScsiTarget } from "./target.ts";

/** Commands that a pending unit attention does not stop (SAM-5, section 5.14). */
const PAST_UNIT_ATTENTION: ReadonlySet<number> = new Set([
  Opcode.INQUIRY,
  Opcode.REPORT_LUNS,
  Opcode.REQUEST_SENSE,
]);

/** A SCSI host with one target and one logical unit (virtio 1.1, section 5.6.6). */
export class ScsiHandler implements RequestHandler, ScsiTarget {
  readonly services: VirtioServices;
  unitExists = true;
  #unitAttention: SenseCode = Sense.none;
  /** The response as it is put together: fixed part and sense data. */
  #response = new Uint8Array(0);
  #responseView = new DataView(this.#response.buffer);

  constructor(services: VirtioServices) {
    this.services = services;
  }

  execute(request: VirtioRequest): Written | Promise<Written> {
    if (request.queue === ScsiQueue.CONTROL) return executeControl(this.services, request, this);
    if (!this.#takeHeader(request)) return BROKEN;
    const unit = unitOf(request.header, ScsiRequest.LUN);
    if (unit < 0) return this.#answerWith(request, Response.BAD_TARGET);
    const { readable, writable } = this.services;
    // Both directions at once need VIRTIO_SCSI_F_INOUT, which is not offered.
    if (readable.byteLength > 0 && writable.byteLength > 0)
      return this.#answerWith(request, Response.FAILURE);
    this.unitExists = unit === 0;
    const outcome = this.#run(request);
    return typeof outcome === "number" ? this.#answer(request, outcome) : this.#answerLater(request, outcome);
  }

  fail(request: VirtioRequest): Written {
    if (request.queue === ScsiQueue.CONTROL || !this.#takeHeader(request)) return BROKEN;
    return this.#answer(request, Sense.internalTargetFailure);
  }

  reset(): void {
    this.#unitAttention = Sense.none;
  }

  // --- ScsiTarget

  takeUnitAttention(): SenseCode {
    const sense = this.#unitAttention;
    this.#unitAttention = Sense.none;
    return sense;
  }

  reply(request: VirtioRequest, data: Uint8Array, allocationLength: number): SenseCode {
    const { writable } = this.services;
    const length = Math.min(data.length, allocationLength, writable.byteLength);
    // Only if the driver gave less room than its own CDB says.
    if (Math.min(data.length, allocationLength) > length) request.response = Response.OVERRUN;
    keepFront(writable, length);
    copyToVector(writable, data, length);
    this.services.dmaWrote(writable);
    request.transferred = length;
    return Sense.none;
  }

  remapData(request: VirtioRequest): boolean {
    if (!this.services.remap(request)) return false;
    this.#trim(request);
    return true;
  }

  // --- Task management (from the control queue)

  /** Ends requests that wait for storage with `response`: all, or the one with this id. */
  abort(response: number, id?: bigint): void {
    for (const request of this.services.waiting) {
      if (this.#isTask(request, id)) this.services.finishEarly(request, this.#answerWith(request, response));
    }
  }

  hasTask(id?: bigint): boolean {
    for (const request of this.services.waiting) if (this.#isTask(request, id)) return true;
    return false;
  }

  resetUnit(): void {
    this.abort(Response.RESET);
    this.#unitAttention = Sense.busDeviceReset;
  }

  #isTask(request: VirtioRequest, id: bigint | undefined): boolean {
    if (request.queue < ScsiQueue.REQUEST || !this.services.isCurrent(request)) return false;
    return id === undefined || request.headerView.getBigUint64(ScsiRequest.ID, true) === id;
  }

  // --- Commands

  /** Copies request header and CDB, finds the place of the response, and leaves only data in the mapped chain. */
  #takeHeader(request: VirtioRequest): boolean {
    const { readable, writable, cdbSize, senseSize } = this.services;
    if (readable.byteLength < CDB + cdbSize || writable.byteLength < ScsiResponse.SENSE + senseSize)
      return false;
    request.cdbSize = cdbSize;
    request.senseSize = senseSize;
    request.transferred = 0;
    request.response = Response.OK;
    // A short CDB size leaves nothing of an earlier command behind.
    request.header.fill(0, CDB, CDB + 32);
    copyFromVector(readable, request.header, CDB + cdbSize);
    request.answerAt = writable.lengths[0] >= ScsiResponse.SENSE + senseSize ? writable.offsets[0] : -1;
    this.#trim(request);
    request.bufferBytes = readable.byteLength + writable.byteLength;
    return true;
  }

  #trim(request: VirtioRequest): void {
    dropFront(this.services.readable, CDB + request.cdbSize);
    dropFront(this.services.writable, ScsiResponse.SENSE + request.senseSize);
  }

  #run(request: VirtioRequest): Outcome {
    const opcode = request.header[CDB];
    if (!this.unitExists) {
      // SPC-4, sections 6.6.1 and 6.33: these two answer for logical units that are not there.
      if (opcode !== Opcode.INQUIRY && opcode !== Opcode.REPORT_LUNS) return Sense.lunNotSupported;
    } else if (this.#unitAttention !== Sense.none && !PAST_UNIT_ATTENTION.has(opcode)) {
      return this.takeUnitAttention();
    }
    const command = scsiCommands.get(opcode);
    return command ? command.execute(this, request) : Sense.invalidOpcode;
  }

  async #answerLater(request: VirtioRequest, outcome: Promise<SenseCode>): Promise<Written> {
    const sense = await outcome;
    return sense === GONE || !this.services.isCurrent(request) ? BROKEN : this.#answer(request, sense);
  }

  #answerWith(request: VirtioRequest, response: number): Written {
    request.response = response;
    return this.#answer(request, Sense.none);
  }

  /** Writes the response (section 5.6.6.1), with sense data when there is something to say. */
  #answer(request: VirtioRequest, sense: SenseCode): Written {
    const length = ScsiResponse.SENSE + request.senseSize;
    if (this.#response.length !== length) {
      this.#response = new Uint8Array(length);
      this.#responseView = new DataView(this.#response.buffer);
    }
    const view = this.#responseView;
    const failed = sense !== Sense.none;
    this.#response.fill(0);
    if (failed) {
      request.transferred = 0;
      const senseBytes = new Uint8Array(FIXED_SENSE_BYTES);
      writeFixedSense(senseBytes, sense);
      const kept = Math.min(FIXED_SENSE_BYTES, request.senseSize);
      this.#response.set(senseBytes.subarray(0, kept), ScsiResponse.SENSE);
      view.setUint32(ScsiResponse.SENSE_LEN, kept, true);
    }
    view.setUint32(ScsiResponse.RESIDUAL, request.bufferBytes - request.transferred, true);
    this.#response[ScsiResponse.STATUS] = failed ? ScsiStatus.CHECK_CONDITION : ScsiStatus.GOOD;
    this.#response[ScsiResponse.RESPONSE] = request.response;
    if (request.answerAt >= 0) {
      this.services.writeBytes(request.answerAt, this.#response);
    } else {
      if (!this.services.remap(request)) return BROKEN;
      const { writable } = this.services;
      keepFront(writable, length);
      copyToVector(writable, this.#response, length);
      this.services.dmaWrote(writable);
    }
    // SeaBIOS asks 255 targets that are not there: nobody has had those commands.
    if (request.response !== Response.BAD_TARGET)
      this.services.countCommand(
        request.flushing ? "flush" : "io",
        failed || request.response !== Response.OK,
      );
    const dataIn = request.writableBytes > length ? request.transferred : 0;
    return length + dataIn;
  }
}
