/** What the views of queues and times look at: a running machine, or a saved trace that is played. */
import { type QueueLook, savedQueues } from "../devices/nvme/queue_inspector.ts";
import type { DiskCatalogue, Machine } from "../machine/api.ts";
import type { CounterName } from "../trace/counters.ts";
import { MergedReader } from "../trace/merged_reader.ts";
import type { SavedNamespace, TraceAbout } from "../trace/saved_trace.ts";
import type { TraceRecord } from "../trace/trace_ring.ts";

/** One stretch of time that can be followed: a boot, or a trace from where it is played. */
export interface Stretch {
  readonly queues: QueueLook;
  /** The present moment on the records' clock, in microseconds. */
  now(): number;
}

/** Follows what happens in one stretch. */
export interface Follower {
  /** Records that were overwritten before they were read. */
  readonly lost: number;
  /** Calls back with the records since the last call, in the order in which they happened. Copy what is kept. */
  read(each: (record: TraceRecord) => void): void;
}

export interface Watched {
  readonly settings: {
    readonly serving: string;
    readonly shadowDoorbells: string;
    readonly interrupts: string;
  };
  /** Another one when all that was read before is of no use any more. */
  readonly observation: Stretch | undefined;
  /** A reader for the present observation. */
  follow(): Follower | undefined;
  /** Has it recorded until the function that it returns is called. */
  observe(): () => void;
  /** Those that are known. */
  counters(): Partial<Record<CounterName, number>>;
  namespaces(): Promise<readonly SavedNamespace[]>;
  /** What a saved trace says of itself; undefined for a machine. */
  readonly about: TraceAbout | undefined;
}

export function watchMachine(machine: Machine): Watched {
  return {
    settings: machine.settings,
    about: undefined,
    get observation() {
      return machine.observation;
    },
    follow: () => machine.observation && new MergedReader(machine.observation.readTraces()),
    observe: () => machine.observe(),
    counters: () => machine.counters(),
    namespaces: () => namespacesOf(machine.catalogue),
  };
}

async function namespacesOf(catalogue: DiskCatalogue): Promise<readonly SavedNamespace[]> {
  // Without a machine nobody answers; 512 is what is assumed then.
  const disks = await catalogue.list().catch(() => []);
  return disks.flatMap(({ nsid, lbaBytes }) => (nsid === undefined ? [] : [{ nsid, lbaBytes }]));
}

/** What a trace that is saved now is a trace of. */
export async function aboutOf(watched: Watched, lost: number): Promise<TraceAbout> {
  if (watched.about) return watched.about;
  const { serving, shadowDoorbells, interrupts } = watched.settings;
  watched.observation?.queues.refresh();
  const namespaces = await watched.namespaces();
  const { observation } = watched;
  return {
    savedAt: new Date().toISOString(),
    serving,
    shadowDoorbells,
    interrupts,
    browser: navigator.userAgent.slice(0, 500),
    lost,
    queues: observation ? savedQueues(observation.queues) : [],
    namespaces,
  };
}
