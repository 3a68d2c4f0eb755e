import type { FaultRule } from "../../devices/nvme/faults/rules.ts";
import type { QueueLook } from "../../devices/nvme/queue_inspector.ts";
import type { ExecResult, MachineFaults, MachineSlowMotion } from "../../machine/api.ts";
import type { CounterName } from "../../trace/counters.ts";
import type { TraceRecord } from "../../trace/trace_ring.ts";
import type { Evidence, Finding, Lesson, LessonStep, QueueGlimpse } from "./lesson.ts";

/** What a lesson works with. */
export interface Desk {
  exec(command: string): Promise<ExecResult>;
  counters(): Record<CounterName, number>;
  queues(): QueueLook | undefined;
  /** The records since the last call. */
  records(): readonly TraceRecord[];
  readonly slowMotion: Pick<MachineSlowMotion, "pause" | "resume" | "step">;
  readonly faults: Pick<MachineFaults, "arm" | "disarm" | "armed">;
  readonly pause: (ms: number) => Promise<void>;
}

export type StepState = "ready" | "going on" | "done" | "failed";

/** Counters and queues of a machine that has just been busy settle within this time. */
const SETTLE_MS = 3000;
const LOOK_MS = 100;

/** A lesson as it is given: which step, what came of it. Whatever it changes, leave() puts right. */
export class LessonRun {
  readonly lesson: Lesson;
  readonly #desk: Desk;
  readonly #changed: () => void;
  #index = 0;
  #state: StepState = "ready";
  #finding: Finding | undefined;
  #result: ExecResult | undefined;
  /** A command that was started and is being followed step by step. */
  #started: Promise<ExecResult> | undefined;
  readonly #armed: number[] = [];
  #touched = false;
  #left = false;

  constructor(lesson: Lesson, desk: Desk, changed: () => void) {
    this.lesson = lesson;
    this.#desk = desk;
    this.#changed = changed;
  }

  /** Of the present step, from 0. */
  get index(): number {
    return this.#index;
  }

  get step(): LessonStep {
    return this.lesson.steps[this.#index];
  }

  get state(): StepState {
    return this.#state;
  }

  get finding(): Finding | undefined {
    return this.#finding;
  }

  /** Of the command that the step has run. */
  get result(): ExecResult | undefined {
    return this.#result;
  }

  get isLast(): boolean {
    return this.#index === this.lesson.steps.length - 1;
  }

  get isComplete(): boolean {
    return this.isLast && this.#state === "done";
  }

  /** Does what the step says and checks it. Never rejects: what goes wrong is its finding. */
  async perform(): Promise<void> {
    if (this.#state === "going on" || this.#left) return;
    this.#touched = true;
    this.#enter("going on");
    try {
      const finding = await this.#do(this.step);
      if (this.#left) return;
      this.#finding = finding;
      this.#enter(finding.ok ? "done" : "failed");
    } catch (error) {
      if (this.#left) return;
      const text = error instanceof Error ? error.message : String(error);
      this.#finding = { ok: false, text };
      this.#enter("failed");
    } finally {
      await this.#disarm();
    }
  }

  /** On to the next step, once this one is done. */
  next(): void {
    if (this.#state !== "done" || this.isLast) return;
    this.#index += 1;
    this.#finding = undefined;
    this.#result = undefined;
    this.#enter("ready");
  }

  /** Full speed, no fault of the lesson's, nothing left behind in the guest. The run is over. */
  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    if (!this.#touched) return;
    this.#desk.slowMotion.resume();
    await this.#disarm();
    this.#started?.catch(() => {});
    const { cleanUp } = this.lesson;
    if (cleanUp !== undefined) await this.#desk.exec(cleanUp).catch(() => {});
  }

  #enter(state: StepState): void {
    if (state === "going on") this.#finding = undefined;
    this.#state = state;
    this.#changed();
  }

  async #do(step: LessonStep): Promise<Finding> {
    const desk = this.#desk;
    desk.records();
    const before = glimpse(desk.queues());
    const start = desk.counters();
    const records: TraceRecord[] = [];
    // A long command writes more than the recorder holds: it is read meanwhile.
    let isOver = false;
    const reading = (async () => {
      while (!isOver) {
        await desk.pause(LOOK_MS / 2);
        records.push(...desk.records());
      }
    })();
    try {
      this.#result = await this.#act(step.act);
    } finally {
      isOver = true;
      await reading;
    }
    const look = (): Finding => {
      records.push(...desk.records());
      const end = desk.counters();
      const grown = Object.fromEntries(
        Object.entries(end).map(([name, value]) => [name, value - start[name as CounterName]]),
      ) as Evidence["grown"];
      const queues = desk.queues();
      return step.check({ grown, records, result: this.#result, before, now: glimpse(queues), queues });
    };
    let finding = look();
    for (let waited = 0; !finding.ok && waited < SETTLE_MS; waited += LOOK_MS) {
      await desk.pause(LOOK_MS);
      finding = look();
    }
    return finding;
  }

  async #act(act: LessonStep["act"]): Promise<ExecResult | undefined> {
    const { slowMotion } = this.#desk;
    switch (act.kind) {
      case "run":
        if (act.fault) await this.#arm(act.fault);
        return this.#desk.exec(act.command);
      case "step": {
        if (act.start !== undefined) {
          slowMotion.pause();
          this.#started = this.#desk.exec(act.start);
          // Its failure is told by the step that waits for it.
          this.#started.catch(() => {});
        }
        if (!(await slowMotion.step(act.step))) throw new Error("The step was called off: try it again.");
        return undefined;
      }
      case "finish":
        slowMotion.resume();
        return await this.#started;
    }
  }

  async #arm(rule: FaultRule): Promise<void> {
    this.#armed.push(await this.#desk.faults.arm(rule));
  }

  async #disarm(): Promise<void> {
    for (const id of this.#armed.splice(0)) {
      const { faults } = this.#desk;
      if (faults.armed.some(rule => rule.id === id)) await faults.disarm(id).catch(() => {});
    }
  }
}

function glimpse(queues: QueueLook | undefined): QueueGlimpse | undefined {
  const pair = queues?.queuePairs().find(({ qid }) => qid === 1);
  if (!pair?.cq) return undefined;
  return { entries: pair.cq.entries, cqTail: pair.cq.tail, phase: pair.cq.phase };
}
