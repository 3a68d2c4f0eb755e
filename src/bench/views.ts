/** What it costs to look: dd with the queue view or the timing view open, against dd with the panel closed. */
import { threadTimes, withDescendants } from "../../e2e/processes.ts";
import { Browser, openBrowserGuest } from "./browser_guest.ts";
import { fullSizes, type Job, makeJobs, quickSizes } from "./definitions/jobs.ts";
import { fullPlan, quickPlan, warmUp } from "./definitions/measure.ts";
import { defaultSystem } from "./definitions/systems.ts";
import { servePage } from "./server.ts";
import { roundText, type ViewFigure, type ViewRound, viewCostLines, viewStates } from "./view_costs.ts";

const nothing: ViewFigure = { rate: 0, drawing: 0 };

/** In each round each job runs once in each state, so that a machine's changing load does not favour one. */
const ROUNDS = { quick: 7, full: 11 } as const;

export async function benchViews(quick: boolean): Promise<void> {
  const plan = quick ? quickPlan : fullPlan;
  const all = makeJobs({ ...(quick ? quickSizes : fullSizes), depths: [] });
  const jobs = all.filter(job => !job.writes);
  const count = quick ? ROUNDS.quick : ROUNDS.full;
  const page = await servePage();
  const browser = new Browser();
  try {
    const guest = await openBrowserGuest(browser, page.address, defaultSystem);
    const tab = await browser.page();
    const panel = tab.getByRole("button", { name: "Queues", exact: true });
    const show = {
      closed: async () => {
        if ((await panel.getAttribute("aria-pressed")) === "true") await panel.click();
      },
      queues: async () => {
        await panel.click();
        await tab.getByRole("tab", { name: "Queues" }).click();
      },
      timing: async () => {
        await tab.getByRole("tab", { name: "Timing" }).click();
      },
    };
    const measure = async (job: Job): Promise<ViewFigure> => {
      const [before, start] = [drawingTime(browser), performance.now()];
      const { output } = await guest.exec(job.command(defaultSystem.device));
      const drawing = (drawingTime(browser) - before) / (performance.now() - start);
      return { rate: job.parse(output), drawing };
    };
    await warmUp(guest, defaultSystem, all, plan);
    await guest.settle();
    const rounds = new Map<Job, ViewRound[]>(jobs.map(job => [job, []]));
    for (let i = 0; i < count; i++) {
      const figures = new Map<Job, Record<keyof ViewRound, ViewFigure>>(
        jobs.map(job => [job, { closed: nothing, queues: nothing, timing: nothing }]),
      );
      for (const state of viewStates) {
        await show[state]();
        for (const job of jobs) {
          // What opening it takes is not what its being open takes.
          await measure(job);
          const figure = await measure(job);
          const round = figures.get(job);
          if (round) round[state] = figure;
        }
      }
      for (const [job, round] of figures) rounds.get(job)?.push(round);
      console.log(
        `  round ${i + 1} of ${count}: ${[...figures].map(([job, round]) => roundText(job, round)).join("; ")}`,
      );
    }
    for (const line of viewCostLines(rounds)) console.log(line);
    await guest.close();
  } finally {
    await browser.dispose();
    await page.close();
  }
}

/** CPU time so far, in milliseconds, of the threads that draw: the renderer's main thread, compositors, the display's. */
function drawingTime(browser: Browser): number {
  let sum = 0;
  for (const pid of withDescendants(browser.processes())) {
    for (const [thread, ms] of threadTimes(pid)) {
      if (!/DedicatedWorker|ThreadPool/.test(thread)) sum += ms;
    }
  }
  return sum;
}
