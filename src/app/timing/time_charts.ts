/** Two charts over the last half minute, latencies as a heat map and where on the disk commands went; and both as a table. */
import { element, setText } from "../dom.ts";
import { colourOf } from "../palette.ts";
import { formatMicroseconds } from "./histogram_view.ts";
import { COLUMNS, type Column, type Place, type RecentCommands } from "./recent_commands.ts";
import { makeTimeTable } from "./time_table.ts";

/** Rows of the heat map: doublings from 1 µs up to 16 s. */
const ROWS = 24;
const SIZE = { width: 720, height: 144 } as const;

export interface TimeCharts {
  readonly root: HTMLElement;
  /** `now` on the trace's clock. */
  show(commands: RecentCommands, now: number): void;
}

export function makeTimeCharts(): TimeCharts {
  const heat = chart("Latency over the last 30 s (each row doubles)");
  const places = chart("Place on the disk over the last 30 s");
  const table = makeTimeTable();
  return {
    root: element("div", { class: "time-charts" }, heat.root, places.root, table.root),
    show(commands, now) {
      const columns = commands.columns(now);
      table.show(columns);
      drawHeat(heat, columns);
      drawPlaces(places, columns, commands.places(now));
    },
  };
}

interface Chart {
  readonly root: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly range: HTMLElement;
}

function chart(caption: string): Chart {
  const canvas = element("canvas", { width: String(SIZE.width), height: String(SIZE.height), role: "img" });
  const range = element("span", { class: "range" });
  const root = element("figure", {}, canvas, element("figcaption", {}, caption, " ", range));
  return { root, canvas, range };
}

function drawHeat({ canvas, range }: Chart, columns: readonly (Column | undefined)[]): void {
  let [low, high, most] = [ROWS, -1, 1];
  for (const column of columns) {
    for (let row = 0; column && row < ROWS; row++) {
      const count = column.latencies.countOf(row);
      if (count === 0) continue;
      low = Math.min(low, row);
      high = Math.max(high, row);
      most = Math.max(most, count);
    }
  }
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const words =
    high < 0 ? "no commands" : `${formatMicroseconds(2 ** low)} to ${formatMicroseconds(2 ** (high + 1))}`;
  describe(canvas, range, "Latencies", words);
  const rows = high - low + 1;
  context.fillStyle = colourOf(canvas, "--bar");
  const [width, height] = [canvas.width / COLUMNS, canvas.height / rows];
  for (const [i, column] of columns.entries()) {
    for (let row = low; column && row <= high; row++) {
      const count = column.latencies.countOf(row);
      if (count === 0) continue;
      // Logarithmic: one slow command among thousands must be seen.
      context.globalAlpha = 0.2 + (0.8 * Math.log(1 + count)) / Math.log(1 + most);
      context.fillRect(i * width, (high - row) * height, width, height - 1);
    }
  }
  context.globalAlpha = 1;
}

function drawPlaces(
  { canvas, range }: Chart,
  columns: readonly (Column | undefined)[],
  places: readonly Place[],
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const last = Math.max(0, ...columns.map(column => column?.highestLba ?? 0));
  describe(
    canvas,
    range,
    "Places",
    places.length === 0 ? "no commands" : `block 0 to ${last}; ● read ▬ write`,
  );
  const colours = { read: colourOf(canvas, "--bar"), write: colourOf(canvas, "--bad") };
  for (const { age, lba, isRead } of places) {
    const x = canvas.width * (1 - age);
    const y = (canvas.height - 6) * (1 - lba / Math.max(1, last)) + 3;
    context.fillStyle = isRead ? colours.read : colours.write;
    // Shape as well as colour: reads are square dots, writes are dashes.
    if (isRead) context.fillRect(x - 1.5, y - 1.5, 3, 3);
    else context.fillRect(x - 4, y - 1, 8, 2);
  }
}

function describe(canvas: HTMLCanvasElement, range: HTMLElement, what: string, words: string): void {
  setText(range, words);
  canvas.setAttribute("aria-label", `${what}: ${words}`);
}
