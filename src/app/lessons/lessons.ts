/** The lessons view: short lessons that run real commands in the guest, above the queues that they are about. */
import type { Machine } from "../../machine/api.ts";
import { type Dispose, element } from "../dom.ts";
import { type Explainer, makeExplainer } from "../queues/explained.ts";
import { mountQueues } from "../queues/queues.ts";
import { makeControlStrip } from "../slow_motion/control_strip.ts";
import { watchMachine } from "../watched.ts";
import { lessons } from "./data/index.ts";
import { makeDesk } from "./desk.ts";
import type { Lesson } from "./lesson.ts";
import { makeLessonList } from "./lesson_list.ts";
import { LessonRun } from "./lesson_run.ts";
import { makeStepView } from "./step_view.ts";

/** Mounts the view into `el`. */
export function mountLessons(el: HTMLElement, machine: Machine): Dispose {
  const explainer = makeExplainer();
  const place = element("div", { class: "lesson-place" });
  const queues = element("div", {});
  const desk = makeDesk(machine);
  let run: LessonRun | undefined;
  let closeLesson: Dispose = () => {};

  const list = makeLessonList(lessons, machine, lesson => open(lesson));
  const leave = () => {
    explainer.highlight([]);
    const { lesson } = run ?? {};
    void run?.leave();
    run = undefined;
    closeLesson();
    closeLesson = () => {};
    list.show();
    place.replaceChildren(list.root);
    queues.classList.remove("in-lesson");
    list.focus(lesson);
  };
  const open = (lesson: Lesson) => {
    const view = makeStepView({
      back: leave,
      again: () => {
        void run?.leave();
        open(lesson);
      },
    });
    const present = new LessonRun(lesson, desk, () => {
      if (present.isComplete) list.complete(lesson);
      show(explainer, present);
      view.show(present);
    });
    run = present;
    closeLesson = () => view.root.remove();
    show(explainer, present);
    view.show(present);
    place.replaceChildren(view.root);
    queues.classList.add("in-lesson");
    view.focus();
  };

  list.show();
  place.replaceChildren(list.root);
  el.replaceChildren(element("section", { class: "lessons", "aria-label": "Lessons" }, place), queues);
  const disposeQueues = mountQueues(queues, watchMachine(machine), {
    head: makeControlStrip(machine),
    explainer,
  });
  const off = machine.on("state", () => list.show());
  return () => {
    off();
    void run?.leave();
    run = undefined;
    disposeQueues();
    el.replaceChildren();
  };
}

function show(explainer: Explainer, run: LessonRun): void {
  explainer.highlight(run.step.highlight);
}
