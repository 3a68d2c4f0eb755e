/** What open views cost, out of rates that were measured in turn. */
import type { Job } from "./definitions/jobs.ts";
import { figure, spread, summarize } from "./definitions/statistics.ts";

/** In this order within a round. */
export const viewStates = ["closed", "queues", "timing"] as const;

export interface ViewFigure {
  /** Of dd, in the job's unit. */
  readonly rate: number;
  /** Cores that the browser's drawing threads (all but the workers' and the pool's) took meanwhile: 0.05 is a twentieth of one. */
  readonly drawing: number;
}

/** One figure in each state, measured one after the other. */
export type ViewRound = Readonly<Record<(typeof viewStates)[number], ViewFigure>>;

/** The part of the rate that an open view takes: the median over the rounds, each compared within itself. */
export function viewCost(rounds: readonly ViewRound[], state: "queues" | "timing"): number {
  return summarize(rounds.map(round => 1 - round[state].rate / round.closed.rate)).median;
}

/** Cores that drawing takes with the view open and not with it closed; far steadier than the rate where others use the machine. */
export function drawingCost(rounds: readonly ViewRound[], state: "queues" | "timing"): number {
  return summarize(rounds.map(round => round[state].drawing - round.closed.drawing)).median;
}

/** "read 4k 22000 / 21800 / 21500", in the order of the states. */
export const roundText = ({ title }: Pick<Job, "title">, round: ViewRound): string =>
  `${title} ${viewStates.map(state => figure(round[state].rate)).join(" / ")}`;

export function viewCostLines(
  rounds: ReadonlyMap<Pick<Job, "title" | "unit">, readonly ViewRound[]>,
): string[] {
  const lines = [...rounds].map(([{ title, unit }, each]) => {
    const closed = summarize(each.map(round => round.closed.rate));
    const costs = (["queues", "timing"] as const).map(
      state => `${state} open ${percent(viewCost(each, state))}, drawing ${cores(drawingCost(each, state))}`,
    );
    return `  ${title.padEnd(10)} closed ${figure(closed.median)} ${unit} ±${Math.round(spread(closed) * 100)}%; ${costs.join("; ")}`;
  });
  const count = [...rounds.values()][0]?.length ?? 0;
  return [
    `What open views cost dd: median of ${count} rounds, each of which measures all three states in turn`,
    ...lines,
  ];
}

const percent = (part: number): string =>
  `${Math.abs(part * 100).toFixed(1)} % ${part < 0 ? "more" : "less"}`;

const cores = (part: number): string => `${part < 0 ? "−" : "+"}${Math.abs(part).toFixed(3)} cores`;
