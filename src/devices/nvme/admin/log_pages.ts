import { Counter } from "../../../trace/counters.ts";
import type { Health } from "../health.ts";
import { ioCommands } from "../io/commands.ts";
import { LogPageId } from "../spec/features.ts";
import type { ChangedNamespaces } from "./changed_namespaces.ts";
import type { ErrorLog } from "./error_log.ts";
import type { SanitizeOperation } from "./sanitize.ts";
import type { SelfTest } from "./self_test.ts";
import { COMPOSITE_TEMPERATURE, isTemperatureCritical, type TemperatureThresholds } from "./temperature.ts";

/** What log pages are made of. */
export interface LogSources {
  readonly counters: Int32Array;
  readonly errorLog: ErrorLog;
  readonly changedNamespaces: ChangedNamespaces;
  readonly firmwareRevision: string;
  readonly health: Health;
  readonly selfTest: SelfTest;
  readonly sanitizer: SanitizeOperation;
  readonly temperatureThresholds: TemperatureThresholds;
  /** Opcode and effects of each admin command. */
  readonly adminEffects: Iterable<readonly [opcode: number, effects: number]>;
  /** Milliseconds, monotonic. */
  readonly now: number;
}

/** One log page: this table is what is supported. `build` makes the whole page. */
export interface LogPage {
  readonly name: string;
  /** May it be read while a Sanitize operation goes on, or after one that has failed? (section 8.15) */
  readonly duringSanitize: boolean;
  build(sources: LogSources): Uint8Array;
}

/** The log pages (NVMe 1.4, section 5.14.1), by identifier. */
export const logPages: ReadonlyMap<number, LogPage> = new Map<number, LogPage>([
  [
    LogPageId.error,
    {
      name: "Error Information",
      duringSanitize: true,
      // Where data was is not told of a medium that is being purged.
      build: ({ errorLog, sanitizer }) => errorLog.page({ withLbas: sanitizer.refusal === undefined }),
    },
  ],
  [LogPageId.smart, { name: "SMART / Health Information", duringSanitize: true, build: smart }],
  [
    LogPageId.firmwareSlot,
    {
      name: "Firmware Slot Information",
      duringSanitize: false,
      build: ({ firmwareRevision }) => firmwareSlot(firmwareRevision),
    },
  ],
  [
    LogPageId.changedNamespaces,
    {
      name: "Changed Namespace List",
      duringSanitize: true,
      build: ({ changedNamespaces }) => changedNamespaces.page(),
    },
  ],
  [
    LogPageId.commandEffects,
    {
      name: "Commands Supported and Effects",
      duringSanitize: false,
      build: ({ adminEffects }) => commandEffects(adminEffects),
    },
  ],
  [
    LogPageId.selfTest,
    { name: "Device Self-test", duringSanitize: false, build: ({ selfTest }) => selfTest.page() },
  ],
  [
    LogPageId.sanitizeStatus,
    { name: "Sanitize Status", duringSanitize: true, build: ({ sanitizer }) => sanitizer.page() },
  ],
]);

/** Critical Warning, bit 1. */
const TEMPERATURE_WARNING = 1 << 1;
/** Data units are thousands of 512 bytes, rounded up. */
const dataUnits = (sectors: number): bigint => BigInt(Math.ceil((sectors >>> 0) / 1000));

/** SMART / Health Information, page 02h (figure 194). */
function smart({ counters, health, temperatureThresholds, now }: LogSources): Uint8Array {
  const data = new Uint8Array(512);
  const view = new DataView(data.buffer);
  const count = (index: number): bigint => BigInt(Atomics.load(counters, index) >>> 0);
  if (isTemperatureCritical(temperatureThresholds)) data[0] = TEMPERATURE_WARNING;
  view.setUint16(1, COMPOSITE_TEMPERATURE, true); // composite temperature
  data[3] = 100; // available spare, %
  data[4] = 10; // available spare threshold, %
  view.setBigUint64(32, dataUnits(Atomics.load(counters, Counter.sectorsRead)), true);
  view.setBigUint64(48, dataUnits(Atomics.load(counters, Counter.sectorsWritten)), true);
  view.setBigUint64(64, count(Counter.reads), true); // host read commands
  view.setBigUint64(80, count(Counter.writes), true); // host write commands
  view.setBigUint64(96, BigInt(health.busyMinutes), true); // controller busy time
  view.setBigUint64(112, BigInt(health.powerCycles), true);
  view.setBigUint64(128, BigInt(health.poweredHours(now)), true); // power on hours
  view.setBigUint64(144, BigInt(health.unsafeShutdowns), true);
  view.setBigUint64(160, BigInt(health.mediaErrors), true); // media and data integrity errors
  view.setBigUint64(176, BigInt(health.errorLogEntries), true); // number of error log entries
  return data;
}

/** Firmware Slot Information, page 03h: slot 1 is active and the only one. */
function firmwareSlot(revision: string): Uint8Array {
  const data = new Uint8Array(512);
  data[0] = 1;
  data.fill(0x20, 8, 16);
  for (let i = 0; i < Math.min(8, revision.length); i++) data[8 + i] = revision.charCodeAt(i) & 0x7f;
  return data;
}

/** Commands Supported and Effects, page 05h: made from the tables that dispatch the commands. */
function commandEffects(adminEffects: LogSources["adminEffects"]): Uint8Array {
  const data = new Uint8Array(4096);
  const view = new DataView(data.buffer);
  for (const [opcode, effects] of adminEffects) view.setUint32(opcode * 4, effects, true);
  for (const [opcode, { effects }] of ioCommands) view.setUint32(1024 + opcode * 4, effects, true);
  return data;
}
