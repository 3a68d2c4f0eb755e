/** Namespace Management and Namespace Attachment: NVMe 1.4, sections 5.19 and 5.20. The serving side executes them. */
import { NamespaceOperation } from "../shared_state.ts";
import { NSID_ALL } from "../spec/entries.ts";
import { LBA_SHIFTS } from "../spec/lba_formats.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import type { AdminCommand, AdminResult } from "./admin_command.ts";
import type { AdminServices } from "./admin_queue.ts";
import { CONTROLLER_ID } from "./identify.ts";

const DATA_BYTES = 4096;

/** SEL, CDW10 3:0, of both commands. */
const select = (command: AdminCommand): number => command.cdw10 & 0xf;
const Management = { create: 0, delete: 1 } as const;
const Attachment = { attach: 0, detach: 1 } as const;

/** No disk comes near so many blocks; beyond it numbers would not be exact. */
const MOST_BLOCKS = 2n ** 48n;

/** Status for an id that a command names which is about an allocated namespace; success if it is one. */
function checkAllocated({ namespaces }: AdminServices, nsid: number): StatusCode {
  if (namespaces.allocated.some(namespace => namespace.nsid === nsid)) return Status.success;
  return nsid >= 1 && nsid <= namespaces.highestNsid ? Status.invalidField : Status.invalidNamespace;
}

export function namespaceManagement(services: AdminServices, command: AdminCommand): AdminResult {
  switch (select(command)) {
    case Management.create:
      return create(services, command);
    case Management.delete: {
      const { nsid, cid } = command;
      const status = nsid === NSID_ALL ? Status.success : checkAllocated(services, nsid);
      if (status !== Status.success) return status;
      services.manageNamespace(cid, { operation: NamespaceOperation.delete, nsid });
      return "pending";
    }
    default:
      return Status.invalidField;
  }
}

/** The fields that the host specifies are those of figure 245: the rest of the data structure is reserved. */
function create(services: AdminServices, command: AdminCommand): AdminResult {
  // CDW11 31:24 chooses a command set in later versions; 0 is the only one here.
  if (command.cdw11 >>> 24 !== 0) return Status.invalidField;
  const data = services.receiveFromHost(command, DATA_BYTES);
  if (typeof data === "number") return data;
  const view = new DataView(data.buffer);
  const size = view.getBigUint64(0, true); // NSZE
  const capacity = view.getBigUint64(8, true); // NCAP
  const formattedSize = data[26]; // FLBAS
  const lbaShift = LBA_SHIFTS[formattedSize & 0xf];
  if (lbaShift === undefined || formattedSize >> 4 !== 0) return Status.invalidFormat;
  // DPS: no protection information.
  if (data[29] !== 0) return Status.invalidFormat;
  // NMIC: there is one controller to share it with. ANAGRPID, NVMSETID: there are no groups and sets.
  if (data[30] !== 0 || view.getUint32(92, true) !== 0 || view.getUint16(100, true) !== 0) {
    return Status.invalidField;
  }
  if (size === 0n || capacity > size) return Status.invalidField;
  if (capacity < size) return Status.thinProvisioningNotSupported;
  if (size > MOST_BLOCKS) return Status.namespaceInsufficientCapacity;
  services.manageNamespace(command.cid, {
    operation: NamespaceOperation.create,
    nsid: 0,
    lbaShift,
    blocks: Number(size),
  });
  return "pending";
}

export function namespaceAttachment(services: AdminServices, command: AdminCommand): AdminResult {
  const { nsid, cid } = command;
  const attach = select(command) === Attachment.attach;
  if (!attach && select(command) !== Attachment.detach) return Status.invalidField;
  const data = services.receiveFromHost(command, DATA_BYTES);
  if (typeof data === "number") return data;
  const status = checkAllocated(services, nsid);
  if (status !== Status.success) return status;
  if (!namesThisController(data)) return Status.controllerListInvalid;
  const operation = attach ? NamespaceOperation.attach : NamespaceOperation.detach;
  services.manageNamespace(cid, { operation, nsid });
  return "pending";
}

/** A Controller List (figure 137): how many, then their ids, ascending. There is one controller in this subsystem. */
function namesThisController(data: Uint8Array<ArrayBuffer>): boolean {
  const view = new DataView(data.buffer);
  const count = view.getUint16(0, true);
  return count === 1 && view.getUint16(2, true) === CONTROLLER_ID;
}
