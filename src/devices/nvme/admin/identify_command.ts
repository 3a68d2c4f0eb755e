import { Status } from "../spec/status.ts";
import type { AdminCommand, AdminResult } from "./admin_command.ts";
import type { AdminServices } from "./admin_queue.ts";
import {
  activeNamespaces,
  Cns,
  highestNsid,
  IDENTIFY_BYTES,
  identifyController,
  identifyNamespace,
  namespaceDescriptors,
} from "./identify.ts";

/** Answers one CNS value: the data structure, or a status in its place. */
type IdentifyStructure = (services: AdminServices, command: AdminCommand) => Uint8Array | number;

/** What Identify knows, by CNS value (NVMe 1.4, figure 244): this table is what is supported. */
export const identifyStructures: ReadonlyMap<number, IdentifyStructure> = new Map<number, IdentifyStructure>([
  [Cns.namespace, namespace],
  [Cns.controller, ({ identity, namespaces, oacs }) => identifyController(identity, namespaces, oacs)],
  [
    Cns.activeNamespaces,
    ({ namespaces }, { nsid }) =>
      nsid >= 0xfffffffe ? Status.invalidNamespace : activeNamespaces(namespaces, nsid),
  ],
  [
    Cns.namespaceDescriptors,
    (services, { nsid }) => {
      const found = services.namespaces.find(each => each.nsid === nsid);
      return found ? namespaceDescriptors(found) : Status.invalidNamespace;
    },
  ],
  [
    Cns.commandSetNamespace,
    (services, command) =>
      services.namespaces.some(({ nsid }) => nsid === command.nsid)
        ? ofNvmCommandSet(command)
        : Status.invalidNamespace,
  ],
  [Cns.commandSetController, (_, command) => ofNvmCommandSet(command)],
]);

/** Identify, section 5.15. */
export function identify(services: AdminServices, command: AdminCommand): AdminResult {
  const structure = identifyStructures.get(command.cdw10 & 0xff)?.(services, command) ?? Status.invalidField;
  return typeof structure === "number" ? structure : services.sendToHost(command, structure);
}

/** Identifiers up to NN that are not active answer with zeroes (section 5.15.2.2); others are invalid. */
function namespace(services: AdminServices, { nsid }: AdminCommand): Uint8Array | number {
  const found = services.namespaces.find(each => each.nsid === nsid);
  if (found) return identifyNamespace(found, services.allocatedBytes(nsid));
  const inactive = nsid >= 1 && nsid <= highestNsid(services.namespaces);
  return inactive ? new Uint8Array(IDENTIFY_BYTES) : Status.invalidNamespace;
}

/** CDW11 31:24 is the command set identifier. The NVM command set, 0, has nothing to say for itself. */
function ofNvmCommandSet({ cdw11 }: AdminCommand): Uint8Array | number {
  return cdw11 >>> 24 === 0 ? new Uint8Array(IDENTIFY_BYTES) : Status.invalidField;
}
