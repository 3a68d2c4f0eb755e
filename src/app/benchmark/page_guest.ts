/** Guests to be measured: the one that runs in the page, and fresh ones, each a machine of its own beside it. */
import type { Guest, Latencies } from "../../bench/definitions/guest.ts";
import type { SystemName } from "../../bench/definitions/systems.ts";
import type { Machine, MachineSettings } from "../../machine/api.ts";
import { createSecondMachine } from "../../machine/machine.ts";
import { scratchPaths } from "../../machine/scratch.ts";
import { CommandSpans, latencyOf } from "../../trace/command_spans.ts";
import { LatencyHistogram } from "../../trace/latency_histogram.ts";
import { MergedReader } from "../../trace/merged_reader.ts";
import { parseSettings } from "../settings.ts";
import { pageSystems, THIS_GUEST } from "./choice.ts";
import type { MeasuredGuest } from "./run.ts";

/** The rings of the trace hold a fifth of a second's records at 20,000 I/Os a second. */
const READ_TRACE_MS = 10;
/** Writing behind may be slow, but a benchmark does not wait for ever. */
const SETTLE_MS = 30_000;
/** The scratch disk's namespace. */
const SCRATCH_NSID = 2;

/** What a machine is called in the tables. */
export function systemOf({ scratch, serving, shadowDoorbells, interrupts }: MachineSettings): SystemName {
  const extension = scratch !== "nvme" || shadowDoorbells === "off" ? "none" : shadowDoorbells;
  // v86's own disk: nothing of ours serves it.
  if (scratch === "ide") return { system: scratch, serving: "mmio", extension, interrupt: "intx" };
  return { system: scratch, serving, extension, interrupt: interrupts };
}

/** Opens guests for runBenchmark(). `mayOverwrite`: the own guest's scratch disk. */
export function guestOpener(own: Machine, mayOverwrite: boolean) {
  return async (name: string, signal: AbortSignal): Promise<MeasuredGuest> => {
    if (name === THIS_GUEST) {
      if (own.slowMotion.speed !== 1) throw new Error("the machine is in slow motion or stands still.");
      return {
        ...guestOf(own),
        system: { ...systemOf(own.settings), device: scratchPaths[own.settings.scratch] },
        mayWrite: mayOverwrite,
        commandsBeside: () => 0,
        close: async () => {},
      };
    }
    const system = pageSystems.get(name);
    if (!system) throw new Error(`There is no system “${name}”.`);
    const resume = standStill(own);
    const machine = await startFresh(system.parameters, signal).catch(error => {
      resume();
      throw error;
    });
    return {
      ...guestOf(machine),
      system,
      mayWrite: true,
      commandsBeside: () => own.counters().commands,
      close: async () => {
        resume();
        await machine.stop();
      },
    };
  };
}

/** Has the page's own guest stand still, so that it does not take from the other one; the result lets it go on. */
function standStill({ state, slowMotion }: Machine): () => void {
  const before = slowMotion.speed;
  if (state !== "running" || before === "paused") return () => {};
  slowMotion.pause();
  return () => {
    // Somebody may have let it go on already; and it may have ended.
    if (slowMotion.speed === "paused") slowMotion.set(before);
  };
}

/** A second machine; the first keeps its disks. */
async function startFresh(
  parameters: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Machine> {
  const { settings } = parseSettings(`?${new URLSearchParams(parameters)}`);
  const machine = createSecondMachine(settings);
  // Nobody reads its console.
  machine.on("output", () => {});
  const stop = () => void machine.stop().catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  try {
    await machine.start();
    return machine;
  } catch (error) {
    stop();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function guestOf(machine: Machine): Omit<Guest, "close"> {
  const { scratch } = machine.settings;
  const instruments = {
    counters: async () => machine.counters(),
    timeExits: async (on: boolean) => machine.timeExits(on),
    // Only the NVMe controller keeps a trace.
    ...(scratch === "nvme" && { latencies: (run: () => Promise<void>) => latenciesOf(machine, run) }),
  };
  return {
    exec: command => machine.exec(command),
    settle: () => settled(machine),
    // Not ours, so that nothing counts what it does.
    ...(scratch !== "ide" && { instruments }),
  };
}

/** From the trace, of a run of its own: recording costs a little. */
async function latenciesOf(machine: Machine, run: () => Promise<void>): Promise<Latencies | undefined> {
  const endObservation = machine.observe();
  const reader = machine.observation && new MergedReader(machine.observation.readTraces());
  const histogram = new LatencyHistogram();
  const spans = new CommandSpans(span => {
    if (span.qid !== 0 && span.nsid === SCRATCH_NSID) histogram.add(latencyOf(span));
  });
  const read = () => reader?.read(record => spans.add(record));
  const timer = setInterval(read, READ_TRACE_MS);
  try {
    await run();
    // The youngest records are held back for a moment.
    await new Promise(resolve => setTimeout(resolve, READ_TRACE_MS));
    read();
  } finally {
    clearInterval(timer);
    endObservation();
  }
  return histogram.total === 0
    ? undefined
    : { p50: Math.round(histogram.quantile(0.5)), p99: Math.round(histogram.quantile(0.99)) };
}

/** Resolves when what was written is durable, or will not be soon. */
async function settled(machine: Machine): Promise<void> {
  const end = performance.now() + SETTLE_MS;
  while (performance.now() < end) {
    const disks = await machine.disks();
    if (disks.every(({ dirtyBytes, flushing }) => dirtyBytes === 0 && !flushing)) return;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}
