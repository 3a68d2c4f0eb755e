import { MAX_IO_QUEUES } from "../shared_state.ts";
import { FeatureId } from "../spec/features.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import type { AdminResult } from "./admin_command.ts";

/** SEL field of Get Features (NVMe 1.4, figure 186). */
const Select = { current: 0, default: 1, saved: 2, capabilities: 3 } as const;
/** Capability bit 2: changeable. Bits 0 (saveable) and 1 (namespace specific) are never set here. */
const CHANGEABLE = 1 << 2;

/** Interrupt Vector Configuration, bit 16: Coalescing Disable. */
const COALESCING_DISABLE = 1 << 16;

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
    { name: "Temperature Threshold", initial: 343, changeable: true, mask: 0x3fffff },
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
]);

/** The controller's features (NVMe 1.4, section 5.21.1). A reset makes a new set: nothing is saved. */
export class Features {
  readonly #values = new Map<number, number>();
  readonly #vectors: number;
  /** Interrupt vectors whose interrupts are not to be coalesced (feature 09h, bit CD). */
  readonly uncoalescedVectors = new Set<number>();

  /** `vectors`: how many interrupt vectors there are; with the pin alone it is one. */
  constructor(vectors: number) {
    this.#vectors = vectors;
  }

  get(id: number): number {
    return this.#values.get(id) ?? features.get(id)?.initial ?? 0;
  }

  /** Get Features, section 5.13. CDW11 says of which vector, for the one feature that each vector has. */
  read(cdw10: number, cdw11: number): AdminResult {
    const feature = features.get(cdw10 & 0xff);
    if (!feature) return Status.invalidField;
    switch ((cdw10 >>> 8) & 7) {
      case Select.current:
        return (cdw10 & 0xff) === FeatureId.interruptVectorConfiguration
          ? this.#readVector(cdw11 & 0xffff)
          : { status: Status.success, result: this.get(cdw10 & 0xff) | 0 };
      case Select.default:
      case Select.saved:
        return { status: Status.success, result: feature.initial | 0 };
      case Select.capabilities:
        return { status: Status.success, result: feature.changeable ? CHANGEABLE : 0 };
      default:
        return Status.invalidField;
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
    if (id === FeatureId.interruptVectorConfiguration) {
      if (cdw11 & COALESCING_DISABLE) this.uncoalescedVectors.add(cdw11 & 0xffff);
      else this.uncoalescedVectors.delete(cdw11 & 0xffff);
      return Status.success;
    }
    const value = id === FeatureId.numberOfQueues ? grantQueues(cdw11) : cdw11 & feature.mask;
    this.#values.set(id, value);
    return { status: Status.success, result: id === FeatureId.numberOfQueues ? value : 0 };
  }

  /** Section 5.21.1.9. */
  #readVector(vector: number): AdminResult {
    if (vector >= this.#vectors) return Status.invalidField;
    const disabled = this.uncoalescedVectors.has(vector) ? COALESCING_DISABLE : 0;
    return { status: Status.success, result: vector | disabled };
  }

  #check(id: number, cdw11: number, queuesExist: boolean): StatusCode {
    switch (id) {
      case FeatureId.numberOfQueues:
        // Section 5.21.1.7: 65535 is reserved; once I/O queues exist it is too late.
        if ((cdw11 & 0xffff) === 0xffff || cdw11 >>> 16 === 0xffff) return Status.invalidField;
        return queuesExist ? Status.sequenceError : Status.success;
      case FeatureId.temperatureThreshold:
        // THSEL (21:20) 0 is the over temperature threshold; an under threshold never comes into play and is not kept.
        return (cdw11 >>> 20) & 3 ? Status.invalidField : Status.success;
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
