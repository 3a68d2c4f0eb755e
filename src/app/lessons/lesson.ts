/** What a lesson is: plain data, with a check for each step that what it tells of has really happened. */
import type { FaultRule } from "../../devices/nvme/faults/rules.ts";
import type { QueueLook } from "../../devices/nvme/queue_inspector.ts";
import type { StepName } from "../../devices/pace.ts";
import type { ExecResult, MachineSettings } from "../../machine/api.ts";
import type { CounterName } from "../../trace/counters.ts";
import type { TraceRecord } from "../../trace/trace_ring.ts";
import type { QueueTerm } from "../queues/terms.ts";

/** What was seen while a step was done. */
export interface Evidence {
  /** How much each counter has grown. */
  readonly grown: Readonly<Record<CounterName, number>>;
  readonly records: readonly TraceRecord[];
  /** Of the command that the step has run to its end. */
  readonly result: ExecResult | undefined;
  /** Queue 1 before and now. */
  readonly before: QueueGlimpse | undefined;
  readonly now: QueueGlimpse | undefined;
  readonly queues: QueueLook | undefined;
}

/** I/O queue pair 1, of which Linux makes one for each CPU: here the only one. */
export interface QueueGlimpse {
  readonly entries: number;
  readonly cqTail: number;
  /** Phase tag of the completion that is written next. */
  readonly phase: number | undefined;
}

export interface Finding {
  readonly ok: boolean;
  /** What was found, with its figures, or what is missing. */
  readonly text: string;
}

/** What a step does. */
export type Act =
  /** Runs a command in the guest to its end. */
  | { readonly kind: "run"; readonly command: string; readonly fault?: FaultRule }
  /** Goes on by one step; with a command that is started before, of which the step is the first to be seen. */
  | { readonly kind: "step"; readonly step: StepName; readonly start?: string }
  /** Full speed again, and the command that was started runs to its end. */
  | { readonly kind: "finish" };

export interface LessonStep {
  /** A sentence or two: what it is about, and what is going to happen. */
  readonly text: string;
  /** Where NVMe 1.4 has it; undefined for what is Linux's own. */
  readonly section?: string;
  readonly act: Act;
  /** What to look at in the queue view. */
  readonly highlight: readonly QueueTerm[];
  check(seen: Evidence): Finding;
}

/** What a lesson asks of the machine that it is given on. */
export interface LessonMachine {
  readonly settings: Pick<MachineSettings, "serving" | "shadowDoorbells">;
  readonly rescue: boolean;
}

export interface Lesson {
  readonly id: string;
  readonly title: string;
  /** What one knows afterwards. */
  readonly summary: string;
  /** Why it cannot be given on this machine; undefined if it can. */
  hindrance?(machine: LessonMachine): string | undefined;
  readonly steps: readonly LessonStep[];
  /** Run in the guest when the lesson is left, to leave nothing behind. */
  readonly cleanUp?: string;
}

/** For checks: the findings. */
export const found = (text: string): Finding => ({ ok: true, text });
export const missing = (text: string): Finding => ({ ok: false, text });

/** How many, with its noun: "1 read", "12 reads". */
export const count = (n: number, noun: string, plural = `${noun}s`): string =>
  `${n.toLocaleString("en-US")} ${n === 1 ? noun : plural}`;

export const hasIothread = ({ settings }: LessonMachine): string | undefined =>
  settings.serving.startsWith("iothread")
    ? undefined
    : "This machine has no iothread: open the page with ?serving=iothread+poll.";
