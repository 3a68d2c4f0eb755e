/** Temperature of the emulated drive, which has none: a room's, in kelvin. */
export const COMPOSITE_TEMPERATURE = 300;

/** Temperature thresholds in kelvin (feature 04h). */
export interface TemperatureThresholds {
  readonly over: number;
  readonly under: number;
}

/** Critical Warning bit 1 of the SMART log: the composite temperature is at a threshold or beyond (figure 194). */
export const isTemperatureCritical = ({ over, under }: TemperatureThresholds): boolean =>
  COMPOSITE_TEMPERATURE >= over || COMPOSITE_TEMPERATURE <= under;

/** Bit 1 of feature 0Bh: an event for each time that the warning comes up (NVMe 1.4, section 5.21.1.11). */
const TEMPERATURE_NOTICES = 1 << 1;

/** Says when an asynchronous event is due: as the warning comes up, or as the host asks for events while it is up. */
export class TemperatureWatch {
  /** Was the warning that is up told of? */
  reported = false;

  check(thresholds: TemperatureThresholds, asyncEventConfiguration: number): boolean {
    const due = isTemperatureCritical(thresholds) && (asyncEventConfiguration & TEMPERATURE_NOTICES) !== 0;
    const isNew = due && !this.reported;
    this.reported = due;
    return isNew;
  }
}
