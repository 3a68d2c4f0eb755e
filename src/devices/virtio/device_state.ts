/**
 * The state of a virtio device as plain data, for snapshots of a machine: its registers, and how far its rings are used. The rings
 * themselves are in guest memory. It is taken between two requests (`VirtioPciDevice.busyWith`) and put into a device that is as
 * new. A unit attention that a SCSI driver was not told of is lost: it says that a reset was done, which the driver has asked for.
 */
import type { DeviceType } from "./device_type.ts";
import { DeviceStatus, VERSION_1_HIGH } from "./spec/transport.ts";

/** Raised whenever the meaning of anything below changes. */
export const VIRTIO_STATE_VERSION = 1;

export interface VirtioQueueState {
  /** The 32-bit halves of queue_desc, queue_driver and queue_device. */
  readonly addresses: readonly number[];
  readonly size: number;
  readonly vector: number;
  readonly enabled: boolean;
  /** avail.idx up to which buffers were taken; used.idx, and as of the last decision on an interrupt. */
  readonly lastAvail: number;
  readonly usedIdx: number;
  readonly signalledIdx: number;
}

export interface VirtioState {
  readonly version: number;
  readonly pciDeviceId: number;
  readonly status: number;
  readonly featureSelect: number;
  readonly driverFeatureSelect: number;
  readonly driverFeatures: readonly number[];
  readonly configVector: number;
  readonly queueSelect: number;
  readonly isr: number;
  readonly pin: boolean;
  /** The device's own configuration, of which a driver may have changed some fields. */
  readonly configuration: readonly number[];
  readonly queues: readonly VirtioQueueState[];
}

/** The state cannot be put into this device; a sentence. */
export class VirtioStateError extends Error {
  override readonly name = "VirtioStateError";
}

/**
 * Throws VirtioStateError for a state that would have the device touch what it must not: it may come from a file. Where the rings
 * lie is for the queues to check. A state that is merely odd harms nobody but its own guest.
 */
export function checkVirtioState(
  state: VirtioState,
  type: DeviceType,
  offered: readonly [number, number],
): void {
  const refuse = (what: string): never => {
    throw new VirtioStateError(`The saved state of the virtio device is damaged: ${what}.`);
  };
  if (state?.version !== VIRTIO_STATE_VERSION) {
    throw new VirtioStateError(
      `The saved state of the virtio device has version ${state?.version}; this Doorbell reads version ${VIRTIO_STATE_VERSION}.`,
    );
  }
  if (state.pciDeviceId !== type.pciDeviceId) refuse("it is one of another kind of device");
  const registers = [state.configVector, state.queueSelect];
  if (!registers.every(value => isBelow(value, 0x10000)) || !isBelow(state.isr, 4))
    refuse("a register has no such value");
  const selects = [state.featureSelect, state.driverFeatureSelect];
  if (!areBelow(selects, 2, 2 ** 32) || !areBelow(state.driverFeatures, 2, 2 ** 32))
    refuse("there are no such features");
  const { status } = state;
  const [low, high] = state.driverFeatures;
  const isAgreed = (status & DeviceStatus.FEATURES_OK) !== 0;
  if (!isBelow(status, 256) || (status & DeviceStatus.DEVICE_NEEDS_RESET) !== 0)
    refuse("it has no such status");
  if ((status & DeviceStatus.DRIVER_OK) !== 0 && !isAgreed) refuse("it has no such status");
  if (isAgreed && ((low & ~offered[0]) !== 0 || high !== VERSION_1_HIGH))
    refuse("it has features that there are not");
  checkConfiguration(state.configuration, type, refuse);
  if (!Array.isArray(state.queues) || state.queues.length !== type.queues) refuse("there are no such queues");
  for (const { addresses, size, vector, lastAvail, usedIdx, signalledIdx } of state.queues) {
    if (!areBelow(addresses, 6, 2 ** 32) || !areBelow([size, vector], 2, 0x10000))
      refuse("a queue lies nowhere");
    if (!areBelow([lastAvail, usedIdx, signalledIdx], 3, 0x10000)) refuse("a queue does not count right");
  }
}

const isBelow = (value: unknown, end: number): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;

const areBelow = (values: unknown, length: number, end: number): boolean =>
  Array.isArray(values) && values.length === length && values.every(value => isBelow(value, end));

/** Only what a driver may write is other than at reset. */
function checkConfiguration(
  bytes: readonly number[],
  type: DeviceType,
  refuse: (what: string) => never,
): void {
  const initial = new DataView(type.configuration().buffer);
  if (!areBelow(bytes, initial.byteLength, 256)) refuse("it has no such configuration");
  const saved = new DataView(Uint8Array.from(bytes).buffer);
  for (let at = 0; at < initial.byteLength; at++) {
    if (saved.getUint8(at) === initial.getUint8(at)) continue;
    const field = at & ~3;
    const isField = field + 4 <= initial.byteLength;
    if (!isField || !type.isWritable(field, saved.getUint32(field, true)))
      refuse("it has no such configuration");
  }
}
