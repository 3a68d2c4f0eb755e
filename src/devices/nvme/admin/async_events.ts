import type { AsyncEventsState } from "../controller_state.ts";

/** Asynchronous Event Requests that a controller holds (AERL + 1). */
export const AER_LIMIT = 4;

/** Asynchronous event types and information (NVMe 1.4, figure 148), with the log page that clears each. */
export const AsyncEvent = {
  invalidDoorbellRegister: { type: 0, info: 0x00, logPage: 0x01 },
  invalidDoorbellValue: { type: 0, info: 0x01, logPage: 0x01 },
  namespaceAttributeChanged: { type: 2, info: 0x00, logPage: 0x04 },
  sanitizeCompleted: { type: 6, info: 0x01, logPage: 0x81 },
  sanitizeCompletedWithDeallocation: { type: 6, info: 0x02, logPage: 0x81 },
  temperatureThreshold: { type: 1, info: 0x01, logPage: 0x02 },
} as const;
export type AsyncEvent = (typeof AsyncEvent)[keyof typeof AsyncEvent];

/** Completes a held request: `result` is completion dword 0. */
export type CompleteAer = (cid: number, result: number) => void;

/**
 * Holds Asynchronous Event Requests and gives them events (section 5.2). After an event of one type was sent, that
 * type is silent until the host reads the log page that belongs to it.
 */
export class AsyncEvents {
  readonly #requests: number[] = [];
  readonly #events: AsyncEvent[] = [];
  readonly #masked = new Set<number>();
  readonly #complete: CompleteAer;

  constructor(complete: CompleteAer) {
    this.#complete = complete;
  }

  /** Takes a request; false if the limit is reached. */
  hold(cid: number): boolean {
    if (this.#requests.length >= AER_LIMIT) return false;
    this.#requests.push(cid);
    this.#match();
    return true;
  }

  report(event: AsyncEvent): void {
    // One waiting event of a kind says it all: the log page has the details.
    if (!this.#events.includes(event)) this.#events.push(event);
    this.#match();
  }

  /** Events that wait for a request and mean nothing any more. */
  withdraw(...events: readonly AsyncEvent[]): void {
    for (const event of events) {
      const at = this.#events.indexOf(event);
      if (at >= 0) this.#events.splice(at, 1);
    }
  }

  /** The host read a log page (with Retain Asynchronous Event clear). */
  logPageRead(logPage: number): void {
    for (const event of Object.values(AsyncEvent)) {
      if (event.logPage === logPage) this.#masked.delete(event.type);
    }
    this.#match();
  }

  /** For a snapshot of the machine. */
  save(): AsyncEventsState {
    const names = Object.entries(AsyncEvent);
    const events = this.#events.flatMap(event => names.find(([, known]) => known === event)?.[0] ?? []);
    return { requests: [...this.#requests], events, masked: [...this.#masked] };
  }

  restore({ requests, events, masked }: AsyncEventsState): void {
    this.#requests.push(...requests.slice(0, AER_LIMIT).map(cid => cid & 0xffff));
    for (const [name, event] of Object.entries(AsyncEvent))
      if (events.includes(name)) this.#events.push(event);
    for (const type of masked) this.#masked.add(type);
  }

  #match(): void {
    for (let i = 0; i < this.#events.length && this.#requests.length > 0; ) {
      const event = this.#events[i];
      if (this.#masked.has(event.type)) {
        i += 1;
        continue;
      }
      this.#events.splice(i, 1);
      this.#masked.add(event.type);
      const cid = this.#requests.shift();
      if (cid !== undefined) this.#complete(cid, event.type | (event.info << 8) | (event.logPage << 16));
    }
  }
}
