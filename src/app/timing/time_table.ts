/** The charts over time as a table, for whoever cannot see them, or wants the numbers. */
import { element } from "../dom.ts";
import { formatCount } from "../format.ts";
import { formatMicroseconds } from "./histogram_view.ts";
import { type Column, summarize } from "./recent_commands.ts";

const STEP = 5;
const headings = ["Seconds ago", "Commands", "Reads", "Writes", "Median", "Longest", "Blocks"];

export interface TimeTable {
  readonly root: HTMLElement;
  /** Costs nothing while it is folded. */
  show(columns: readonly (Column | undefined)[]): void;
}

export function makeTimeTable(): TimeTable {
  const body = element("tbody", {});
  const root = element(
    "details",
    { class: "time-table" },
    element("summary", {}, "The last 30 s as a table"),
    element(
      "table",
      {},
      element("thead", {}, element("tr", {}, ...headings.map(text => element("th", { scope: "col" }, text)))),
      body,
    ),
  );
  let shown = "";
  return {
    root,
    show(columns) {
      if (!root.open) return;
      const rows = summarize(columns, STEP).map(row => [
        `${row.to}–${row.from}`,
        formatCount(row.commands),
        formatCount(row.reads),
        formatCount(row.writes),
        row.median === undefined ? "–" : formatMicroseconds(row.median),
        row.longest === undefined ? "–" : formatMicroseconds(row.longest),
        row.lowestLba === undefined ? "–" : `${row.lowestLba} to ${row.highestLba}`,
      ]);
      const key = JSON.stringify(rows);
      if (key === shown) return;
      shown = key;
      body.replaceChildren(
        ...rows.map(([name, ...cells]) =>
          element(
            "tr",
            {},
            element("th", { scope: "row" }, name),
            ...cells.map(text => element("td", {}, text)),
          ),
        ),
      );
    },
  };
}
