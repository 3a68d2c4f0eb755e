/** What a trace record says, in a sentence with where NVMe 1.4 has it. */
import { commandName, statusName } from "../../devices/nvme/spec/decode.ts";
import { TraceKind, type TraceRecord } from "../../trace/trace_ring.ts";

/** The entry that an event is about: where the queue view marks it. */
export interface MarkedEntry {
  readonly queue: "sq" | "cq";
  /** Of the submission queue, or of the completion queue. */
  readonly id: number;
  /** Undefined: the one before the tail. */
  readonly index: number | undefined;
}

export interface Happening {
  readonly sentence: string;
  readonly entry: MarkedEntry | undefined;
}

const nameOf = (qid: number) => (qid === 0 ? "the admin queue" : `queue ${qid}`);
const hex = (cid: number) => `${cid.toString(16).toUpperCase()}h`;

/** Undefined for a record that tells of no event of a queue. */
export function happeningOf({ kind, a, b, c, d }: TraceRecord): Happening | undefined {
  const command = `command ${hex(c >>> 16)}`;
  switch (kind) {
    case TraceKind.tailRung:
      return {
        sentence: `The driver rang the tail doorbell of ${nameOf(a)}: its entries before ${b} are ready. (3.1.24)`,
        entry: { queue: "sq", id: a, index: undefined },
      };
    case TraceKind.shadowSeen:
      return {
        sentence: `The controller found tail ${b} of ${nameOf(a)} in the shadow doorbell buffer: no doorbell had to be rung. (5.7)`,
        entry: { queue: "sq", id: a, index: undefined },
      };
    case TraceKind.swept:
      return {
        sentence: `The virtual CPU’s sweep handed tail ${b} of ${nameOf(a)} over, for which no doorbell had come. (annex B.5)`,
        entry: { queue: "sq", id: a, index: undefined },
      };
    case TraceKind.headRung:
      return {
        sentence: `The driver rang the head doorbell of ${nameOf(a)}: it has read the answers before ${b}. (3.1.25)`,
        entry: undefined,
      };
    case TraceKind.fetched:
      return {
        sentence: `The controller fetched entry ${b} of ${nameOf(a)}: ${commandName(a, c & 0xff)}, ${command}. (4.1)`,
        entry: { queue: "sq", id: a, index: b },
      };
    case TraceKind.posted:
      return {
        sentence: `The controller wrote entry ${b} of completion ${a === 0 ? "queue 0" : nameOf(a)}: ${command}, ${statusName(d)}. (4.6)`,
        entry: { queue: "cq", id: a, index: b },
      };
    case TraceKind.interrupt:
      return {
        sentence:
          a < 0
            ? "The controller raised its interrupt pin: there are answers. (7.5)"
            : `The controller sent interrupt message ${a}: there are answers. (7.5)`,
        entry: undefined,
      };
    case TraceKind.fault:
      return {
        sentence: "An injected fault hit a command: see the Faults tab.",
        entry: undefined,
      };
    default:
      return undefined;
  }
}
