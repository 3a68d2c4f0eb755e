/** The views beside the terminal, one at a time, as tabs. They show the machine, or a saved trace that was opened. */
import type { Machine } from "../../machine/api.ts";
import { Benchmark } from "../benchmark/benchmark.ts";
import { mountBenchmark } from "../benchmark/view.ts";
import { type Dispose, element } from "../dom.ts";
import { mountFaults } from "../faults/faults.ts";
import { keep, kept } from "../kept.ts";
import { mountLessons } from "../lessons/lessons.ts";
import { mountQueues } from "../queues/queues.ts";
import { type OpenedTrace, takeTraces } from "../replay/opener.ts";
import { makePlayer, type Player } from "../replay/player.ts";
import { mountSetup } from "../setup/setup.ts";
import { makeControlStrip } from "../slow_motion/control_strip.ts";
import { mountTiming } from "../timing/timing.ts";
import { watchMachine } from "../watched.ts";
import { makeTabs, type Tab } from "./tabs.ts";

/** What there is to see of a machine of one's own. */
const ownViews: readonly string[] = ["queues", "timing", "faults"];

/** The view that was seen last. */
const STORAGE_KEY = "doorbell-view";

/** Mounts the panel into `el`, with the view `first` or the one that was seen last; `close` is called when its close button is pressed. */
export function mountPanel(el: HTMLElement, machine: Machine, close: () => void, first?: string): Dispose {
  const benchmark = new Benchmark(machine, location.search);
  const live = watchMachine(machine);
  let player: Player | undefined;
  const watched = () => player?.playback ?? live;
  const all: Tab[] = [
    {
      name: "queues",
      label: "Queues",
      mount: view => mountQueues(view, watched(), { head: player ? undefined : makeControlStrip(machine) }),
    },
    { name: "timing", label: "Timing", mount: view => mountTiming(view, watched(), () => traces.pick()) },
    { name: "lessons", label: "Lessons", mount: view => mountLessons(view, machine) },
    { name: "benchmark", label: "Benchmark", mount: view => mountBenchmark(view, benchmark) },
    { name: "faults", label: "Faults", mount: view => mountFaults(view, machine) },
    { name: "settings", label: "Settings", mount: view => mountSetup(view, machine) },
  ];
  // The others are about the built-in machine.
  const offered = machine.settings.own ? all.filter(({ name }) => ownViews.includes(name)) : all;
  const tabs = makeTabs(offered, view => keep(STORAGE_KEY, view));
  const place = element("div", {});
  const play = (trace: OpenedTrace) => {
    player?.dispose();
    player = makePlayer(trace, { label: "Back to the machine", run: leave });
    place.replaceChildren(player.root);
    tabs.show("timing");
  };
  const leave = () => {
    player?.dispose();
    player = undefined;
    place.replaceChildren();
    tabs.show();
  };
  const traces = takeTraces(el, play);

  const closeButton = element(
    "button",
    { type: "button", class: "quiet", "aria-label": "Close the panel" },
    "✕",
  );
  closeButton.addEventListener("click", close);
  el.replaceChildren(
    element(
      "header",
      { class: "panel-head" },
      element("h2", { class: "visually-hidden" }, "Views"),
      tabs.list,
      closeButton,
    ),
    traces.root,
    place,
    tabs.view,
  );
  tabs.show(first ?? kept(STORAGE_KEY));
  return () => {
    benchmark.cancel();
    player?.dispose();
    traces.dispose();
    tabs.dispose();
    el.replaceChildren();
  };
}
