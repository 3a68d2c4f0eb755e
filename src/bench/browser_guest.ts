/** A guest in the page, in headless Chromium. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright";
import { chromiumLaunch } from "../../e2e/chromium.ts";
import { processesNaming } from "../../e2e/processes.ts";
import type { Automation } from "../app/automation.ts";
import type { BootStageTiming, MachineSettings } from "../machine/api.ts";
import { type Guest, type Instruments, within } from "./definitions/guest.ts";
import type { PageSystem } from "./definitions/systems.ts";
import { onExit } from "./on_exit.ts";

/**
 * A browser with an empty profile on disk, started when it is first needed. All rows share one: the disks stay, and
 * each row's page boots anew.
 */
export class Browser {
  readonly #profile = mkdtempSync(join(tmpdir(), "doorbell-bench-"));
  #forget = onExit(() => this.#removeProfile());
  #context: BrowserContext | undefined;

  async page(): Promise<Page> {
    if (!this.#context) {
      this.#context = await chromium.launchPersistentContext(this.#profile, {
        ...chromiumLaunch,
        headless: true,
        // It would download and hash beside what is measured.
        serviceWorkers: "block",
      });
      // Behind Playwright's own action, which ends the browser: a living one would write its profile anew.
      this.#forget();
      this.#forget = onExit(() => this.#removeProfile());
    }
    return this.#context.pages()[0] ?? (await this.#context.newPage());
  }

  /** Process ids of its main process; the others descend from it. */
  processes(): readonly number[] {
    return processesNaming(this.#profile);
  }

  /** Ends the process; the profile stays, and the next `page()` starts another one. */
  async quit(): Promise<void> {
    const context = this.#context;
    this.#context = undefined;
    await context?.close();
  }

  /** Ends the process and deletes the profile. */
  async dispose(): Promise<void> {
    await this.quit();
    this.#removeProfile();
    this.#forget();
  }

  #removeProfile(): void {
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Opens the page; resolves at the shell prompt, with milliseconds from navigation and the page's own timing. */
export async function bootPage(
  page: Page,
  address: string,
): Promise<{ readonly ms: number; readonly stages: readonly BootStageTiming[] }> {
  const start = performance.now();
  await page.goto(address);
  await page.waitForFunction(() => window.doorbell !== undefined);
  await within(
    page.evaluate(() => (window.doorbell as Automation).ready),
    "The boot",
  );
  const ms = performance.now() - start;
  return { ms, stages: await page.evaluate(() => (window.doorbell as Automation).bootStages()) };
}

/** Boots the row's machine in the browser. */
export async function openBrowserGuest(
  browser: Browser,
  address: string,
  system: PageSystem,
): Promise<Guest> {
  const page = await browser.page();
  // Booted, so that all rows begin alike.
  await bootPage(page, `${address}?${new URLSearchParams({ ...system.parameters, start: "boot" })}`);
  checkSettings(await page.evaluate(() => (window.doorbell as Automation).settings), system.parameters);
  const instruments: Instruments = {
    counters: () => page.evaluate(() => (window.doorbell as Automation).counters()),
    timeExits: on => page.evaluate(value => (window.doorbell as Automation).timeExits(value), on),
  };
  return {
    exec: command =>
      within(
        page.evaluate(text => (window.doorbell as Automation).exec(text), command),
        command,
      ),
    ...(system.counted && { instruments }),
    settle: () => within(saved(page), "Saving what was written"),
    // An idle guest takes a little time too, and another row may be under QEMU.
    close: async () => void (await page.goto("about:blank")),
  };
}

/** The page ignores what it does not know: a row must not be measured as another one. */
function checkSettings(settings: MachineSettings, parameters: PageSystem["parameters"]): void {
  const actual: Readonly<Record<string, string>> = {
    scratch: settings.scratch,
    serving: settings.serving,
    shadow: settings.shadowDoorbells,
    interrupts: settings.interrupts,
    haltPollMaxUs: String(settings.haltPollMaxUs),
  };
  for (const [name, value] of Object.entries(parameters)) {
    if (actual[name] !== value) throw new Error(`The page took ${name}=${value} as ${actual[name]}.`);
  }
}

/** Resolves when everything is in IndexedDB. */
async function saved(page: Page): Promise<void> {
  for (;;) {
    const disks = await page.evaluate(() => (window.doorbell as Automation).disks());
    if (disks.every(({ dirtyBytes, flushing }) => dirtyBytes === 0 && !flushing)) return;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}
