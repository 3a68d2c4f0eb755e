/** The ways in which a machine is stopped in the middle of writes. */
import type { Page } from "@playwright/test";
import type { PersistentBrowser } from "../../e2e/persistent_browser.ts";
import type { Automation } from "../app/automation.ts";

export interface Interruption {
  readonly name: string;
  interrupt(page: Page, browser: PersistentBrowser): Promise<unknown>;
  /** What brings the machine back: another tab (of another process, after a kill), another document, or its own reset. */
  readonly comeBack: "open" | "navigate" | "restart";
}

/** SIGKILL of the browser's processes: nothing gets the chance to tidy up. */
export const kill: Interruption = {
  name: "SIGKILL",
  interrupt: (_page, browser) => browser.kill(),
  comeBack: "open",
};

/** Nobody is asked, and no event handler of the page is waited for. */
export const closeTab: Interruption = {
  name: "tab closed",
  interrupt: page => page.close(),
  comeBack: "open",
};

export const reload: Interruption = {
  name: "page reloaded",
  interrupt: page => page.goto("about:blank"),
  comeBack: "navigate",
};

/** The worker that has the disks ends without a word to anybody. */
export const endWorker: Interruption = {
  name: "worker ended",
  interrupt: async page => {
    const workers = page.workers();
    const named = (name: RegExp) => workers.find(worker => name.test(worker.url()));
    const owner = named(/io\.worker/) ?? named(/vcpu\.worker/);
    if (!owner) throw new Error("The page has no worker with disks.");
    // By a timer: Firefox ignores a close() that WebDriver calls. The answer may be lost with the worker.
    await owner.evaluate(() => void setTimeout(() => self.close())).catch(() => {});
  },
  comeBack: "restart",
};

export const hardReset: Interruption = {
  name: "hard reset",
  interrupt: page => page.evaluate(() => void (window.doorbell as Automation).restart().catch(() => {})),
  comeBack: "restart",
};
