/** The latest commands, each with its phases on one scale of time. */
import { commandName } from "../../devices/nvme/spec/decode.ts";
import { type CommandSpan, commandMoments } from "../../trace/command_spans.ts";
import { element } from "../dom.ts";
import { formatMicroseconds } from "./histogram_view.ts";

/** Names of the phases (commandMoments() has their ends): class and legend. */
const phases = [
  ["announced", "doorbell to fetch"],
  ["storage", "waits for storage"],
  ["served", "data moves"],
  ["posting", "to completion entry"],
  ["interrupt", "to interrupt"],
  ["seen", "until the driver has read it"],
] as const;

export interface PhasesView {
  readonly root: HTMLElement;
  /** The latest is the last one. */
  show(spans: readonly CommandSpan[]): void;
}

/** Lengths of the phases in microseconds. */
function phaseLengths(span: CommandSpan): number[] {
  const moments = commandMoments(span);
  return phases.map((_, i) => moments[i + 1] - moments[i]);
}

export function makePhases(): PhasesView {
  const body = element("tbody", {});
  const root = element(
    "div",
    { class: "phases" },
    element(
      "p",
      { class: "legend" },
      ...phases.map(([name, label]) =>
        element("span", {}, element("span", { class: `swatch ${name}` }), label),
      ),
    ),
    element("table", {}, element("caption", {}, "The latest commands"), body),
  );
  return {
    root,
    show(spans) {
      const latest = spans.toReversed();
      const lengths = latest.map(phaseLengths);
      const longest = Math.max(1, ...lengths.map(sum));
      body.replaceChildren(
        ...latest.map((span, i) => {
          const name = commandName(span.qid, span.opcode);
          const bars = element("div", { class: "bars" });
          for (const [phase, [className]] of phases.entries()) {
            const bar = element("span", { class: className });
            bar.style.width = `${(lengths[i][phase] / longest) * 100}%`;
            bars.append(bar);
          }
          const words = phases
            .map(([, label], p) => `${label} ${formatMicroseconds(lengths[i][p])}`)
            .join(", ");
          return element(
            "tr",
            { title: words },
            element("th", { scope: "row" }, name),
            element("td", { class: "bar-cell" }, bars, element("span", { class: "visually-hidden" }, words)),
            element("td", { class: "count" }, formatMicroseconds(sum(lengths[i]))),
          );
        }),
      );
    },
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
