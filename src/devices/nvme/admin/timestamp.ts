import type { TimestampState } from "../controller_state.ts";

/** Bytes of the Timestamp data structure (NVMe 1.4, figure 300). */
export const TIMESTAMP_BYTES = 8;
const WRAP = 2n ** 48n;
/** Timestamp Origin, byte 6 bits 3:1: since a controller level reset, or set by the host. Synch, bit 0, is clear: it never stops. */
const SET_BY_HOST = 1 << 1;

/** The Timestamp feature (section 5.21.1.14): milliseconds since 1970 as the host has set them, or since the reset. */
export class Timestamp {
  /** What `now` was when the timestamp was `#start`. */
  #since: number;
  #start = 0n;
  #origin = 0;

  /** A controller level reset: 0 at `now`, in milliseconds of a clock that only goes forwards. */
  constructor(now: number) {
    this.#since = now;
  }

  /** Set Features. */
  set(data: Uint8Array<ArrayBuffer>, now: number): void {
    this.#start = new DataView(data.buffer).getBigUint64(0, true) % WRAP;
    this.#since = now;
    this.#origin = SET_BY_HOST;
  }

  /** For a snapshot of the machine. The time in between does not count: the guest's clock stood. */
  save(now: number): TimestampState {
    return { elapsedMs: Math.max(0, now - this.#since), start: this.#start.toString(), origin: this.#origin };
  }

  restore({ elapsedMs, start, origin }: TimestampState, now: number): void {
    this.#since = now - elapsedMs;
    this.#start = BigInt(start) % WRAP;
    this.#origin = origin & 0xff;
  }

  /** Get Features, current value. */
  data(now: number): Uint8Array<ArrayBuffer> {
    const data = new Uint8Array(TIMESTAMP_BYTES);
    const elapsed = BigInt(Math.max(0, Math.floor(now - this.#since)));
    new DataView(data.buffer).setBigUint64(0, (this.#start + elapsed) % WRAP, true);
    data[6] = this.#origin;
    return data;
  }
}
