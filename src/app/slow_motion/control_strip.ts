/** Pause, single steps and speed, above the queues; and what has just happened there. */
import type { StepName } from "../../devices/pace.ts";
import type { Machine, MachineSlowMotion, Speed } from "../../machine/api.ts";
import type { TraceRecord } from "../../trace/trace_ring.ts";
import { type Dispose, element, setText } from "../dom.ts";
import { happeningOf, type MarkedEntry } from "./happening.ts";

/** What stands above the queues and is told of each event. */
export interface QueueHead {
  readonly root: HTMLElement;
  see(record: TraceRecord): void;
  /** Draws what was seen. */
  show(): void;
  /** The entry to be marked: that of the latest event; undefined at full speed. */
  readonly marked: MarkedEntry | undefined;
  dispose: Dispose;
}

/** Of the latest events. */
const SHOWN = 3;

const stepLabels: readonly (readonly [StepName, string, string])[] = [
  ["doorbell", "Doorbell", "Go on until the driver announces a command"],
  ["fetch", "Fetch", "Go on until the controller has fetched one command"],
  ["completion", "Completion", "Go on until the controller has posted one answer"],
];

const speedLabels: readonly (readonly [Speed, string])[] = [
  [1, "full"],
  [10, "1/10"],
  [100, "1/100"],
  [1000, "1/1000"],
];

const awaited: Readonly<Record<StepName, string>> = {
  doorbell: "Going on until the driver announces a command: do some I/O in the terminal.",
  fetch: "Going on until the controller fetches a command.",
  completion: "Going on until the controller posts an answer.",
};

/** The machine's state of motion in a sentence. */
export function motionText({ speed, stepping, standsStill }: MachineSlowMotion): string {
  if (stepping) return awaited[stepping];
  if (speed === "paused") {
    return standsStill ? "Paused: the guest’s CPU and clock stand still, so nothing times out." : "Pausing …";
  }
  if (speed === 1) return "Full speed.";
  return `Slow motion: guest and controller go at 1/${speed}, and so does the guest’s clock.`;
}

export function makeControlStrip(machine: Machine): QueueHead {
  const { slowMotion } = machine;
  const pause = element("button", { type: "button", class: "pause" });
  const steps = stepLabels.map(([kind, label, title]) => {
    const button = element("button", { type: "button", title }, `${label} ▸`);
    button.addEventListener("click", () => void slowMotion.step(kind).catch(() => {}));
    return button;
  });
  const speed = element(
    "select",
    {},
    ...speedLabels.map(([value, label]) => element("option", { value: String(value) }, label)),
    // Shown while it is, not to be chosen.
    element("option", { value: "paused", hidden: true }, "paused"),
  );
  const state = element("p", { class: "motion-state", role: "status" });
  const list = element("ol", { class: "happenings", "aria-label": "What has just happened, latest first" });
  const root = element(
    "section",
    { class: "slow-motion", "aria-label": "Slow motion" },
    element(
      "div",
      { class: "buttons" },
      pause,
      element("span", { class: "steps", role: "group", "aria-label": "Single steps" }, ...steps),
      element("label", {}, "Speed ", speed),
    ),
    state,
    list,
  );

  const attempt = (work: () => void) => {
    try {
      work();
    } catch {
      // Between two boots; the state says so.
    }
    showState();
  };
  pause.addEventListener("click", () =>
    attempt(() => (slowMotion.speed === "paused" ? slowMotion.resume() : slowMotion.pause())),
  );
  speed.addEventListener("change", () => attempt(() => slowMotion.set(Number(speed.value) as Speed)));

  const showState = () => {
    const isRunning = machine.state === "running";
    const isPaused = slowMotion.speed === "paused";
    setText(pause, isPaused ? "▶ Go on" : "❚❚ Pause");
    pause.disabled = !isRunning;
    speed.disabled = !isRunning;
    for (const button of steps) button.disabled = !isRunning || slowMotion.stepping !== undefined;
    if (speed.value !== String(slowMotion.speed)) speed.value = String(slowMotion.speed);
    setText(state, isRunning ? motionText(slowMotion) : "The machine is not running.");
    root.dataset.motion = isPaused ? "paused" : slowMotion.speed === 1 ? "full" : "slow";
    list.hidden = slowMotion.speed === 1;
    if (slowMotion.speed === 1) forget();
  };

  const recent: string[] = [];
  let marked: MarkedEntry | undefined;
  let drawn = "";
  const forget = () => {
    recent.length = 0;
    marked = undefined;
  };
  const off = [machine.on("pace", showState), machine.on("state", showState)];
  showState();
  return {
    root,
    see(record) {
      if (slowMotion.speed === 1) return;
      const happening = happeningOf(record);
      if (!happening) return;
      recent.unshift(happening.sentence);
      recent.length = Math.min(recent.length, SHOWN);
      marked = happening.entry ?? marked;
    },
    show() {
      // Whether it stands still by now comes without an event.
      if (slowMotion.speed === "paused") showState();
      const key = recent.join("\n");
      if (key === drawn) return;
      drawn = key;
      list.replaceChildren(...recent.map(sentence => element("li", {}, sentence)));
    },
    get marked() {
      return marked;
    },
    dispose() {
      for (const end of off) end();
    },
  };
}
