/** The bar over the views while they show a saved trace: what it is, the way back, and where it is played. */
import { button, type Dispose, element, setText } from "../dom.ts";
import { formatCount } from "../format.ts";
import type { OpenedTrace } from "./opener.ts";
import { Playback } from "./playback.ts";

export interface Player {
  readonly root: HTMLElement;
  readonly playback: Playback;
  dispose: Dispose;
}

/** How fast it can be played, as parts of real time. */
const speeds = [
  ["10 ×", 10],
  ["1 ×", 1],
  ["1/10", 0.1],
  ["1/100", 0.01],
  ["1/1000", 0.001],
] as const;
/** Steps of the slider. */
const STEPS = 1000;

export function makePlayer(
  { name, trace }: OpenedTrace,
  back: { readonly label: string; run(): void },
): Player {
  const playback = new Playback(trace);
  const play = button("Play", () => (timer === 0 ? start() : stop()));
  const step = button("Step", () => {
    stop();
    playback.step();
    show();
  });
  step.title = "On to the next doorbell, fetch, completion or interrupt";
  const slider = element("input", { type: "range", min: "0", max: String(STEPS), "aria-label": "Position" });
  const speed = element(
    "select",
    {},
    ...speeds.map(([label, value]) => element("option", { value: String(value) }, label)),
  );
  speed.value = "1";
  const position = element("span", { class: "position" });
  const root = element(
    "section",
    { class: "player", "aria-label": "Saved trace" },
    element(
      "div",
      { class: "banner", role: "status", "data-severity": "information" },
      element("span", { class: "icon", "aria-hidden": "true" }, "▤"),
      element("p", {}, element("strong", {}, "A saved trace, not the machine: "), describe(name, trace)),
      element("div", { class: "buttons" }, button(back.label, back.run)),
    ),
    element("div", { class: "filters" }, play, step, slider, position, element("label", {}, "Speed", speed)),
  );

  let timer = 0;
  let last = 0;
  const show = () => {
    slider.value = String(playback.duration === 0 ? STEPS : (playback.position / playback.duration) * STEPS);
    const text = `${seconds(playback.position)} of ${seconds(playback.duration)} s`;
    setText(position, text);
    slider.setAttribute("aria-valuetext", text);
    setText(play, timer === 0 ? "Play" : "Pause");
  };
  const stop = () => {
    cancelAnimationFrame(timer);
    timer = 0;
    show();
  };
  const tick = (now: number) => {
    playback.seek(playback.position + (now - last) * 1000 * Number(speed.value));
    last = now;
    if (playback.isAtEnd) return stop();
    timer = requestAnimationFrame(tick);
    show();
  };
  const start = () => {
    if (playback.isAtEnd) playback.seek(0);
    last = performance.now();
    timer = requestAnimationFrame(tick);
    show();
  };
  slider.addEventListener("input", () => {
    playback.seek((Number(slider.value) / STEPS) * playback.duration);
    show();
  });
  show();
  return {
    root,
    playback,
    dispose() {
      cancelAnimationFrame(timer);
      root.remove();
    },
  };
}

function describe(name: string, { about, records }: OpenedTrace["trace"]): string {
  const saved = new Date(about.savedAt).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const { serving, shadowDoorbells, interrupts } = about;
  return `${name}, saved ${saved}; ${formatCount(records.length)} records; serving ${serving}, shadow doorbells ${shadowDoorbells}, interrupts ${interrupts}.`;
}

const seconds = (us: number): string => (us / 1e6).toFixed(us < 10e6 ? 6 : 3);
