import { NSID_ALL } from "../spec/entries.ts";
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
 * Format NVM, section 5.23: everything on the namespace, or on all, is deleted, and reads as zeroes. There is one LBA
 * format, that of the disk. Completes when the deletion is durable.
 */
export function formatNvm(services: AdminServices, command: AdminCommand): AdminResult {
  const { nsid, cid } = command;
  if (nsid !== NSID_ALL && !services.namespaces.some(namespace => namespace.nsid === nsid)) {
    return Status.invalidNamespace;
  }
  if (lbaFormat(command) !== 0 || metadataSettings(command) !== 0) return Status.invalidFormat;
  if (secureErase(command) > USER_DATA_ERASE) return Status.invalidField;
  return services.startFormat(nsid, cid) ? "pending" : Status.formatInProgress;
}
