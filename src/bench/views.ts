/** What it costs to look: dd with the queue view or the timing view open, against dd with the panel closed. */
import type { Page } from "playwright";
import { threadTimes, withDescendants } from "../../e2e/processes.ts";
import type { Automation } from "../app/automation.ts";
import { Browser, openBrowserGuest } from "./browser_guest.ts";
import { ddJob, type Job, makeJobs, quickSizes } from "./definitions/jobs.ts";
import { fullPlan, warmUp } from "./definitions/measure.ts";
import { defaultSystem } from "./definitions/systems.ts";
import { servePage } from "./server.ts";
import { type Look, roundText, type View, type ViewRound, viewCostLines, views } from "./view_costs.ts";

const ROUNDS = { quick: 5, full: 15 } as const;
/** Longer than for the other figures: the views' own code has to be compiled as well. */
const WARM_UP_MS = 30_000;
/** Opening a view is not what its being open takes. */
const OPENING_MS = 500;
const LOOK_MS = 2000;

/** Long runs, so that starting dd is little of the time. */
const jobs: readonly Job[] = [ddJob("read", "1m", 1024), ddJob("read", "4k", 32_768)];

export async function benchViews(quick: boolean): Promise<void> {
  const count = quick ? ROUNDS.quick : ROUNDS.full;
  const page = await servePage();
  const browser = new Browser();
  try {
    const guest = await openBrowserGuest(browser, page.address, defaultSystem);
    const tab = await browser.page();
    const show = shower(tab);
    await warmUp(guest, defaultSystem, makeJobs({ ...quickSizes, depths: [] }), {
      ...fullPlan,
      warmUpMs: WARM_UP_MS,
    });
    await guest.settle();
    const costs = new Map<Job, readonly ViewRound[]>();
    for (const job of jobs) {
      let isOver = false;
      const running = (async () => {
        while (!isOver) await guest.exec(job.command(defaultSystem.device));
      })();
      const lookAt = async (view: View | "closed"): Promise<Look> => {
        await show(view);
        await tab.waitForTimeout(OPENING_MS);
        const [before, drawn] = [await progress(tab), drawingTime(browser)];
        await tab.waitForTimeout(LOOK_MS);
        const after = await progress(tab);
        const ms = after.now - before.now;
        return {
          rate: (after.commands - before.commands) / (ms / 1000),
          drawing: (drawingTime(browser) - drawn) / ms,
        };
      };
      const rounds: ViewRound[] = [];
      try {
        for (const view of views) await lookAt(view);
        let before = await lookAt("closed");
        for (let i = 0; i < count; i++) {
          const open = {} as Record<View, Look>;
          const closed = {} as Record<View, readonly [Look, Look]>;
          for (const view of views) {
            open[view] = await lookAt(view);
            const after = await lookAt("closed");
            closed[view] = [before, after];
            before = after;
          }
          rounds.push({ open, closed });
          console.log(`  ${job.title}, round ${i + 1} of ${count}: ${roundText({ open, closed })}`);
        }
      } finally {
        isOver = true;
        await running;
      }
      costs.set(job, rounds);
    }
    for (const line of viewCostLines(costs)) console.log(line);
    await guest.close();
  } finally {
    await browser.dispose();
    await page.close();
  }
}

/** Opens one of the views, or closes the panel, and closes what was open before. */
function shower(tab: Page): (view: View | "closed") => Promise<void> {
  const panel = tab.getByRole("button", { name: "Views", exact: true });
  return async view => {
    const isOpen = (await panel.getAttribute("aria-pressed")) === "true";
    if (isOpen !== (view !== "closed")) await panel.click();
    if (view !== "closed") await tab.getByRole("tab", { name: view }).click();
  };
}

/** What dd has got so far, by the device's own count. */
const progress = (tab: Page): Promise<{ readonly now: number; readonly commands: number }> =>
  tab.evaluate(() => ({
    now: performance.now(),
    commands: (window.doorbell as Automation).counters().commands,
  }));

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
