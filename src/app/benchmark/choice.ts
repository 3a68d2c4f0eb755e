/** What is to be measured: the choice in the panel, and as part of an address that carries it. */
import { allJobs, fullSizes, type JobSizes, quickSizes } from "../../bench/definitions/jobs.ts";
import { fullPlan, type Plan, quickPlan } from "../../bench/definitions/measure.ts";
import { label, type PageSystem, systems } from "../../bench/definitions/systems.ts";

/** Stands for the guest that runs in the page, beside the labels of fresh ones. */
export const THIS_GUEST = "this";

export type Thoroughness = "quick" | "full";

/** As `npm run bench` and its `--quick` have them. */
export const thoroughnesses: Readonly<
  Record<Thoroughness, { readonly plan: Plan; readonly sizes: JobSizes }>
> = {
  quick: { plan: quickPlan, sizes: quickSizes },
  full: { plan: fullPlan, sizes: fullSizes },
};

export interface Choice {
  readonly thoroughness: Thoroughness;
  /** THIS_GUEST, or labels of `pageSystems`; in the order in which they are measured. */
  readonly systems: readonly string[];
  /** Names of jobs, in the order in which they run. */
  readonly jobs: readonly string[];
}

/** The rows that can be measured in a page, by their labels. */
export const pageSystems: ReadonlyMap<string, PageSystem> = new Map(
  systems.flatMap(system => (system.kind === "page" ? [[label(system), system]] : [])),
);

export const systemNames: readonly string[] = [THIS_GUEST, ...pageSystems.keys()];
export const jobNames: readonly string[] = allJobs(quickSizes).map(({ name }) => name);

export const defaultChoice: Choice = {
  thoroughness: "quick",
  systems: [THIS_GUEST],
  jobs: ["read-1m", "read-4k"],
};

/** Parameters of the address. */
const PARAMETERS = { thoroughness: "bench", systems: "benchSystems", jobs: "benchJobs" } as const;

/** The choice that an address carries; undefined if it carries none. What is not known in it is left out. */
export function choiceIn(query: string): Choice | undefined {
  const search = new URLSearchParams(query);
  const thoroughness = search.get(PARAMETERS.thoroughness);
  if (thoroughness === null) return undefined;
  const some = (parameter: string, known: readonly string[], otherwise: readonly string[]) => {
    const named = (search.get(parameter) ?? "").split(",");
    const found = known.filter(name => named.includes(name));
    return found.length > 0 ? found : otherwise;
  };
  return {
    thoroughness: thoroughness === "full" ? "full" : "quick",
    systems: some(PARAMETERS.systems, systemNames, defaultChoice.systems),
    jobs: some(PARAMETERS.jobs, jobNames, defaultChoice.jobs),
  };
}

/** An address with the choice, and with the settings of the present machine. It starts nothing by itself. */
export function addressOf({ thoroughness, systems: chosen, jobs }: Choice, present: string): string {
  const url = new URL(present);
  // Whose disks are taken is not for a link to say.
  url.searchParams.delete("disks");
  url.searchParams.set(PARAMETERS.thoroughness, thoroughness);
  url.searchParams.set(PARAMETERS.systems, chosen.join(","));
  url.searchParams.set(PARAMETERS.jobs, jobs.join(","));
  url.hash = "";
  return url.href;
}
