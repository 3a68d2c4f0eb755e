/**
 * The timing view: where the time of each command goes. It traces from the moment that it is opened; latencies as a
 * histogram and a heat map, the latest commands phase by phase, where on the disk they went, and all of it as a file.
 */

import { type CommandSpan, latencyOf } from "../../trace/command_spans.ts";
import { LatencyHistogram } from "../../trace/latency_histogram.ts";
import { button, type Dispose, element, setText } from "../dom.ts";
import { formatTotal } from "../format.ts";
import { BUSY_LOOK_MS, hasTurned, lookEvery } from "../frames.ts";
import { aboutOf, type Follower, type Stretch, type Watched } from "../watched.ts";
import { formatMicroseconds, makeHistogram } from "./histogram_view.ts";
import { makePhases } from "./phases_view.ts";
import { RecentCommands } from "./recent_commands.ts";
import { commandOf, labelOf, matches, Recording, type SpanFilter } from "./recording.ts";
import { saveTrace } from "./save_trace.ts";
import { makeTimeCharts } from "./time_charts.ts";
import type { TraceFile } from "./trace_file.ts";

/**
 * Each half of the view is drawn so often: the figures and the charts in turn, so that no drawing holds up the page for long.
 * Half a minute stands almost still anyway, and drawing takes the cores that the machine runs on.
 */
const DRAW_MS = 1000;

/** Commands that are shown phase by phase, and among how many they are found: the very latest have not come to their end. */
const SHOWN = 10;
const LATEST = 100;

/** Mounts the view into `el`; `open` is called to have another trace opened. */
export function mountTiming(el: HTMLElement, machine: Watched, open: () => void): Dispose {
  const histogramView = makeHistogram();
  const phases = makePhases();
  const charts = makeTimeCharts();
  const queue = choice("Queue", qid => (qid === 0 ? "admin" : String(qid)));
  const command = choice("Command", labelOf);
  const slower = element("input", { type: "number", min: "0", step: "10", value: "0", id: "timing-slower" });
  const clear = button("Clear", () => restart());
  const saving = element("span", { role: "status" });
  /** What is shown at the click, whatever comes in while the rest is asked for. */
  const save = async (file: TraceFile | Promise<TraceFile>) => {
    const { words } = recording;
    setText(saving, "Making the file …");
    try {
      await saveTrace(words, await file);
      setText(saving, "");
    } catch (error) {
      setText(saving, String(error instanceof Error ? error.message : error));
    }
  };
  const perfetto = button("Perfetto JSON", () =>
    save(aboutOf(machine, reader?.lost ?? 0).then(about => ({ as: "json", about }))),
  );
  const table = button("CSV", () => save({ as: "csv", filter: present }));
  const fio = button("fio log", () => {
    const filter = present;
    return save(machine.namespaces().then(namespaces => ({ as: "fio", filter, namespaces })));
  });
  perfetto.title =
    "Save what was traced, for ui.perfetto.dev or chrome://tracing, and to be opened here again";
  table.title = "Save the commands that the filters let through";
  fio.title = "Save the reads and writes that the filters let through as fio’s latency log (with offsets)";
  const figures = ["commands", "p50", "p99", "p99.9", "lost"].map(label => {
    const value = element("dd", {}, "0");
    return { value, root: element("div", {}, element("dt", {}, label), value) };
  });
  figures[4].root.title = "Trace records that were overwritten before the page could read them";
  el.replaceChildren(
    element(
      "section",
      { class: "timing", "aria-label": "Timing" },
      element(
        "div",
        { class: "filters" },
        queue.root,
        command.root,
        element("label", { for: slower.id }, "Slower than", slower, "µs"),
        clear,
      ),
      element("dl", { class: "figures-row" }, ...figures.map(({ root }) => root)),
      histogramView.root,
      phases.root,
      charts.root,
      element(
        "div",
        { class: "buttons" },
        element("span", {}, "Save:"),
        perfetto,
        table,
        fio,
        saving,
        button("Open a saved trace…", open),
      ),
    ),
  );

  const endObservation = machine.observe();
  let observation: Stretch | undefined;
  let reader: Follower | undefined;
  let drawnAt = Number.NEGATIVE_INFINITY;

  const filter = (): SpanFilter => ({
    qid: queue.value,
    command: command.value,
    slowerThan: Math.max(0, slower.valueAsNumber || 0),
  });
  let present = filter();
  const histogram = new LatencyHistogram();
  const recent = new RecentCommands();
  /** Their last phases come later than they. */
  const latest: CommandSpan[] = [];
  const latestSeen = () => {
    const seen = latest.filter(({ seenAt }) => seenAt !== undefined);
    return (seen.length > 0 ? seen : latest).slice(-SHOWN);
  };
  const recording = new Recording(span => {
    queue.offer(span.qid);
    command.offer(commandOf(span.qid, span.opcode));
    const latency = latencyOf(span);
    if (!matches(present, span, latency)) return;
    histogram.add(latency);
    recent.add(span, latency);
    latest.push(span);
    if (latest.length > LATEST) latest.shift();
  });
  const recount = () => {
    present = filter();
    histogram.clear();
    recent.clear();
    latest.length = 0;
    recording.retell();
    drawnAt = Number.NEGATIVE_INFINITY;
  };
  const restart = () => {
    recording.clear();
    recount();
  };
  for (const field of [queue.select, command.select, slower]) field.addEventListener("input", recount);

  /** A new boot is another machine, with clocks of its own. */
  const follow = () => {
    if (machine.observation === observation) return;
    observation = machine.observation;
    reader = machine.follow();
    restart();
  };

  const drawFigures = () => {
    setText(figures[0].value, formatTotal(histogram.total));
    for (const [i, quantile] of [0.5, 0.99, 0.999].entries()) {
      setText(
        figures[i + 1].value,
        histogram.total === 0 ? "–" : formatMicroseconds(histogram.quantile(quantile)),
      );
    }
    setText(figures[4].value, formatTotal(reader?.lost ?? 0));
    histogramView.show(histogram.octaves());
    phases.show(latestSeen());
    queue.show();
    command.show();
  };
  const drawCharts = () => charts.show(recent, observation?.now() ?? 0);
  const halves = [drawFigures, drawCharts];
  let turn = 0;

  const look = (now: number) => {
    follow();
    reader?.read(record => recording.add(record));
    if (!hasTurned(DRAW_MS / halves.length, drawnAt, now)) return undefined;
    drawnAt = now;
    turn += 1;
    return halves[turn % halves.length];
  };
  const stop = lookEvery(() => BUSY_LOOK_MS, look);

  return () => {
    stop();
    endObservation();
    el.replaceChildren();
  };
}

/** A select that offers what there has been so far. */
function choice(label: string, nameOf: (value: number) => string) {
  const select = element("select", {}, element("option", { value: "" }, "all"));
  const offered = new Set<number>();
  let shown = 0;
  return {
    select,
    root: element("label", {}, label, select),
    /** Undefined for all. */
    get value(): number | undefined {
      return select.value === "" ? undefined : Number(select.value);
    },
    /** There has been this: called for each command, so it only takes note. */
    offer(value: number) {
      offered.add(value);
    },
    show() {
      for (const value of [...offered].slice(shown)) {
        select.append(element("option", { value: String(value) }, nameOf(value)));
      }
      shown = offered.size;
    },
  };
}
