/** The table of `npm run bench -- storage`. */
import type { Pair, RatioRun } from "../storage/measure/measure_ratios.ts";
import { summarize } from "./definitions/statistics.ts";

interface Line {
  readonly title: string;
  readonly figure: keyof RatioRun;
  readonly unit: string;
  readonly digits: number;
  /** What is asked for, as the stack's figure by the bare loop's; none where there is only a comparison. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
}

const lines: readonly Line[] = [
  { title: "Sustained write, 1 MiB", figure: "write", unit: "MB/s", digits: 0, target: { atLeast: 0.8 } },
  {
    title: "Cold read in order, 1 MiB",
    figure: "coldRead",
    unit: "MB/s",
    digits: 0,
    target: { atLeast: 0.8 },
  },
  {
    title: "Cold read at random, 4 KiB",
    figure: "randomRead",
    unit: "ms",
    digits: 2,
    target: { atMost: 1.5 },
  },
  { title: "Warm read, 1 MiB", figure: "warmRead", unit: "GB/s", digits: 1 },
];

/** Medians and (lowest–highest) of the runs, and whether the ratio's median is what is asked for. */
export function storageLines(
  runs: Readonly<Record<string, readonly RatioRun[]>>,
  mebibytes: number,
): string[] {
  const rows = Object.entries(runs).flatMap(([storage, its]) =>
    lines.map(line => {
      const pairs = its.map(run => run[line.figure]);
      const of = (pick: (pair: Pair) => number, digits: number) => {
        const { median, min, max } = summarize(pairs.map(pick));
        return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
      };
      return [
        `${storage}: ${line.title}, ${line.unit}`,
        of(({ stack }) => stack, line.digits),
        of(({ bare }) => bare, line.digits),
        of(({ stack, bare }) => stack / bare, 2),
        verdict(summarize(pairs.map(({ stack, bare }) => stack / bare)).median, line),
      ];
    }),
  );
  const count = Object.values(runs)[0]?.length ?? 0;
  return [
    "",
    `${mebibytes} MiB in chunks of 256 KiB; medians of ${count} runs, lowest and highest in brackets.`,
    "| | storage stack | bare loop | ratio | asked for |",
    "|---|---|---|---|---|",
    ...rows.map(cells => `| ${cells.join(" | ")} |`),
  ];
}

function verdict(ratio: number, { target }: Line): string {
  if (!target) return "–";
  if ("atLeast" in target) return `≥ ${target.atLeast} ${ratio >= target.atLeast ? "✅" : "❌"}`;
  return `≤ ${target.atMost} ${ratio <= target.atMost ? "✅" : "❌"}`;
}
