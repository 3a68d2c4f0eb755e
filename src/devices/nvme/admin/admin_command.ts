import { address64, type GuestMemory } from "../../guest_memory.ts";
import { cidOf, fuseOf, opcodeOf, psdtOf, Sqe } from "../spec/entries.ts";
import type { StatusCode } from "../spec/status.ts";

/** An admin command, copied out of its SQE. */
export interface AdminCommand {
  readonly cid: number;
  readonly opcode: number;
  readonly fuse: number;
  readonly psdt: number;
  readonly nsid: number;
  readonly prp1: number;
  readonly prp2: number;
  readonly cdw10: number;
  readonly cdw11: number;
  readonly cdw12: number;
  readonly cdw13: number;
  readonly cdw14: number;
}

/** How an admin command ended: a status, or a status with command specific dword 0, or not yet. */
export type AdminResult = StatusCode | { readonly status: StatusCode; readonly result: number } | "pending";

export function fetchAdminCommand(memory: GuestMemory, address: number): AdminCommand {
  const w = address >>> 2;
  const words = memory.words;
  const cdw0 = words[w + Sqe.CDW0];
  return {
    cid: cidOf(cdw0),
    opcode: opcodeOf(cdw0),
    fuse: fuseOf(cdw0),
    psdt: psdtOf(cdw0),
    nsid: words[w + Sqe.NSID] >>> 0,
    prp1: address64(words[w + Sqe.PRP1], words[w + Sqe.PRP1 + 1]),
    prp2: address64(words[w + Sqe.PRP2], words[w + Sqe.PRP2 + 1]),
    cdw10: words[w + Sqe.CDW10] >>> 0,
    cdw11: words[w + Sqe.CDW11] >>> 0,
    cdw12: words[w + Sqe.CDW12] >>> 0,
    cdw13: words[w + Sqe.CDW13] >>> 0,
    cdw14: words[w + Sqe.CDW14] >>> 0,
  };
}
