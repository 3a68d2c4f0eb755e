/** Identify data structures about which namespaces there are (NVMe 1.4, section 5.15.2), for CNS 02h and 10h to 13h. */
import type { NamespaceInfo } from "../namespace.ts";
import { NSID_ALL } from "../spec/entries.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import type { AdminCommand } from "./admin_command.ts";
import type { AdminServices } from "./admin_queue.ts";
import { CONTROLLER_ID, IDENTIFY_BYTES, identifyNamespace } from "./identify.ts";

/** Namespace List (section 4.10): the ids above the command's, ascending. */
export function namespaceList(
  namespaces: readonly NamespaceInfo[],
  { nsid: after }: AdminCommand,
): Uint8Array | StatusCode {
  if (after >= 0xfffffffe) return Status.invalidNamespace;
  const data = new Uint8Array(IDENTIFY_BYTES);
  const view = new DataView(data.buffer);
  const ids = namespaces.map(({ nsid }) => nsid).filter(nsid => nsid > after);
  ids.sort((a, b) => a - b);
  for (const [i, nsid] of ids.entries()) view.setUint32(i * 4, nsid, true);
  return data;
}

/** Identify Namespace, whether or not it is attached. Of an id that is not allocated there is nothing to be told. */
export function allocatedNamespace(services: AdminServices, { nsid }: AdminCommand): Uint8Array | StatusCode {
  const { allocated, highestNsid } = services.namespaces;
  const namespace = allocated.find(each => each.nsid === nsid);
  if (namespace) return identifyNamespace(namespace, services.namespaces.allocatedBytes(nsid));
  const isValid = nsid >= 1 && nsid <= highestNsid;
  return isValid ? new Uint8Array(IDENTIFY_BYTES) : Status.invalidNamespace;
}

export function attachedControllers(
  { namespaces }: AdminServices,
  command: AdminCommand,
): Uint8Array | StatusCode {
  const { nsid } = command;
  if (nsid === NSID_ALL) return Status.invalidField;
  if (nsid < 1 || nsid > namespaces.highestNsid) return Status.invalidNamespace;
  return controllerList(
    command,
    namespaces.active.some(each => each.nsid === nsid),
  );
}

/** Controller List (section 4.9) with the only controller, or nothing. CDW10 31:16 is the lowest id asked for. */
export function controllerList({ cdw10 }: AdminCommand, isListed: boolean): Uint8Array {
  const data = new Uint8Array(IDENTIFY_BYTES);
  if (!isListed || CONTROLLER_ID < cdw10 >>> 16) return data;
  const view = new DataView(data.buffer);
  view.setUint16(0, 1, true);
  view.setUint16(2, CONTROLLER_ID, true);
  return data;
}
