import { describe, expect, it } from "vitest";
import type { FaultRule } from "../../devices/nvme/faults/rules.ts";
import { type CounterName, counterNames } from "../../trace/counters.ts";
import { TraceKind, type TraceRecord } from "../../trace/trace_ring.ts";
import { found, type Lesson, type LessonStep, missing } from "./lesson.ts";
import { type Desk, LessonRun } from "./lesson_run.ts";

/** A desk that writes down what is done at it. */
function makeDesk() {
  const done: string[] = [];
  const counters = Object.fromEntries(counterNames.map(name => [name, 0])) as Record<CounterName, number>;
  let records: TraceRecord[] = [];
  const armed: { id: number; rule: FaultRule }[] = [];
  const rig = {
    done,
    counters,
    armed,
    steps: true,
    /** What a command does. */
    onExec: async (_command: string) => {},
    record: (record: Partial<TraceRecord>) =>
      records.push({ kind: 0, time: 0, a: 0, b: 0, c: 0, d: 0, e: 0, ...record }),
  };
  const desk: Desk = {
    async exec(command) {
      done.push(command);
      await rig.onExec(command);
      return { output: "said\n", exitCode: 0, ms: 5 };
    },
    counters: () => ({ ...counters }),
    queues: () => undefined,
    records() {
      const taken = records;
      records = [];
      return taken;
    },
    slowMotion: {
      pause: () => void done.push("pause"),
      resume: () => void done.push("resume"),
      async step(kind) {
        done.push(`step ${kind}`);
        return rig.steps;
      },
    },
    faults: {
      armed,
      async arm(rule) {
        armed.push({ id: 7, rule });
        return 7;
      },
      async disarm(id) {
        done.push(`disarm ${id}`);
        armed.splice(
          armed.findIndex(each => each.id === id),
          1,
        );
      },
    },
    pause: () => Promise.resolve(),
  };
  return { rig, desk };
}

const step = (act: LessonStep["act"], check: LessonStep["check"] = () => found("seen")): LessonStep => ({
  text: "Text.",
  act,
  highlight: [],
  check,
});
const lesson = (...steps: LessonStep[]): Lesson => ({
  id: "l",
  title: "L",
  summary: "",
  steps,
  cleanUp: "clean up",
});
const run = (command: string): LessonStep["act"] => ({ kind: "run", command });

describe("LessonRun", () => {
  it("goes from step to step, each only when it was found to have happened", async () => {
    const { desk, rig } = makeDesk();
    const states: string[] = [];
    const lessonRun = new LessonRun(lesson(step(run("one")), step(run("two"))), desk, () =>
      states.push(`${lessonRun.index} ${lessonRun.state}`),
    );
    lessonRun.next();
    expect([lessonRun.index, lessonRun.state]).toEqual([0, "ready"]);
    await lessonRun.perform();
    expect(lessonRun.finding).toEqual({ ok: true, text: "seen" });
    expect(lessonRun.result?.output).toBe("said\n");
    expect(lessonRun.isComplete).toBe(false);
    lessonRun.next();
    expect(lessonRun.result).toBeUndefined();
    await lessonRun.perform();
    expect(lessonRun.isComplete).toBe(true);
    lessonRun.next();
    expect(lessonRun.index).toBe(1);
    expect(rig.done).toEqual(["one", "two"]);
    expect(states).toEqual(["0 going on", "0 done", "1 ready", "1 going on", "1 done"]);
  });

  it("checks with what has grown and what was recorded during the step alone", async () => {
    const { desk, rig } = makeDesk();
    rig.counters.reads = 100;
    rig.record({ kind: TraceKind.posted });
    rig.onExec = async () => {
      rig.counters.reads += 3;
      rig.record({ kind: TraceKind.fetched, b: 4 });
    };
    const lessonRun = new LessonRun(
      lesson(
        step(run("read"), ({ grown, records }) =>
          found(`${grown.reads} ${records.map(({ kind, b }) => `${kind}:${b}`)}`),
        ),
      ),
      desk,
      () => {},
    );
    await lessonRun.perform();
    expect(lessonRun.finding?.text).toBe(`3 ${TraceKind.fetched}:4`);
  });

  it("waits for counters to settle, but not for ever, and can be done once more", async () => {
    const { desk } = makeDesk();
    let looks = 0;
    const settles = step(run("x"), () => (++looks < 5 ? missing("not yet") : found("now")));
    const lessonRun = new LessonRun(lesson(settles), desk, () => {});
    await lessonRun.perform();
    expect([lessonRun.state, looks]).toEqual(["done", 5]);
    looks = -1000;
    await lessonRun.perform();
    expect([lessonRun.state, lessonRun.finding?.text]).toEqual(["failed", "not yet"]);
    lessonRun.next();
    expect(lessonRun.index).toBe(0);
  });

  it("pauses before it starts what is to be followed, and waits for it in the end", async () => {
    const { desk, rig } = makeDesk();
    let end: () => void = () => {};
    rig.onExec = () => new Promise(resolve => (end = resolve));
    const lessonRun = new LessonRun(
      lesson(
        step({ kind: "step", step: "doorbell", start: "dd" }),
        step({ kind: "step", step: "fetch" }),
        step({ kind: "finish" }, ({ result }) => (result ? found(result.output) : missing("none"))),
      ),
      desk,
      () => {},
    );
    await lessonRun.perform();
    lessonRun.next();
    await lessonRun.perform();
    lessonRun.next();
    const finishing = lessonRun.perform();
    end();
    await finishing;
    expect(rig.done).toEqual(["pause", "dd", "step doorbell", "step fetch", "resume"]);
    expect(lessonRun.finding?.text).toBe("said\n");
  });

  it("says so when a step was called off, or a command failed to run", async () => {
    const { desk, rig } = makeDesk();
    rig.steps = false;
    const off = new LessonRun(lesson(step({ kind: "step", step: "fetch" })), desk, () => {});
    await off.perform();
    expect([off.state, off.finding?.text]).toEqual(["failed", "The step was called off: try it again."]);
    rig.onExec = () => Promise.reject(new Error("The machine was restarted."));
    const gone = new LessonRun(lesson(step(run("x"))), desk, () => {});
    await gone.perform();
    expect([gone.state, gone.finding?.text]).toEqual(["failed", "The machine was restarted."]);
  });

  it("lifts its fault after the step, and no other", async () => {
    const { desk, rig } = makeDesk();
    rig.armed.push({ id: 3, rule: { action: "drop" } });
    rig.onExec = async () => {
      expect(rig.armed.map(({ id }) => id)).toEqual([3, 7]);
    };
    const act = { kind: "run", command: "read", fault: { action: "drop", count: 1 } } as const;
    const lessonRun = new LessonRun(lesson(step(act)), desk, () => {});
    await lessonRun.perform();
    expect(lessonRun.finding).toEqual({ ok: true, text: "seen" });
    expect(rig.armed.map(({ id }) => id)).toEqual([3]);
  });

  it("puts all right when it is left, once, also in the middle of a step", async () => {
    const { desk, rig } = makeDesk();
    let end: () => void = () => {};
    rig.onExec = command =>
      command === "long" ? new Promise(resolve => (end = resolve)) : Promise.resolve();
    const act = { kind: "run", command: "long", fault: { action: "drop" } } as const;
    const lessonRun = new LessonRun(lesson(step(act)), desk, () => {});
    const going = lessonRun.perform();
    await Promise.resolve();
    await Promise.resolve();
    await lessonRun.leave();
    await lessonRun.leave();
    end();
    await going;
    expect(rig.armed).toEqual([]);
    expect(rig.done.filter(each => each === "resume")).toHaveLength(1);
    expect(rig.done.filter(each => each === "clean up")).toHaveLength(1);
    expect(lessonRun.state).toBe("going on");
  });

  it("leaves a machine alone that it has not touched", async () => {
    const { desk, rig } = makeDesk();
    await new LessonRun(lesson(step(run("x"))), desk, () => {}).leave();
    expect(rig.done).toEqual([]);
  });
});
