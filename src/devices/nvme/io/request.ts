import type { GuestMemory } from "../../guest_memory.ts";
import { address64 } from "../../guest_memory.ts";
import { FaultEffect } from "../faults/fault_effect.ts";
import type { SglDescriptor } from "../sgl.ts";
import { cidOf, fuseOf, opcodeOf, psdtOf, Sqe } from "../spec/entries.ts";
import { ErrorLocation } from "../spec/error_location.ts";

/** An I/O command, copied out of its SQE: the guest may rewrite the entry as soon as the head has moved on. */
export class IoRequest implements SglDescriptor {
  /** Life of the controller in which it was fetched. */
  epoch = 0;
  qid = 0;
  cid = 0;
  opcode = 0;
  fuse = 0;
  psdt = 0;
  nsid = 0;
  /** The data pointer, as PRPs and as an SGL descriptor. The address halves are the same words. */
  prp1 = 0;
  prp2 = 0;
  sglLength = 0;
  sglIdentifier = 0;
  /** Starting LBA (CDW10, CDW11). Inexact above 2^53, which is outside any namespace. */
  slba = 0;
  cdw10 = 0;
  cdw11 = 0;
  cdw12 = 0;
  /** What an injected fault makes of the completion. */
  effect: FaultEffect = FaultEffect.none;
  /** For the error log: the first block in error, -1 if no blocks are; and the field in error, as far as known. */
  errorLba = -1;
  errorLocation: ErrorLocation = ErrorLocation.none;
  /** An Abort command has completed it: what it still waits for is of no use any more. */
  aborted = false;
  /** The other command of a fused operation. */
  mate: IoRequest | undefined;

  get sglAddress(): number {
    return this.prp1;
  }

  /** Fills the request from the SQE at a guest physical address. */
  fetch(memory: GuestMemory, address: number): void {
    const words = memory.words;
    const w = address >>> 2;
    const cdw0 = words[w + Sqe.CDW0];
    this.cid = cidOf(cdw0);
    this.opcode = opcodeOf(cdw0);
    this.fuse = fuseOf(cdw0);
    this.psdt = psdtOf(cdw0);
    this.nsid = words[w + Sqe.NSID] >>> 0;
    this.prp1 = address64(words[w + Sqe.PRP1], words[w + Sqe.PRP1 + 1]);
    const [low, high] = [words[w + Sqe.PRP2], words[w + Sqe.PRP2 + 1]];
    this.prp2 = address64(low, high);
    this.sglLength = low >>> 0;
    this.sglIdentifier = high >>> 24;
    this.cdw10 = words[w + Sqe.CDW10];
    this.cdw11 = words[w + Sqe.CDW11];
    this.cdw12 = words[w + Sqe.CDW12];
    this.slba = address64(this.cdw10, this.cdw11);
    this.effect = FaultEffect.none;
    this.errorLba = -1;
    this.errorLocation = ErrorLocation.none;
    this.aborted = false;
    this.mate = undefined;
  }
}
