import type { Health } from "../health.ts";
import { type ErrorLocation, locationOf } from "../spec/error_location.ts";
import { isMediaError, type StatusCode } from "../spec/status.ts";

/** Entries that the Error Information log holds (ELPE + 1). */
export const ERROR_LOG_ENTRIES = 64;
const ENTRY_BYTES = 64;
const LBA_AT = 16;

interface ErrorDetails {
  readonly lba?: bigint;
  readonly location?: ErrorLocation;
}

/** Error Information log, page 01h (NVMe 1.4, section 5.14.1.1): newest entry first. */
export class ErrorLog {
  readonly #entries: Uint8Array[] = [];
  readonly #health: Health;

  constructor(health: Health) {
    this.#health = health;
  }

  /**
   * `lba` is the first block in error, 0 where there is none; `location` the field of the command that is, where the
   * status does not tell.
   */
  add(
    sqid: number,
    cid: number,
    status: StatusCode,
    nsid: number,
    { lba = 0n, location = locationOf(status) }: ErrorDetails = {},
  ): void {
    const number = this.#health.countError(isMediaError(status));
    const entry = new Uint8Array(ENTRY_BYTES);
    const view = new DataView(entry.buffer);
    view.setBigUint64(0, BigInt(number), true);
    view.setUint16(8, sqid, true);
    view.setUint16(10, cid, true);
    view.setUint16(12, status << 1, true); // status field with the phase bit 0
    view.setUint16(14, location, true); // parameter error location
    view.setBigUint64(LBA_AT, lba, true);
    view.setUint32(24, nsid, true);
    this.#entries.unshift(entry);
    this.#entries.length = Math.min(this.#entries.length, ERROR_LOG_ENTRIES);
  }

  /** For a snapshot of the machine: the entries, newest first. */
  save(): number[][] {
    return this.#entries.map(entry => [...entry]);
  }

  restore(entries: readonly (readonly number[])[]): void {
    for (const entry of entries.slice(0, ERROR_LOG_ENTRIES)) {
      const bytes = new Uint8Array(ENTRY_BYTES);
      bytes.set(entry.slice(0, ENTRY_BYTES));
      this.#entries.push(bytes);
    }
  }

  page({ withLbas }: { readonly withLbas: boolean }): Uint8Array {
    const data = new Uint8Array(ERROR_LOG_ENTRIES * ENTRY_BYTES);
    for (const [i, entry] of this.#entries.entries()) {
      const at = i * ENTRY_BYTES;
      data.set(entry, at);
      if (!withLbas) data.fill(0, at + LBA_AT, at + LBA_AT + 8);
    }
    return data;
  }
}
