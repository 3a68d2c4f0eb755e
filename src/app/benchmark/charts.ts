/** The results as bars: a table for each job, so that what is seen is what a screen reader reads. */
import { figure } from "../../bench/definitions/statistics.ts";
import { threadRows } from "../../bench/definitions/thread.ts";
import { element } from "../dom.ts";
import { isScaled, jobsOf, latencyText, nameOf, rateOf, rateText } from "./report.ts";
import type { Measured } from "./run.ts";

interface Bar {
  readonly name: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly text: string;
  readonly latencies: string;
  readonly title: string;
  readonly isReference: boolean;
}

/** A chart for each job that was measured, in the order of the jobs. */
export function makeCharts(results: readonly Measured[]): HTMLElement[] {
  return jobsOf(results).map(({ name, title, unit }) => {
    const bars = [...results.flatMap(result => barOf(result, name)), ...(isScaled(name) ? references : [])];
    const most = Math.max(...bars.map(({ max }) => max));
    return element(
      "table",
      { class: "rates" },
      element(
        "caption",
        {},
        element("strong", {}, title),
        `, ${unit}: median and spread; p50 / p99 of the latency`,
      ),
      element(
        "thead",
        { class: "visually-hidden" },
        element(
          "tr",
          {},
          ...["System", "Bar", "Median and spread", "p50 / p99 latency"].map(text =>
            element("th", { scope: "col" }, text),
          ),
        ),
      ),
      element("tbody", {}, ...bars.map(bar => rowOf(bar, most))),
    );
  });
}

function barOf(result: Measured, job: string): Bar[] {
  const row = rateOf(result, job);
  if (!row) return [];
  const { median, min, max, runs } = row;
  const lines = (result.runs[job] ?? []).map(({ line }) => line);
  const warmUp = result.warmUp[job]?.map(figure) ?? [];
  return [
    {
      name: nameOf(result),
      ...{ median, min, max },
      text: rateText(row),
      latencies: latencyText(result, job),
      title: `${runs} runs, ${figure(min)} to ${figure(max)}\n${lines.join("\n")}\nwhile it warmed up: ${warmUp.join(" ")}`,
      isReference: false,
    },
  ];
}

const references: readonly Bar[] = threadRows.map(({ label, megabytes }) => ({
  name: label,
  ...{ median: megabytes, min: megabytes, max: megabytes },
  text: String(megabytes),
  latencies: "",
  title: "Measured in the thread of 2015, natively with KVM and a fast backend: for scale",
  isReference: true,
}));

function rowOf({ name, median, min, max, text, latencies, title, isReference }: Bar, most: number) {
  const share = (value: number) => `${((value / most) * 100).toFixed(2)}%`;
  const length = element("span", { class: "length" });
  length.style.width = share(median);
  // From the slowest to the fastest run.
  const range = element("span", { class: "range-line" });
  range.style.left = share(min);
  range.style.width = share(max - min);
  range.hidden = max === min;
  return element(
    "tr",
    { title, ...(isReference && { class: "reference" }) },
    element("th", { scope: "row" }, name),
    element("td", { class: "bar-cell" }, element("span", { class: "rate-bar" }, length, range)),
    element("td", { class: "count" }, text),
    element("td", { class: "latencies" }, latencies),
  );
}
