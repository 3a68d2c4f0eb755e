import { setCounter } from "../../../trace/counters.ts";
import type { Namespace } from "../namespace.ts";
import type { NamespaceStore, NamespaceUser } from "../namespace_store.ts";
import { NamespacePublisher } from "../namespace_table.ts";
import { Control, type SharedState } from "../shared_state.ts";
import { NSID_ALL } from "../spec/entries.ts";
import { Status, type StatusCode } from "../spec/status.ts";
import { UncorrectableBlocks } from "./uncorrectable_blocks.ts";

/** The namespaces that I/O is served from, as they come and go, and the commands that wait for their disks. */
export class ServedNamespaces implements NamespaceUser {
  /** Those that commands may use. */
  readonly active = new Map<number, Namespace>();
  readonly uncorrectable = new UncorrectableBlocks();
  readonly #shared: SharedState;
  readonly #store: NamespaceStore;
  readonly #publisher: NamespacePublisher;
  readonly #wakeVcpu: () => void;
  /** Namespaces that the store is taking away, and those that are being formatted. */
  readonly #withdrawn = new Set<number>();
  readonly #formatting = new Set<number>();
  /** Commands that wait for storage, by namespace id. */
  readonly #waiting = new Map<number, Set<Promise<unknown>>>();

  constructor(shared: SharedState, store: NamespaceStore, wakeVcpu: () => void) {
    this.#shared = shared;
    this.#store = store;
    this.#publisher = new NamespacePublisher(shared);
    this.#wakeVcpu = wakeVcpu;
    store.use(this);
    this.changed();
  }

  changed(): void {
    this.#withdrawn.clear();
    this.#adopt();
  }

  #adopt(): void {
    this.active.clear();
    const namespaces = this.#store.list();
    this.uncorrectable.forgetAllBut(namespaces);
    for (const { disk, ...info } of namespaces) {
      const isUsable = !this.#withdrawn.has(info.nsid) && !this.#formatting.has(info.nsid);
      if (disk && isUsable) this.active.set(info.nsid, { ...info, disk });
    }
    this.#publisher.publish(namespaces, this.#store.highestNsid);
    for (const { nsid, allocatedBytes } of namespaces) this.#putAllocation(nsid, allocatedBytes);
    this.#wakeVcpu();
    void this.#publishUnallocated();
  }

  withdraw(nsid: number): Promise<void> {
    this.#withdrawn.add(nsid);
    return this.#drain(nsid);
  }

  async #drain(nsid: number): Promise<void> {
    this.active.delete(nsid);
    await Promise.allSettled([nsid, NSID_ALL].flatMap(id => [...(this.#waiting.get(id) ?? [])]));
  }

  /** Stops using a namespace for a format, until the function that it resolves to is called. */
  async withdrawToFormat(nsid: number): Promise<() => void> {
    this.#formatting.add(nsid);
    await this.#drain(nsid);
    return () => {
      this.#formatting.delete(nsid);
      this.#adopt();
    };
  }

  /** What a command ends with whose namespace cannot be used; undefined for one that may be executed. */
  refusal(nsid: number): StatusCode | undefined {
    if (this.active.has(nsid) || nsid === NSID_ALL) return undefined;
    if (this.#formatting.has(nsid)) return Status.formatInProgress;
    // Section 6.1.5: an inactive id is a wrong field, an id that cannot be is an invalid namespace.
    return nsid >= 1 && nsid <= this.#store.highestNsid ? Status.invalidField : Status.invalidNamespace;
  }

  /** A command waits for storage until `ended` settles. */
  track(nsid: number, ended: Promise<unknown>): void {
    let waiting = this.#waiting.get(nsid);
    if (!waiting) {
      waiting = new Set();
      this.#waiting.set(nsid, waiting);
    }
    waiting.add(ended);
    const forget = () => void waiting.delete(ended);
    ended.then(forget, forget);
  }

  /** How much each namespace takes now, for Identify. */
  publishAllocation(): void {
    for (const { nsid, disk } of this.active.values()) this.#putAllocation(nsid, disk.allocatedBytes);
  }

  #putAllocation(nsid: number, bytes: number): void {
    setCounter(this.#shared.control, Control.ALLOCATED_KIB + nsid - 1, bytes / 1024);
  }

  async #publishUnallocated(): Promise<void> {
    // What cannot be told is not offered.
    this.#publisher.publishUnallocated(await this.#store.unallocatedBytes().catch(() => 0));
    this.#wakeVcpu();
  }
}

/** One namespace, or all for FFFFFFFFh. */
export const chosenFrom = (active: ReadonlyMap<number, Namespace>, nsid: number): Namespace[] =>
  [...active.values()].filter(each => nsid === NSID_ALL || each.nsid === nsid);
