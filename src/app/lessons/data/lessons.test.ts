import { describe, expect, it } from "vitest";
import { compileRule } from "../../../devices/nvme/faults/compile_rule.ts";
import { type CounterName, counterNames } from "../../../trace/counters.ts";
import { queueTerms } from "../../queues/terms.ts";
import type { Evidence, LessonMachine } from "../lesson.ts";
import { lessons } from "./index.ts";

const nothing: Evidence = {
  grown: Object.fromEntries(counterNames.map(name => [name, 0])) as Record<CounterName, number>,
  records: [],
  result: undefined,
  before: undefined,
  now: undefined,
  queues: undefined,
};
const machine: LessonMachine = {
  settings: { serving: "iothread+poll", shadowDoorbells: "dbbuf" },
  rescue: false,
};

describe.each(lessons.map(lesson => [lesson.id, lesson] as const))("lesson %s", (_, lesson) => {
  it("finds nothing where nothing has happened", () => {
    for (const { check } of lesson.steps) expect(check(nothing).ok).toBe(false);
  });

  it("can be given on a machine with the default settings", () => {
    expect(lesson.hindrance?.(machine)).toBeUndefined();
  });

  it("points at what there is, and its faults are rules", () => {
    for (const { highlight, act } of lesson.steps) {
      for (const term of highlight) expect(queueTerms[term]).toBeDefined();
      if (act.kind === "run" && act.fault) expect(() => compileRule(act.fault!)).not.toThrow();
    }
  });

  it("is short", () => {
    expect(lesson.steps.length).toBeLessThanOrEqual(4);
    for (const { text } of lesson.steps) expect(text.length).toBeLessThan(330);
  });
});

it("has six lessons, each with a name of its own", () => {
  expect(new Set(lessons.map(({ id }) => id)).size).toBe(6);
});

it("says what a lesson lacks", () => {
  const without = (settings: Partial<LessonMachine["settings"]>, rescue = false) =>
    lessons
      .filter(lesson => lesson.hindrance?.({ settings: { ...machine.settings, ...settings }, rescue }))
      .map(({ id }) => id);
  expect(without({ serving: "mmio" })).toEqual(["shadow", "polling"]);
  expect(without({ serving: "iothread" })).toEqual(["polling"]);
  expect(without({ shadowDoorbells: "off" })).toEqual(["shadow"]);
  expect(without({}, true)).toEqual(["flush", "timeout"]);
});
