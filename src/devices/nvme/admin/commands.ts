import { Effect } from "../effects.ts";
import { NSID_ALL } from "../spec/entries.ts";
import { FeatureId } from "../spec/features.ts";
import { AdminOpcode, Oacs } from "../spec/opcodes.ts";
import { Status } from "../spec/status.ts";
import type { AdminCommand, AdminResult } from "./admin_command.ts";
import type { AdminServices } from "./admin_queue.ts";
import { features, Select } from "./features.ts";
import { formatNvm } from "./format.ts";
import { identify } from "./identify_command.ts";
import { logPages } from "./log_pages.ts";
import { namespaceAttachment, namespaceManagement } from "./namespaces.ts";
import { createIoCq, createIoSq, deleteIoCq, deleteIoSq } from "./queue_commands.ts";
import { sanitize } from "./sanitize.ts";
import { deviceSelfTest } from "./self_test.ts";
import type { ShadowExtension } from "./shadow_extension.ts";
import { TIMESTAMP_BYTES } from "./timestamp.ts";

/** One admin command: this table is what is supported, how it is run, and what the effects log says. */
export interface AdminCommandEntry {
  readonly name: string;
  readonly effects: number;
  /** Bit of Optional Admin Command Support (OACS, figure 247) that says it is there; 0 for mandatory commands. */
  readonly oacs: number;
  /** May it be executed while a Sanitize operation goes on, or after one that has failed? (section 8.15) */
  readonly duringSanitize: boolean;
  execute(services: AdminServices, command: AdminCommand): AdminResult;
}

const entry = (
  name: string,
  execute: AdminCommandEntry["execute"],
  { effects = 0, oacs = 0, duringSanitize = true }: Partial<Omit<AdminCommandEntry, "name" | "execute">> = {},
): AdminCommandEntry => ({
  name,
  effects: Effect.supported | effects,
  oacs,
  duringSanitize,
  execute,
});

const commands: ReadonlyMap<number, AdminCommandEntry> = new Map([
  [AdminOpcode.deleteIoSq, entry("Delete I/O Submission Queue", deleteIoSq)],
  [AdminOpcode.createIoSq, entry("Create I/O Submission Queue", createIoSq)],
  [AdminOpcode.getLogPage, entry("Get Log Page", getLogPage)],
  [AdminOpcode.deleteIoCq, entry("Delete I/O Completion Queue", deleteIoCq)],
  [AdminOpcode.createIoCq, entry("Create I/O Completion Queue", createIoCq)],
  [AdminOpcode.identify, entry("Identify", identify)],
  [AdminOpcode.abort, entry("Abort", abort)],
  [AdminOpcode.setFeatures, entry("Set Features", setFeatures)],
  [AdminOpcode.getFeatures, entry("Get Features", getFeatures)],
  [AdminOpcode.asyncEventRequest, entry("Asynchronous Event Request", asyncEventRequest)],
  [
    AdminOpcode.namespaceManagement,
    entry("Namespace Management", namespaceManagement, {
      effects: Effect.changesBlocks | Effect.changesInventory,
      oacs: Oacs.namespaceManagement,
      duringSanitize: false,
    }),
  ],
  [
    AdminOpcode.namespaceAttachment,
    entry("Namespace Attachment", namespaceAttachment, {
      effects: Effect.changesInventory,
      oacs: Oacs.namespaceManagement,
      duringSanitize: false,
    }),
  ],
  [
    AdminOpcode.deviceSelfTest,
    entry("Device Self-test", deviceSelfTest, { oacs: Oacs.deviceSelfTest, duringSanitize: false }),
  ],
  [AdminOpcode.keepAlive, entry("Keep Alive", keepAlive)],
  [
    AdminOpcode.formatNvm,
    entry("Format NVM", formatNvm, {
      effects: Effect.changesBlocks | Effect.changesNamespace | Effect.aloneOnNamespace,
      oacs: Oacs.formatNvm,
      duringSanitize: false,
    }),
  ],
  [
    AdminOpcode.sanitize,
    entry("Sanitize", sanitize, { effects: Effect.changesBlocks | Effect.aloneInSubsystem }),
  ],
]);

const doorbellExtensions: Readonly<Record<ShadowExtension, ReadonlyMap<number, AdminCommandEntry>>> = {
  off: new Map(),
  dbbuf: new Map([
    [
      AdminOpcode.doorbellBufferConfig,
      entry("Doorbell Buffer Config", doorbellBufferConfig, { oacs: Oacs.doorbellBufferConfig }),
    ],
  ]),
  google: new Map([
    [AdminOpcode.googleShadowDoorbells, entry("Google Shadow Doorbells", googleShadowDoorbells)],
  ]),
};

/** The admin commands that a controller offers. */
export function adminCommands(options: {
  readonly shadowDoorbells: ShadowExtension;
}): ReadonlyMap<number, AdminCommandEntry> {
  return new Map([...commands, ...doorbellExtensions[options.shadowDoorbells]]);
}

/** Get Log Page, section 5.14. */
function getLogPage(services: AdminServices, command: AdminCommand): AdminResult {
  const id = command.cdw10 & 0xff;
  const retainEvent = (command.cdw10 & (1 << 15)) !== 0;
  const dwords = (command.cdw10 >>> 16) + (command.cdw11 & 0xffff) * 0x10000 + 1;
  const offset = command.cdw12 + command.cdw13 * 0x1_0000_0000;
  const known = logPages.get(id);
  if (!known) return Status.invalidLogPage;
  if (!known.duringSanitize && services.sanitizer.refusal !== undefined) return services.sanitizer.refusal;
  const page = known.build(services.logSources);
  // All are of the controller or the subsystem. LPA bit 0 is clear: so is the SMART log.
  if (command.nsid !== 0 && command.nsid !== NSID_ALL) return Status.invalidField;
  if ((offset & 3) !== 0 || offset > page.length) return Status.invalidField;
  // Reading beyond the end of a page is allowed and gives zeroes (section 5.14: undefined results).
  const bytes = dwords * 4;
  if (bytes > services.maxTransferBytes) return Status.invalidField;
  const data = new Uint8Array(bytes);
  data.set(page.subarray(offset, offset + bytes));
  const status = services.sendToHost(command, data);
  if (status === Status.success && !retainEvent) services.logPageRead(id);
  return status;
}

/**
 * Abort, section 5.1. Bit 0 of the result says "not aborted": such a command completes by itself, as all of the admin
 * queue do.
 */
function abort(services: AdminServices, command: AdminCommand): AdminResult {
  if ((command.cdw10 & 0xffff) === 0) return { status: Status.success, result: 1 };
  return services.startAbort(command) ? "pending" : Status.abortLimitExceeded;
}

/** Keep Alive, section 5.16. */
function keepAlive(services: AdminServices): AdminResult {
  services.keepAlive();
  return Status.success;
}

/** Set Features, section 5.21. All features are of the controller, none of one namespace. */
function setFeatures(services: AdminServices, command: AdminCommand): AdminResult {
  const { nsid } = command;
  if (features.has(command.cdw10 & 0xff) && nsid !== 0 && nsid !== NSID_ALL) {
    return services.namespaces.statusOf(nsid) || Status.featureNotNamespaceSpecific;
  }
  const result = services.features.write(command.cdw10, command.cdw11, services.ioQueuesExist);
  if (result === Status.success && (command.cdw10 & 0xff) === FeatureId.timestamp) {
    const data = services.receiveFromHost(command, TIMESTAMP_BYTES);
    if (typeof data === "number") return data;
    services.timestamp.set(data, services.now());
  }
  services.featuresChanged();
  return result;
}

/** Get Features, section 5.13. */
function getFeatures(services: AdminServices, command: AdminCommand): AdminResult {
  const { cdw10 } = command;
  const result = services.features.read(cdw10, command.cdw11);
  const select = (cdw10 >>> 8) & 7;
  const hasData = (cdw10 & 0xff) === FeatureId.timestamp && select < Select.capabilities;
  if (!hasData) return result;
  const isCurrent = select === Select.current;
  const data = isCurrent ? services.timestamp.data(services.now()) : new Uint8Array(TIMESTAMP_BYTES);
  return services.sendToHost(command, data);
}

/** Asynchronous Event Request, section 5.2: held until there is an event. */
function asyncEventRequest(services: AdminServices, command: AdminCommand): AdminResult {
  return services.asyncEvents.hold(command.cid) ? "pending" : Status.aerLimitExceeded;
}

/** Doorbell Buffer Config, section 5.7. PRP1: shadow doorbell page, PRP2: EventIdx page; both page aligned. */
function doorbellBufferConfig(services: AdminServices, command: AdminCommand): AdminResult {
  return services.enableShadowDoorbells(command.prp1, command.prp2);
}

/**
 * Google's vendor extension ("nvme: support Google vendor extension", qemu-devel, November 2015): opcode C0h, the same
 * two pages. Its driver took a status of its own for pages that are null or not aligned.
 */
function googleShadowDoorbells(services: AdminServices, command: AdminCommand): AdminResult {
  const status = services.enableShadowDoorbells(command.prp1, command.prp2);
  return status === Status.success ? status : Status.googleInvalidBuffer;
}
