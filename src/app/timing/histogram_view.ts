/** Latencies by doublings, as a table whose rows are the bars: what is seen is what a screen reader reads. */
import type { Bucket } from "../../trace/latency_histogram.ts";
import { element } from "../dom.ts";
import { formatCount } from "../format.ts";

export interface HistogramView {
  readonly root: HTMLElement;
  show(buckets: readonly Bucket[]): void;
}

export function makeHistogram(): HistogramView {
  const body = element("tbody", {});
  const root = element(
    "table",
    { class: "histogram" },
    element("caption", {}, "Latency, from the doorbell (or the fetch) to the completion entry"),
    body,
  );
  let shown = "";
  return {
    root,
    show(buckets) {
      const key = JSON.stringify(buckets);
      if (key === shown) return;
      shown = key;
      const most = Math.max(1, ...buckets.map(({ count }) => count));
      body.replaceChildren(
        ...buckets.map(({ from, to, count }) => {
          const bar = element("span", { class: "length" });
          bar.style.width = `${(count / most) * 100}%`;
          return element(
            "tr",
            {},
            element("th", { scope: "row" }, `${formatMicroseconds(from)} – ${formatMicroseconds(to)}`),
            element("td", { class: "bar-cell" }, bar),
            element("td", { class: "count" }, formatCount(count)),
          );
        }),
      );
    },
  };
}

/** 12 µs, 1.5 ms, 2.1 s. */
export function formatMicroseconds(us: number): string {
  if (us < 1000) return `${Math.round(us)} µs`;
  const [value, unit] = us < 1_000_000 ? [us / 1000, "ms"] : [us / 1_000_000, "s"];
  return `${value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : formatCount(value)} ${unit}`;
}
