/** What open views cost, out of rates that were measured in turn. */
import type { Job } from "./definitions/jobs.ts";
import { figure, spread, summarize } from "./definitions/statistics.ts";

/** By the names of their tabs, in this order within a round. */
export const views = ["Queues", "Timing"] as const;
export type View = (typeof views)[number];

/** What was seen in a few seconds while dd ran. */
export interface Look {
  /** Commands a second. */
  readonly rate: number;
  /** Cores that the browser's drawing threads (all but the workers' and the pool's) took meanwhile: 0.05 is a twentieth of one. */
  readonly drawing: number;
}

/** Each view open, and the panel closed right before and right after. */
export interface ViewRound {
  readonly open: Readonly<Record<View, Look>>;
  readonly closed: Readonly<Record<View, readonly [before: Look, after: Look]>>;
}

/** The part of the rate that an open view takes: the median over the rounds, each compared with its neighbours. */
export function viewCost(rounds: readonly ViewRound[], view: View): number {
  return summarize(rounds.map(({ open, closed }) => 1 - open[view].rate / mean(closed[view], "rate"))).median;
}

/** Cores that drawing takes with the view open and not with it closed; far steadier than the rate where others use the machine. */
export function drawingCost(rounds: readonly ViewRound[], view: View): number {
  return summarize(rounds.map(({ open, closed }) => open[view].drawing - mean(closed[view], "drawing")))
    .median;
}

const mean = ([before, after]: readonly [Look, Look], of: keyof Look): number => (before[of] + after[of]) / 2;

/** "closed 22000, Queues 21800, closed 22100, Timing 21500, closed 21900". */
export function roundText({ open, closed }: ViewRound): string {
  const texts = views.map(
    view => `${view} ${figure(open[view].rate)}, closed ${figure(closed[view][1].rate)}`,
  );
  return [`closed ${figure(closed[views[0]][0].rate)}`, ...texts].join(", ");
}

export function viewCostLines(rounds: ReadonlyMap<Pick<Job, "title">, readonly ViewRound[]>): string[] {
  const lines = [...rounds].map(([{ title }, each]) => {
    const closed = summarize(each.flatMap(round => views.map(view => round.closed[view][1].rate)));
    const costs = views.map(
      view => `${view} open ${percent(viewCost(each, view))}, drawing ${cores(drawingCost(each, view))}`,
    );
    return `  ${title.padEnd(8)} closed ${figure(closed.median)} commands/s ±${Math.round(spread(closed) * 100)}%; ${costs.join("; ")}`;
  });
  const count = [...rounds.values()][0]?.length ?? 0;
  return [
    `What open views cost dd: median of ${count} rounds, each view between two looks with the panel closed`,
    ...lines,
  ];
}

const percent = (part: number): string =>
  `${Math.abs(part * 100).toFixed(1)} % ${part < 0 ? "more" : "less"}`;

const cores = (part: number): string => `${part < 0 ? "−" : "+"}${Math.abs(part).toFixed(3)} cores`;
