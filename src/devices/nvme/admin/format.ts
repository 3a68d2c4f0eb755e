import { NamespaceOperation } from "../shared_state.ts";
import { NSID_ALL } from "../spec/entries.ts";
import { LBA_SHIFTS } from "../spec/lba_formats.ts";
import { Status } from "../spec/status.ts";
import type { AdminCommand, AdminResult } from "./admin_command.ts";
import type { AdminServices } from "./admin_queue.ts";

/** CDW10 (figure 326): LBA format 3:0, metadata and protection settings 8:4, Secure Erase Settings 11:9. */
const lbaFormat = (command: AdminCommand): number => command.cdw10 & 0xf;
const metadataSettings = (command: AdminCommand): number => (command.cdw10 >>> 4) & 0x1f;
const secureErase = (command: AdminCommand): number => (command.cdw10 >>> 9) & 7;
/** No secure erase was asked for, or that of user data: both delete everything. A cryptographic erase is 2. */
const USER_DATA_ERASE = 1;

/**
 * Format NVM, section 5.23: everything on the namespace, or on all, is deleted, and reads as zeroes; then it has the LBA
 * format that was asked for. Completes when that is durable.
 */
export function formatNvm(services: AdminServices, command: AdminCommand): AdminResult {
  const { nsid, cid } = command;
  const { active } = services.namespaces;
  const chosen = active.filter(namespace => nsid === NSID_ALL || namespace.nsid === nsid);
  if (chosen.length === 0) return services.namespaces.statusOf(nsid);
  const lbaShift = LBA_SHIFTS[lbaFormat(command)];
  if (lbaShift === undefined || metadataSettings(command) !== 0) return Status.invalidFormat;
  if (secureErase(command) > USER_DATA_ERASE) return Status.invalidField;
  if (chosen.some(namespace => namespace.lbaShift !== lbaShift)) {
    services.manageNamespace(cid, { operation: NamespaceOperation.format, nsid, lbaShift });
    return "pending";
  }
  return services.startFormat(nsid, cid) ? "pending" : Status.formatInProgress;
}
