import { FeatureId } from "../spec/features.ts";
import { AsyncEvent, type AsyncEvents } from "./async_events.ts";
import type { Features } from "./features.ts";
import { NAMESPACE_ATTRIBUTE_NOTICES } from "./identify.ts";

/** Entries of the Changed Namespace List; more changes are told by FFFFFFFFh in the first one, which cannot happen here. */
const PAGE_BYTES = 4096;

/** Changed Namespace List, log page 04h (NVMe 1.4, section 5.14.1.4): what has changed since the host last read it. */
export class ChangedNamespaces {
  readonly #nsids = new Set<number>();

  /** These have changed; the host is told if its features say so (section 5.21.1.11). */
  add(nsids: readonly number[], features: Features, events: AsyncEvents): void {
    if (nsids.length === 0) return;
    for (const nsid of nsids) this.#nsids.add(nsid);
    if ((features.get(FeatureId.asyncEventConfiguration) & NAMESPACE_ATTRIBUTE_NOTICES) === 0) return;
    events.report(AsyncEvent.namespaceAttributeChanged);
  }

  /** The host has read the page: it starts anew, and there is nothing to be told of any more. */
  read(events: AsyncEvents): void {
    this.clear();
    events.withdraw(AsyncEvent.namespaceAttributeChanged);
  }

  /** The controller was reset. */
  clear(): void {
    this.#nsids.clear();
  }

  /** For a snapshot of the machine: their ids. */
  save(): number[] {
    return [...this.#nsids];
  }

  restore(nsids: readonly number[]): void {
    for (const nsid of nsids.slice(0, PAGE_BYTES / 4)) this.#nsids.add(nsid >>> 0);
  }

  page(): Uint8Array {
    const data = new Uint8Array(PAGE_BYTES);
    const view = new DataView(data.buffer);
    const ascending = [...this.#nsids].sort((a, b) => a - b);
    for (const [i, nsid] of ascending.entries()) view.setUint32(i * 4, nsid, true);
    return data;
  }
}
