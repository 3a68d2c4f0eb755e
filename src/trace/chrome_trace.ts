/**
 * A trace in the Trace Event Format (JSON), which ui.perfetto.dev and chrome://tracing open: a track for the vCPU thread, one
 * for the iothread, and nested spans for each command.
 */
import { type CommandSpan, CommandSpans, commandMoments } from "./command_spans.ts";
import { IothreadState } from "./counters.ts";
import { TraceKind, type TraceRecord } from "./trace_ring.ts";

/** The fields that we write; the format has more. Times are in microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly cat?: string;
  /** M metadata, i instant, X complete, b / e begin and end of a nestable asynchronous span. */
  readonly ph: "M" | "i" | "X" | "b" | "e";
  readonly ts?: number;
  readonly dur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly id?: string;
  readonly s?: "t";
  readonly args?: Readonly<Record<string, unknown>>;
}

const PID = 1;
const VCPU = 1;
const IOTHREAD = 2;
/** Tracks of commands: queue n is 10 + n. */
const QUEUES = 10;

const stateNames: Readonly<Record<number, string>> = {
  [IothreadState.busy]: "busy",
  [IothreadState.polling]: "polling",
  [IothreadState.sleeping]: "asleep",
};

/** `records` as straighten() makes them; `nameOf` gives a command's name from its queue and opcode. */
export function chromeTrace(
  records: readonly TraceRecord[],
  nameOf: (qid: number, opcode: number) => string,
): { readonly traceEvents: TraceEvent[]; readonly displayTimeUnit: "ns" } {
  const start = records[0]?.time ?? 0;
  /** Microseconds since the first record. */
  const at = (time: number) => time - start;
  const events: TraceEvent[] = [
    { name: "process_name", ph: "M", pid: PID, tid: 0, args: { name: "Doorbell" } },
    { name: "thread_name", ph: "M", pid: PID, tid: VCPU, args: { name: "vCPU" } },
    { name: "thread_name", ph: "M", pid: PID, tid: IOTHREAD, args: { name: "iothread" } },
  ];
  const spans: CommandSpan[] = [];
  const joined = new CommandSpans(span => spans.push(span));
  const queues = new Set<number>();
  let state: TraceRecord | undefined;

  const instant = (name: string, time: number, args: Readonly<Record<string, unknown>>) =>
    events.push({ name, cat: "doorbell", ph: "i", s: "t", ts: at(time), pid: PID, tid: VCPU, args });
  const endState = (time: number) => {
    const name = state && stateNames[state.a];
    if (!state || name === undefined) return;
    const [ts, end] = [at(state.time), at(time)];
    events.push({ name, cat: "iothread", ph: "X", ts, dur: Math.max(0, end - ts), pid: PID, tid: IOTHREAD });
  };

  for (const record of records) {
    const { kind, time, a, b, c } = record;
    joined.add(record);
    switch (kind) {
      case TraceKind.tailRung:
        instant("tail doorbell", time, { queue: a, tail: b });
        break;
      case TraceKind.headRung:
        instant("head doorbell", time, { queue: a, head: b });
        break;
      case TraceKind.headSeen:
        instant("head in the shadow buffer", time, { queue: a, head: b });
        break;
      case TraceKind.swept:
        instant("swept", time, { queue: a, tail: b });
        break;
      case TraceKind.interrupt:
        instant("interrupt", time, a < 0 ? { pin: true } : { vector: a });
        break;
      case TraceKind.fault:
        instant("fault", time, { queue: a, rule: b, ...(c !== -1 && { command: nameOf(a, c & 0xff) }) });
        break;
      case TraceKind.state:
        endState(time);
        state = record;
        break;
    }
  }
  const last = records.at(-1);
  if (last) endState(last.time);
  for (const [i, span] of spans.entries()) {
    queues.add(span.qid);
    events.push(...commandEvents(span, i, at, nameOf(span.qid, span.opcode)));
  }
  for (const qid of queues) {
    const name = qid === 0 ? "Admin queue" : `Queue ${qid}`;
    events.push({ name: "thread_name", ph: "M", pid: PID, tid: QUEUES + qid, args: { name } });
  }
  return { traceEvents: events, displayTimeUnit: "ns" };
}

/** Names of the phases between commandMoments(). */
const phaseNames = [
  "announced",
  "waits for storage",
  "data moves",
  "waits to be posted",
  "waits for its interrupt",
  "waits to be read",
] as const;

/** The command, and within it its phases: each begins where the one before ends. */
function commandEvents(
  span: CommandSpan,
  number: number,
  at: (time: number) => number,
  name: string,
): TraceEvent[] {
  const { qid, cid, nsid, lba, blocks, status, rungAt, fetchedAt } = span;
  const common = { cat: "command", pid: PID, tid: QUEUES + qid, id: `command-${number}` };
  const start = at(rungAt ?? fetchedAt);
  const times = commandMoments(span).map(moment => start + moment);
  const events: TraceEvent[] = [
    { ...common, name, ph: "b", ts: times[0], args: { cid, nsid, lba, blocks, status } },
  ];
  for (const [i, phase] of phaseNames.entries()) {
    if (times[i + 1] === times[i]) continue;
    events.push({ ...common, name: phase, ph: "b", ts: times[i] });
    events.push({ ...common, name: phase, ph: "e", ts: times[i + 1] });
  }
  events.push({ ...common, name, ph: "e", ts: times[times.length - 1] });
  return events;
}
