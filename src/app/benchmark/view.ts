/** The benchmark view: what to measure and where, how far it is, and the figures with their conditions. */
import { allJobs, quickSizes } from "../../bench/definitions/jobs.ts";
import { label } from "../../bench/definitions/systems.ts";
import { scratchPaths } from "../../machine/scratch.ts";
import { button, type Dispose, element, setText } from "../dom.ts";
import type { Benchmark } from "./benchmark.ts";
import { makeCharts } from "./charts.ts";
import { jobNames, systemNames, THIS_GUEST, type Thoroughness } from "./choice.ts";
import { systemOf } from "./page_guest.ts";
import { conditionLines, jsonOf, markdownOf, nameOf } from "./report.ts";
import { overwritesOwnDisk } from "./run.ts";

/** Mounts the view into `el`. */
export function mountBenchmark(el: HTMLElement, benchmark: Benchmark): Dispose {
  const { machine } = benchmark;
  const device = scratchPaths[machine.settings.scratch];
  const titles = new Map(allJobs(quickSizes).map(({ name, title }) => [name, title]));
  const systems = boxes(systemNames, benchmark.choice.systems, name =>
    name === THIS_GUEST ? `this guest as it runs (${label(systemOf(machine.settings))})` : name,
  );
  const jobs = boxes(jobNames, benchmark.choice.jobs, name => titles.get(name) ?? name);
  const fresh = element(
    "details",
    {},
    element("summary", {}, "Fresh guests, one after the other"),
    element("div", { class: "boxes" }, ...systems.labels.slice(1)),
  );
  fresh.open = benchmark.choice.systems.some(name => name !== THIS_GUEST);
  const thoroughness = element(
    "select",
    {},
    element("option", { value: "quick" }, "quick: 7.5 s to warm up, 5 runs"),
    element("option", { value: "full" }, "full: 15 s to warm up, 7 runs"),
  );
  thoroughness.value = benchmark.choice.thoroughness;
  const allow = element("input", { type: "checkbox", checked: benchmark.mayOverwrite });
  const allowLabel = element(
    "label",
    { class: "overwrite" },
    allow,
    `Overwrite the scratch disk of this guest (${device}): what is on it is lost`,
  );
  const runButton = button("Run", () => void benchmark.run());
  const cancelButton = button("Cancel", () => benchmark.cancel());
  const bar = element("progress", { max: "1", "aria-label": "Progress of the benchmark" });
  const status = element("p", { class: "status-text", role: "status" });
  const problem = element("p", { class: "problem", role: "alert" });
  const figures = element("div", {});
  const conditions = element("ul", { class: "conditions explanation" });
  const copied = element("span", { role: "status" });
  /** Where the browser does not let a page copy. */
  const text = element("textarea", { readonly: true, rows: "6", "aria-label": "To be copied" });
  text.hidden = true;
  const copy = async (what: string, content: string) => {
    text.value = content;
    try {
      await navigator.clipboard.writeText(content);
      text.hidden = true;
      setText(copied, `✓ ${what} copied`);
    } catch {
      text.hidden = false;
      text.select();
      setText(copied, "Copy it from here:");
    }
  };
  const outputs = element(
    "div",
    { class: "buttons" },
    button("Copy Markdown", () => benchmark.report && copy("Markdown", markdownOf(benchmark.report))),
    button("Copy JSON", () => benchmark.report && copy("JSON", jsonOf(benchmark.report))),
  );
  const link = button("Copy link", () => copy("Link", benchmark.address));
  link.title = "An address that carries what is chosen here, and the settings of this machine";

  const form = element(
    "fieldset",
    { class: "benchmark-form" },
    element("legend", { class: "visually-hidden" }, "What to measure"),
    group("Where", systems.labels[0], fresh),
    group("Jobs", element("div", { class: "boxes" }, ...jobs.labels)),
    element("div", { class: "filters" }, element("label", {}, "How", thoroughness)),
    allowLabel,
  );
  el.replaceChildren(
    element(
      "section",
      { class: "benchmark", "aria-label": "Benchmark" },
      element(
        "p",
        { class: "explanation" },
        "dd and fio in the guest, as “npm run bench” runs them. Whatever else this computer does makes the figures smaller.",
      ),
      form,
      element("div", { class: "buttons" }, runButton, cancelButton, link),
      bar,
      status,
      problem,
      figures,
      conditions,
      outputs,
      copied,
      text,
    ),
  );

  const read = () => {
    benchmark.choice = {
      thoroughness: thoroughness.value as Thoroughness,
      systems: systems.chosen(),
      jobs: jobs.chosen(),
    };
    benchmark.mayOverwrite = allow.checked;
    show();
  };
  form.addEventListener("change", read);

  let shown: unknown;
  const show = () => {
    const { choice, progress, isRunning, report } = benchmark;
    form.disabled = isRunning;
    allowLabel.hidden = !overwritesOwnDisk(choice);
    const waits =
      choice.systems.length === 0 || choice.jobs.length === 0 || !(allowLabel.hidden || allow.checked);
    runButton.disabled = isRunning || waits;
    cancelButton.disabled = !isRunning;
    bar.hidden = !isRunning;
    bar.value = progress?.part ?? 0;
    setText(status, progress ? progressText(benchmark) : "");
    setText(problem, benchmark.problem ?? "");
    outputs.hidden = !report;
    conditions.hidden = !report;
    const key = report && `${report.results.length}${report.conditions.at}`;
    if (key === shown) return;
    shown = key;
    figures.replaceChildren(
      ...(report ? [...makeCharts(report.results), ...report.results.flatMap(failureOf)] : []),
    );
    conditions.replaceChildren(
      ...(report ? conditionLines(report).map(line => element("li", {}, line)) : []),
    );
  };
  benchmark.changed = show;
  show();
  return () => {
    benchmark.changed = () => {};
    el.replaceChildren();
  };

  function progressText({ progress }: Benchmark): string {
    if (!progress) return "";
    const { system, stage, job, lastFigure } = progress;
    const where = system === THIS_GUEST ? "this guest" : system;
    return `${where}: ${stage}${job === undefined ? "" : `, ${job}: ${lastFigure}`}`;
  }
}

function failureOf(result: Parameters<typeof nameOf>[0]): HTMLElement[] {
  if (result.failure === undefined) return [];
  return [element("p", { class: "problem" }, `${nameOf(result)}: ${result.failure}`)];
}

function group(name: string, ...children: HTMLElement[]): HTMLElement {
  return element("fieldset", {}, element("legend", {}, name), ...children);
}

/** A box to tick for each name. */
function boxes(names: readonly string[], chosen: readonly string[], text: (name: string) => string) {
  const inputs = names.map(name => element("input", { type: "checkbox", checked: chosen.includes(name) }));
  return {
    labels: names.map((name, i) => element("label", { class: "box" }, inputs[i], text(name))),
    chosen: () => names.filter((_, i) => inputs[i].checked),
  };
}
