import { Control, type SharedState } from "../shared_state.ts";
import { FeatureId } from "../spec/features.ts";
import { AsyncEvent, type AsyncEvents } from "./async_events.ts";
import { arbitrationBurst, type Features } from "./features.ts";
import type { KeepAlive } from "./keep_alive.ts";
import { TemperatureWatch } from "./temperature.ts";

export interface FeatureEffectsOptions {
  readonly shared: SharedState;
  /** The values of feature 08h and 09h. */
  readonly configureCoalescing: (feature: number, uncoalescedVectors: ReadonlySet<number>) => void;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

/** Hands the values of the features (NVMe 1.4, section 5.21.1) to the parts of the controller that they are about. */
export class FeatureEffects {
  readonly #options: FeatureEffectsOptions;
  readonly #keepAlive: KeepAlive;
  readonly temperature = new TemperatureWatch();

  constructor(options: FeatureEffectsOptions, keepAlive: KeepAlive) {
    this.#options = options;
    this.#keepAlive = keepAlive;
  }

  apply(features: Features, events: AsyncEvents): void {
    const { shared, configureCoalescing, now } = this.#options;
    shared.setControl(Control.WRITE_CACHE, features.get(FeatureId.volatileWriteCache));
    shared.setControl(Control.ARBITRATION_BURST, arbitrationBurst(features.get(FeatureId.arbitration)));
    configureCoalescing(features.get(FeatureId.interruptCoalescing), features.uncoalescedVectors);
    this.#keepAlive.configure(features.get(FeatureId.keepAliveTimer), now);
    const notices = features.get(FeatureId.asyncEventConfiguration);
    if (this.temperature.check(features.temperatureThresholds, notices)) {
      events.report(AsyncEvent.temperatureThreshold);
    }
  }
}
