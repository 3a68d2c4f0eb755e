import type { ArmedRule } from "../devices/nvme/faults/rules.ts";
import { savedQueues } from "../devices/nvme/queue_inspector.ts";
import { traceJson } from "../devices/nvme/trace_files.ts";
import type { InterruptKind, MachineFaults, ServingMode } from "../machine/api.ts";
import { FaultInjection } from "../machine/fault_injection.ts";
import type { GuestStage } from "../machine/v86/boot_watch.ts";
import type { Counters } from "../trace/counters.ts";
import type { TraceRecord } from "../trace/trace_ring.ts";
import type { DiskState } from "./disk_host.ts";
import type { DiskThread } from "./disk_thread.ts";
import type { GuestSide } from "./guest_side.ts";
import type { Monitor, MonitorSource, Observer } from "./monitor.ts";

/** What happens to an attachment. */
export interface AttachmentEvents {
  /**
   * The devices cannot go on: the I/O worker has died, or another tab has taken a disk away. The guest's I/O hangs from now
   * on; dispose of the attachment.
   */
  error: (error: Error) => void;
  /** How far the guest's boot has come, as far as the disks' side can tell. It begins anew with a reset. */
  stage: (stage: GuestStage) => void;
  /** The machine is being reset, by the guest or from outside. */
  reset: () => void;
  /** Other fault rules are armed. */
  faults: (armed: readonly ArmedRule[]) => void;
}

/** Devices that are on a machine's bus. */
export interface Attachment {
  /** The serving mode in use. */
  readonly serving: ServingMode;
  /** The kind of interrupt in use. */
  readonly interrupts: InterruptKind;
  /** Looks at the devices in this thread. */
  readonly monitor: Monitor;
  /** Post it to another thread of the page to make a {@link Monitor} there. Undefined while the guest's RAM is not shared. */
  readonly monitorSource: MonitorSource | undefined;
  /** Breaks the NVMe controller on purpose. Rejects for a virtio device. */
  readonly faults: MachineFaults;
  /** As {@link Monitor.counters}. */
  counters(): Counters;
  /** As {@link Monitor.observe}. */
  observe(): Observer;
  /**
   * What an observer has read, as JSON for ui.perfetto.dev, which {@link readSavedTrace} reads back. `lost` is
   * {@link Observer.lost}.
   */
  traceFile(records: readonly TraceRecord[], lost?: number): Promise<string>;
  /** The disks as they are now: for a status line, about once a second. */
  disks(): Promise<readonly DiskState[]>;
  /** Makes durable what the guest has written so far. What the guest itself caches is not written. Rejects with StorageError. */
  flush(): Promise<void>;
  /** Calls `listener` from now on, until the function that it returns is called. */
  on<E extends keyof AttachmentEvents>(event: E, listener: AttachmentEvents[E]): () => void;
  /**
   * Takes the device off the bus, puts v86's own methods back, makes durable what is in the disks' caches and ends the I/O
   * worker. A guest that runs goes on and sees its disks pulled out: have it unmount them, or stop it, before, and destroy the
   * V86 after. Rejects when
   * something could not be saved, or the I/O worker does not answer; all has ended then all the same. Each further call
   * gives the same promise.
   */
  dispose(): Promise<void>;
}

/** How long the I/O worker has to flush and close the disks. */
const CLOSE_MS = 30_000;

export interface AttachmentParts {
  readonly serving: ServingMode;
  readonly interrupts: InterruptKind;
  readonly shadowDoorbells: string;
  readonly guest: GuestSide;
  readonly thread: DiskThread;
  readonly monitor: Monitor;
  readonly monitorSource: MonitorSource | undefined;
  readonly events: Events;
  /** Called once it has ended. */
  readonly released: () => void;
}

/** The listeners of an attachment's events. */
export class Events {
  readonly #listeners: { [E in keyof AttachmentEvents]: Set<AttachmentEvents[E]> } = {
    error: new Set(),
    stage: new Set(),
    reset: new Set(),
    faults: new Set(),
  };

  on<E extends keyof AttachmentEvents>(event: E, listener: AttachmentEvents[E]): () => void {
    this.#listeners[event].add(listener);
    return () => this.#listeners[event].delete(listener);
  }

  emit<E extends keyof AttachmentEvents>(event: E, ...args: Parameters<AttachmentEvents[E]>): void {
    for (const listener of this.#listeners[event])
      (listener as (...args: Parameters<AttachmentEvents[E]>) => void)(...args);
  }
}

export class DeviceAttachment implements Attachment {
  readonly serving: ServingMode;
  readonly interrupts: InterruptKind;
  readonly monitor: Monitor;
  readonly monitorSource: MonitorSource | undefined;
  readonly faults: MachineFaults;
  readonly #parts: AttachmentParts;
  #disposing: Promise<void> | undefined;

  constructor(parts: AttachmentParts) {
    this.#parts = parts;
    this.serving = parts.serving;
    this.interrupts = parts.interrupts;
    this.monitor = parts.monitor;
    this.monitorSource = parts.monitorSource;
    const { guest, thread, events } = parts;
    const controller = guest.faults;
    this.faults = new FaultInjection({
      workers: async () => {
        if (!controller) throw new Error("Faults are of the NVMe controller, and this is a virtio device.");
        if (this.#disposing) throw new Error("The device was detached: there is nothing that could fail.");
        const api = {
          setFaults: async (armed: readonly ArmedRule[]) => controller.set(armed),
          faultReport: async () => controller.reported,
        };
        return [{ api, answer: call => call }, thread];
      },
      cutStalls: () => guest.states.signals.cutStalls(),
      changed: armed => events.emit("faults", armed),
    });
  }

  counters(): Counters {
    return this.monitor.counters();
  }

  observe(): Observer {
    return this.monitor.observe();
  }

  async traceFile(records: readonly TraceRecord[], lost = 0): Promise<string> {
    const { serving, shadowDoorbells, interrupts } = this.#parts;
    this.monitor.queues.refresh();
    const namespaces = (await this.disks()).flatMap(({ nsid, lbaBytes }) =>
      nsid === undefined ? [] : [{ nsid, lbaBytes }],
    );
    return traceJson(records, {
      savedAt: new Date().toISOString(),
      serving,
      shadowDoorbells,
      interrupts,
      browser: (globalThis.navigator?.userAgent ?? "").slice(0, 500),
      lost,
      queues: savedQueues(this.monitor.queues),
      namespaces,
    });
  }

  disks(): Promise<readonly DiskState[]> {
    const { thread } = this.#parts;
    return thread.answer(thread.api.states());
  }

  flush(): Promise<void> {
    const { thread } = this.#parts;
    return thread.answer(thread.api.flush());
  }

  on<E extends keyof AttachmentEvents>(event: E, listener: AttachmentEvents[E]): () => void {
    return this.#parts.events.on(event, listener);
  }

  dispose(): Promise<void> {
    this.#disposing ??= this.#dispose();
    return this.#disposing;
  }

  async #dispose(): Promise<void> {
    const { guest, thread, released } = this.#parts;
    guest.states.signals.cutStalls();
    guest.end();
    try {
      await closed(thread);
    } finally {
      thread.terminate();
      released();
    }
  }
}

/** The disks are saved and closed, or the thread that has them does not answer. */
function closed(thread: DiskThread): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error("The I/O worker does not answer: what was not flushed may be lost."));
    }, CLOSE_MS);
  });
  return Promise.race([thread.answer(thread.api.close()), late]).finally(() => clearTimeout(timer));
}
