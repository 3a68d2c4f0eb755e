/** The lessons to choose from, and which were completed in this browser. */
import type { Machine } from "../../machine/api.ts";
import { element } from "../dom.ts";
import { keep, kept } from "../kept.ts";
import type { Lesson } from "./lesson.ts";

const STORAGE_KEY = "doorbell-lessons";

export interface LessonList {
  readonly root: HTMLElement;
  /** Draws it anew: another machine may hinder other lessons. */
  show(): void;
  complete(lesson: Lesson): void;
  /** Puts the focus on a lesson, if there is one. */
  focus(lesson: Lesson | undefined): void;
}

export function makeLessonList(
  lessons: readonly Lesson[],
  machine: Machine,
  open: (lesson: Lesson) => void,
): LessonList {
  const completed = remembered();
  const list = element("ol", { class: "lesson-list" });
  const intro = element("p", { class: "explanation" });
  const root = element("div", {}, intro, list);
  const buttons = new Map<Lesson, HTMLButtonElement>();
  return {
    root,
    show() {
      intro.textContent =
        machine.state === "running"
          ? "Short lessons on this machine: each runs real commands in its Linux, and checks what came of them."
          : "Lessons run commands in the machine’s Linux: they can begin when it has booted.";
      list.replaceChildren(
        ...lessons.map((lesson, i) => {
          const hindrance = lesson.hindrance?.(machine);
          const isDone = completed.has(lesson.id);
          const button = element(
            "button",
            { type: "button", disabled: hindrance !== undefined || machine.state !== "running" },
            `${i + 1}. ${lesson.title}`,
          );
          button.addEventListener("click", () => open(lesson));
          buttons.set(lesson, button);
          return element(
            "li",
            { class: "lesson-item" },
            button,
            element("span", { class: "lesson-done" }, isDone ? "✓ done" : ""),
            element("p", {}, hindrance ?? lesson.summary),
          );
        }),
      );
    },
    complete(lesson) {
      completed.add(lesson.id);
      keep(STORAGE_KEY, [...completed].join(" "));
    },
    focus(lesson) {
      if (lesson) buttons.get(lesson)?.focus();
    },
  };
}

function remembered(): Set<string> {
  return new Set((kept(STORAGE_KEY) ?? "").split(" ").filter(Boolean));
}
