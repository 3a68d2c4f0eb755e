/** `?trace`: the views without a machine, for a saved trace. Nothing boots, and no disk is touched. */
import { element, slot } from "../dom.ts";
import { mountNotices } from "../notices/notices.ts";
import { startOfflineAlone } from "../offline/start.ts";
import { makeTabs } from "../panel/tabs.ts";
import { mountQueues } from "../queues/queues.ts";
import { mountTiming } from "../timing/timing.ts";
import { type OpenedTrace, takeTraces } from "./opener.ts";
import { makePlayer, type Player } from "./player.ts";

export function mountTracePage(): void {
  const main = slot("main");
  const page = element("div", { class: "panel trace-page" });
  let player: Player | undefined;
  const play = (trace: OpenedTrace) => {
    player?.dispose();
    player = makePlayer(trace, { label: "Start the machine", run: startMachine });
    const { playback } = player;
    const tabs = makeTabs([
      { name: "timing", label: "Timing", mount: view => mountTiming(view, playback, () => traces.pick()) },
      { name: "queues", label: "Queues", mount: view => mountQueues(view, playback) },
    ]);
    disposeTabs();
    disposeTabs = tabs.dispose;
    page.replaceChildren(
      element("header", { class: "panel-head" }, tabs.list),
      traces.root,
      player.root,
      tabs.view,
    );
    tabs.show();
  };
  let disposeTabs = () => {};
  const traces = takeTraces(document.body, play);

  const choose = element("button", { type: "button" }, "Choose a file…");
  choose.addEventListener("click", () => traces.pick());
  const start = element("button", { type: "button" }, "Start the machine");
  start.addEventListener("click", startMachine);
  page.replaceChildren(
    element(
      "section",
      { class: "obstacle", "aria-label": "Open a saved trace" },
      element("h2", {}, "Open a saved trace"),
      element(
        "p",
        {},
        "Drop a trace here that was saved in the Timing tab (“Perfetto JSON”), or choose it. It is played in the views of queues and times; no machine is started for it, and nothing leaves your browser.",
      ),
      element("div", { class: "buttons" }, choose, start),
      traces.root,
    ),
  );
  main.replaceChildren(page);
  choose.focus();
  void startOfflineAlone(mountNotices(slot("notices")));
}

function startMachine(): void {
  const url = new URL(location.href);
  url.searchParams.delete("trace");
  location.assign(url);
}
