import { NSID_ALL } from "../spec/entries.ts";
import { Status } from "../spec/status.ts";
import type { AdminCommand, AdminResult } from "./admin_command.ts";
import type { AdminServices } from "./admin_queue.ts";
import {
  Cns,
  commonNamespace,
  IDENTIFY_BYTES,
  identifyController,
  identifyNamespace,
  namespaceDescriptors,
} from "./identify.ts";
import {
  allocatedNamespace,
  attachedControllers,
  controllerList,
  namespaceList,
} from "./identify_namespaces.ts";

/** Answers one CNS value: the data structure, or a status in its place. */
type IdentifyStructure = (services: AdminServices, command: AdminCommand) => Uint8Array | number;

/** What Identify knows, by CNS value (NVMe 1.4, figure 244): this table is what is supported. */
export const identifyStructures: ReadonlyMap<number, IdentifyStructure> = new Map<number, IdentifyStructure>([
  [Cns.namespace, namespace],
  [Cns.controller, ({ identity, namespaces, oacs }) => identifyController(identity, namespaces, oacs)],
  [Cns.activeNamespaces, ({ namespaces }, command) => namespaceList(namespaces.active, command)],
  [
    Cns.namespaceDescriptors,
    (services, { nsid }) => {
      const found = services.namespaces.active.find(each => each.nsid === nsid);
      return found ? namespaceDescriptors(found) : Status.invalidNamespace;
    },
  ],
  [
    Cns.commandSetNamespace,
    (services, command) =>
      services.namespaces.active.some(({ nsid }) => nsid === command.nsid)
        ? ofNvmCommandSet(command)
        : Status.invalidNamespace,
  ],
  [Cns.commandSetController, (_, command) => ofNvmCommandSet(command)],
  [Cns.allocatedNamespaces, ({ namespaces }, command) => namespaceList(namespaces.allocated, command)],
  [Cns.allocatedNamespace, allocatedNamespace],
  [Cns.attachedControllers, attachedControllers],
  [Cns.controllers, (_, command) => controllerList(command, true)],
]);

/** Identify, section 5.15. */
export function identify(services: AdminServices, command: AdminCommand): AdminResult {
  const structure = identifyStructures.get(command.cdw10 & 0xff)?.(services, command) ?? Status.invalidField;
  return typeof structure === "number" ? structure : services.sendToHost(command, structure);
}

/** Identifiers up to NN that are not active answer with zeroes (section 5.15.2.2); others are invalid. */
function namespace(services: AdminServices, { nsid }: AdminCommand): Uint8Array | number {
  // What all have in common, as Namespace Management is there.
  if (nsid === NSID_ALL) return commonNamespace();
  const found = services.namespaces.active.find(each => each.nsid === nsid);
  if (found) return identifyNamespace(found, services.namespaces.allocatedBytes(nsid));
  const inactive = nsid >= 1 && nsid <= services.namespaces.highestNsid;
  return inactive ? new Uint8Array(IDENTIFY_BYTES) : Status.invalidNamespace;
}

/** CDW11 31:24 is the command set identifier. The NVM command set, 0, has nothing to say for itself. */
function ofNvmCommandSet({ cdw11 }: AdminCommand): Uint8Array | number {
  return cdw11 >>> 24 === 0 ? new Uint8Array(IDENTIFY_BYTES) : Status.invalidField;
}
