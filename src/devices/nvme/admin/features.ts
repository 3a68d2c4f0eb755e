import type { FeaturesState } from "../controller_state.ts";
import { MAX_IO_QUEUES } from "../shared_state.ts";
import { FeatureId } from "../spec/features.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import type { AdminResult } from "./admin_command.ts";
import type { TemperatureThresholds } from "./temperature.ts";

/** SEL field of Get Features (NVMe 1.4, figure 186). */
export const Select = { current: 0, default: 1, saved: 2, capabilities: 3 } as const;
/** Capability bit 2: changeable. Bits 0 (saveable) and 1 (namespace specific) are never set here. */
const CHANGEABLE = 1 << 2;

/** Interrupt Vector Configuration, bit 16: Coalescing Disable. */
const COALESCING_DISABLE = 1 << 16;

/** Over temperature threshold at first, in kelvin: WCTEMP. */
export const DEFAULT_OVER_TEMPERATURE = 343;
/** Temperature Threshold, CDW11: sensor 19:16 (0: composite, Fh: all), and over 0 or under 1 in 21:20. */
const sensorOf = (cdw11: number): number => (cdw11 >>> 16) & 0xf;
const ALL_SENSORS = 0xf;
const thresholdOf = (cdw11: number): number => (cdw11 >>> 20) & 3;
const UNDER = 1;

/** Error Recovery, CDW11 bit 16: errors for blocks that are not written (DULBE). No namespace offers it. */
const DULBE = 1 << 16;

/** One feature: this table is what is supported. */
export interface Feature {
  readonly name: string;
  readonly initial: number;
  readonly changeable: boolean;
  /** Bits of CDW11 that are kept. */
  readonly mask: number;
}

/** The features (NVMe 1.4, section 5.21.1), by identifier. */
export const features: ReadonlyMap<number, Feature> = new Map<number, Feature>([
  [FeatureId.arbitration, { name: "Arbitration", initial: 5, changeable: true, mask: 0xffffff07 }],
  [FeatureId.powerManagement, { name: "Power Management", initial: 0, changeable: true, mask: 0xff }],
  [
    FeatureId.temperatureThreshold,
    { name: "Temperature Threshold", initial: DEFAULT_OVER_TEMPERATURE, changeable: true, mask: 0xffff },
  ],
  [FeatureId.errorRecovery, { name: "Error Recovery", initial: 0, changeable: true, mask: 0xffff }],
  [FeatureId.volatileWriteCache, { name: "Volatile Write Cache", initial: 1, changeable: true, mask: 1 }],
  [
    FeatureId.numberOfQueues,
    {
      name: "Number of Queues",
      initial: (MAX_IO_QUEUES - 1) | ((MAX_IO_QUEUES - 1) << 16),
      changeable: true,
      mask: 0xffffffff,
    },
  ],
  [
    FeatureId.interruptCoalescing,
    { name: "Interrupt Coalescing", initial: 0, changeable: true, mask: 0xffff },
  ],
  [
    FeatureId.interruptVectorConfiguration,
    { name: "Interrupt Vector Configuration", initial: 0, changeable: true, mask: 0x1ffff },
  ],
  [FeatureId.writeAtomicityNormal, { name: "Write Atomicity Normal", initial: 0, changeable: true, mask: 1 }],
  [
    FeatureId.asyncEventConfiguration,
    { name: "Asynchronous Event Configuration", initial: 0, changeable: true, mask: 0xffff },
  ],
  // Its value is in memory: see Timestamp.
  [FeatureId.timestamp, { name: "Timestamp", initial: 0, changeable: true, mask: 0 }],
  [FeatureId.keepAliveTimer, { name: "Keep Alive Timer", initial: 0, changeable: true, mask: 0xffffffff }],
  [FeatureId.sanitizeConfig, { name: "Sanitize Config", initial: 0, changeable: true, mask: 1 }],
]);

/** Arbitration, CDW11 2:0: the burst is a power of two, or has no limit (7), which is 0 here (section 5.21.1.1). */
export const arbitrationBurst = (cdw11: number): number => ((cdw11 & 7) === 7 ? 0 : 1 << (cdw11 & 7));

/** The controller's features (NVMe 1.4, section 5.21.1). A reset makes a new set: nothing is saved. */
export class Features {
  readonly #values = new Map<number, number>();
  readonly #vectors: number;
  /** Interrupt vectors whose interrupts are not to be coalesced (feature 09h, bit CD). */
  readonly uncoalescedVectors = new Set<number>();

  /** Under temperature threshold, in kelvin. */
  #underTemperature = 0;

  /** `vectors`: how many interrupt vectors there are; with the pin alone it is one. */
  constructor(vectors: number) {
    this.#vectors = vectors;
  }

  /** No-Deallocate Response Mode: a Sanitize that may not deallocate is run and warned of, not refused (5.21.1.23). */
  get allowsUnexpectedDeallocation(): boolean {
    return this.get(FeatureId.sanitizeConfig) !== 0;
  }

  get temperatureThresholds(): TemperatureThresholds {
    return { over: this.get(FeatureId.temperatureThreshold), under: this.#underTemperature };
  }

  /** For a snapshot of the machine. */
  save(): FeaturesState {
    return {
      values: [...this.#values],
      uncoalescedVectors: [...this.uncoalescedVectors],
      underTemperature: this.#underTemperature,
    };
  }

  restore({ values, uncoalescedVectors, underTemperature }: FeaturesState): void {
    for (const [id, value] of values) if (features.has(id)) this.#values.set(id, value >>> 0);
    for (const vector of uncoalescedVectors) this.uncoalescedVectors.add(vector & 0xffff);
    this.#underTemperature = underTemperature & 0xffff;
  }

  get(id: number): number {
    return this.#values.get(id) ?? features.get(id)?.initial ?? 0;
  }

  /** Get Features, section 5.13. CDW11 says of which vector or threshold, for features that have several. */
  read(cdw10: number, cdw11: number): AdminResult {
    const id = cdw10 & 0xff;
    const feature = features.get(id);
    if (!feature) return Status.invalidField;
    const select = (cdw10 >>> 8) & 7;
    if (select > Select.capabilities) return Status.invalidField;
    if (select === Select.capabilities) {
      return { status: Status.success, result: feature.changeable ? CHANGEABLE : 0 };
    }
    // Nothing can be saved, so the saved value is the default (section 5.13).
    const isCurrent = select === Select.current;
    switch (id) {
      case FeatureId.interruptVectorConfiguration:
        return this.#readVector(cdw11 & 0xffff, isCurrent);
      case FeatureId.temperatureThreshold:
        return this.#readTemperature(cdw11, isCurrent);
      default:
        return { status: Status.success, result: (isCurrent ? this.get(id) : feature.initial) | 0 };
    }
  }

  /** Set Features, section 5.21. `queuesExist`: I/O queues have been created since the controller was enabled. */
  write(cdw10: number, cdw11: number, queuesExist: boolean): AdminResult {
    const id = cdw10 & 0xff;
    const feature = features.get(id);
    if (!feature) return Status.invalidField;
    if (cdw10 >>> 31 !== 0) return Status.featureNotSaveable;
    const status = this.#check(id, cdw11, queuesExist);
    if (status !== Status.success) return status;
    switch (id) {
      case FeatureId.interruptVectorConfiguration:
        if (cdw11 & COALESCING_DISABLE) this.uncoalescedVectors.add(cdw11 & 0xffff);
        else this.uncoalescedVectors.delete(cdw11 & 0xffff);
        return Status.success;
      case FeatureId.temperatureThreshold:
        if (thresholdOf(cdw11) === UNDER) this.#underTemperature = cdw11 & feature.mask;
        else this.#values.set(id, cdw11 & feature.mask);
        return Status.success;
      case FeatureId.numberOfQueues:
        this.#values.set(id, grantQueues(cdw11));
        return { status: Status.success, result: grantQueues(cdw11) };
      default:
        this.#values.set(id, (cdw11 & feature.mask) >>> 0);
        return Status.success;
    }
  }

  /** Section 5.21.1.9. */
  #readVector(vector: number, isCurrent: boolean): AdminResult {
    if (vector >= this.#vectors) return Status.invalidField;
    const disabled = isCurrent && this.uncoalescedVectors.has(vector) ? COALESCING_DISABLE : 0;
    return { status: Status.success, result: vector | disabled };
  }

  /** Section 5.21.1.4. There is no sensor but the composite temperature. */
  #readTemperature(cdw11: number, isCurrent: boolean): AdminResult {
    if (sensorOf(cdw11) !== 0 || thresholdOf(cdw11) > UNDER) return Status.invalidField;
    const { over, under } = this.temperatureThresholds;
    if (thresholdOf(cdw11) === UNDER) return { status: Status.success, result: isCurrent ? under : 0 };
    return { status: Status.success, result: isCurrent ? over : DEFAULT_OVER_TEMPERATURE };
  }

  #check(id: number, cdw11: number, queuesExist: boolean): StatusCode {
    switch (id) {
      case FeatureId.numberOfQueues:
        // Section 5.21.1.7: 65535 is reserved; once I/O queues exist it is too late.
        if ((cdw11 & 0xffff) === 0xffff || cdw11 >>> 16 === 0xffff) return Status.invalidField;
        return queuesExist ? Status.sequenceError : Status.success;
      case FeatureId.temperatureThreshold:
        return (sensorOf(cdw11) === 0 || sensorOf(cdw11) === ALL_SENSORS) && thresholdOf(cdw11) <= UNDER
          ? Status.success
          : Status.invalidField;
      case FeatureId.errorRecovery:
        return (cdw11 & DULBE) === 0 ? Status.success : Status.invalidField;
      case FeatureId.powerManagement:
        // One power state.
        return (cdw11 & 0x1f) === 0 ? Status.success : Status.invalidField;
      case FeatureId.interruptVectorConfiguration:
        return (cdw11 & 0xffff) < this.#vectors ? Status.success : Status.invalidField;
      default:
        return Status.success;
    }
  }
}

function grantQueues(cdw11: number): number {
  const most = MAX_IO_QUEUES - 1;
  return Math.min(cdw11 & 0xffff, most) | (Math.min(cdw11 >>> 16, most) << 16);
}
