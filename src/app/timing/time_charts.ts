/** Two charts over the last half minute, latencies as a heat map and where on the disk commands went; and both as a table. */
import { NvmOpcode } from "../../devices/nvme/spec/opcodes.ts";
import { type CommandSpan, latencyOf } from "../../trace/command_spans.ts";
import { element, setText } from "../dom.ts";
import { colourOf } from "../palette.ts";
import { formatMicroseconds } from "./histogram_view.ts";
import { makeTimeTable } from "./time_table.ts";

const SECONDS = 30;
const COLUMNS = 120;
/** Rows of the heat map: doublings from 1 µs up to 16 s. */
const ROWS = 24;
const SIZE = { width: 720, height: 144 } as const;
/** Commands drawn in the scatter, at most: older ones are covered anyway. */
const MAX_POINTS = 4000;

export interface TimeCharts {
  readonly root: HTMLElement;
  /** `now` on the trace's clock. */
  show(spans: readonly CommandSpan[], now: number): void;
}

export function makeTimeCharts(): TimeCharts {
  const heat = chart("Latency over the last 30 s (each row doubles)");
  const places = chart("Place on the disk over the last 30 s");
  const table = makeTimeTable();
  return {
    root: element("div", { class: "time-charts" }, heat.root, places.root, table.root),
    show(spans, now) {
      const recent = within(spans, now);
      table.show(recent, now, SECONDS);
      drawHeat(heat, recent, now);
      drawPlaces(places, recent, now);
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

/** Spans come in the order of time: from the end back to the first that is too old. */
function within(spans: readonly CommandSpan[], now: number): readonly CommandSpan[] {
  let first = spans.length;
  while (first > 0 && ageOf(spans[first - 1], now) < SECONDS * 1e6) first -= 1;
  return spans.slice(first);
}

const ageOf = (span: CommandSpan, now: number): number => Math.max(0, (now - span.postedAt) | 0);

function drawHeat({ canvas, range }: Chart, spans: readonly CommandSpan[], now: number): void {
  const counts = new Uint32Array(COLUMNS * ROWS);
  let [low, high] = [ROWS, -1];
  for (const span of spans) {
    const column = COLUMNS - 1 - Math.floor((ageOf(span, now) / (SECONDS * 1e6)) * COLUMNS);
    const row = Math.min(ROWS - 1, 31 - Math.clz32(Math.max(1, latencyOf(span))));
    counts[column * ROWS + row] += 1;
    low = Math.min(low, row);
    high = Math.max(high, row);
  }
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const words =
    high < 0 ? "no commands" : `${formatMicroseconds(2 ** low)} to ${formatMicroseconds(2 ** (high + 1))}`;
  describe(canvas, range, "Latencies", words);
  if (high < 0) return;
  const rows = high - low + 1;
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  context.fillStyle = colourOf(canvas, "--bar");
  const [width, height] = [canvas.width / COLUMNS, canvas.height / rows];
  for (let column = 0; column < COLUMNS; column++) {
    for (let row = low; row <= high; row++) {
      const count = counts[column * ROWS + row];
      if (count === 0) continue;
      // Logarithmic: one slow command among thousands must be seen.
      context.globalAlpha = 0.2 + (0.8 * Math.log(1 + count)) / Math.log(1 + most);
      context.fillRect(column * width, (high - row) * height, width, height - 1);
    }
  }
  context.globalAlpha = 1;
}

function drawPlaces({ canvas, range }: Chart, spans: readonly CommandSpan[], now: number): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  const placed = newestPlaced(spans);
  const last = placed.reduce((most, { lba }) => Math.max(most, lba), 0);
  describe(
    canvas,
    range,
    "Places",
    placed.length === 0 ? "no commands" : `block 0 to ${last}; ● read ▬ write`,
  );
  const colours = { read: colourOf(canvas, "--bar"), write: colourOf(canvas, "--bad") };
  for (const span of placed) {
    const x = canvas.width * (1 - ageOf(span, now) / (SECONDS * 1e6));
    const y = (canvas.height - 6) * (1 - span.lba / Math.max(1, last)) + 3;
    const isRead = span.opcode === NvmOpcode.read;
    context.fillStyle = isRead ? colours.read : colours.write;
    // Shape as well as colour: reads are square dots, writes are dashes.
    if (isRead) context.fillRect(x - 1.5, y - 1.5, 3, 3);
    else context.fillRect(x - 4, y - 1, 8, 2);
  }
}

/** Reads and writes, the newest first. */
function newestPlaced(spans: readonly CommandSpan[]): CommandSpan[] {
  const placed: CommandSpan[] = [];
  for (let i = spans.length - 1; i >= 0 && placed.length < MAX_POINTS; i--) {
    const { qid, opcode } = spans[i];
    if (qid !== 0 && (opcode === NvmOpcode.read || opcode === NvmOpcode.write)) placed.push(spans[i]);
  }
  return placed;
}

function describe(canvas: HTMLCanvasElement, range: HTMLElement, what: string, words: string): void {
  setText(range, words);
  canvas.setAttribute("aria-label", `${what}: ${words}`);
}
