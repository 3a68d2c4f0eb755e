/** One lesson, of which one step is seen: what it is about, its command, and what came of it. */
import { element, setText } from "../dom.ts";
import type { Act } from "./lesson.ts";
import type { LessonRun } from "./lesson_run.ts";

export interface StepView {
  readonly root: HTMLElement;
  show(run: LessonRun): void;
  focus(): void;
}

/** Of a command's output: the last lines. */
const OUTPUT_LINES = 4;

export function makeStepView(actions: { readonly back: () => void; readonly again: () => void }): StepView {
  let run: LessonRun | undefined;
  const heading = element("h2", { tabindex: "-1" });
  const progress = element("span", { class: "lesson-progress" });
  const text = element("p", {});
  const section = element("p", { class: "explanation" });
  const command = element("pre", { class: "lesson-command", tabindex: "0", "aria-label": "Command" });
  const finding = element("p", { class: "lesson-finding", role: "status" });
  const output = element("pre", { class: "lesson-output", tabindex: "0", "aria-label": "Output" });
  const act = element("button", { type: "button", class: "primary" });
  const next = element("button", { type: "button" }, "Next");
  const again = element("button", { type: "button" }, "From the start");
  const back = element("button", { type: "button", class: "quiet" }, "All lessons");
  act.addEventListener("click", () => void run?.perform());
  next.addEventListener("click", () => {
    if (run?.isLast) actions.back();
    else run?.next();
    act.focus();
  });
  again.addEventListener("click", actions.again);
  back.addEventListener("click", actions.back);
  const root = element(
    "article",
    { class: "lesson" },
    element("header", {}, heading, progress, back),
    text,
    section,
    command,
    finding,
    output,
    element("div", { class: "buttons" }, act, next, again),
  );
  return {
    root,
    show(present) {
      run = present;
      const { lesson, index, step, state, result } = present;
      setText(heading, lesson.title);
      setText(progress, `Step ${index + 1} of ${lesson.steps.length}`);
      setText(text, step.text);
      section.hidden = step.section === undefined;
      setText(section, `NVMe 1.4: ${step.section}`);
      const typed = commandOf(step.act);
      command.hidden = typed === undefined;
      setText(command, typed ?? "");
      root.dataset.state = state;
      setText(act, state === "going on" ? "Going on …" : state === "ready" ? labelOf(step.act) : "Once more");
      act.disabled = state === "going on";
      // A step that has happened cannot happen again.
      act.hidden = state === "done" && step.act.kind !== "run";
      next.hidden = state !== "done";
      setText(next, present.isLast ? "Done: all lessons" : "Next");
      again.hidden = index === 0 && state === "ready";
      finding.hidden = present.finding === undefined;
      setText(finding, present.finding ? `${present.finding.ok ? "✓" : "✕"} ${present.finding.text}` : "");
      const lines = result?.output.trimEnd().split("\n").slice(-OUTPUT_LINES).join("\n") ?? "";
      output.hidden = lines === "" || state === "going on";
      setText(output, lines);
      const { activeElement } = document;
      if (state === "done" && (activeElement === document.body || activeElement === act)) next.focus();
    },
    focus() {
      heading.focus();
    },
  };
}

function commandOf(act: Act): string | undefined {
  return act.kind === "run" ? act.command : act.kind === "step" ? act.start : undefined;
}

const stepLabels = {
  doorbell: "On to the doorbell",
  fetch: "On to the fetch",
  completion: "On to the answer",
};

function labelOf(act: Act): string {
  return act.kind === "run" ? "Run it" : act.kind === "step" ? stepLabels[act.step] : "Go on at full speed";
}
