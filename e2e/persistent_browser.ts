import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "@playwright/test";
import { browserUnderTest } from "./browser_under_test.ts";
import {
  killProcesses,
  type ProcessMemory,
  peakMemoryOf,
  processesNaming,
  threadTimes,
  withDescendants,
} from "./processes.ts";

/** A browser with a profile on disk: what a person has, and what can be killed and started again. */
export class PersistentBrowser {
  readonly profile = mkdtempSync(join(tmpdir(), "doorbell-e2e-"));
  readonly baseUrl: string;
  /** Off by default: it answers in the server's place, and works when the page has booted. */
  serviceWorkers: "allow" | "block" = "block";
  /** What Firefox is to be started with beside the usual; Chromium has no such thing. */
  firefoxPreferences: Readonly<Record<string, number>> = {};
  #context: BrowserContext | undefined;

  constructor(baseUrl: string) {
    this.baseUrl = baseUrl;
  }

  /** Opens the page, starting the browser if it does not run. */
  async open(path = "/", viewport = { width: 1280, height: 800 }): Promise<Page> {
    this.#context ??= await browserUnderTest.type.launchPersistentContext(this.profile, {
      ...browserUnderTest.launch,
      firefoxUserPrefs: { ...browserUnderTest.launch.firefoxUserPrefs, ...this.firefoxPreferences },
      headless: true,
      baseURL: this.baseUrl,
      viewport,
      serviceWorkers: this.serviceWorkers,
    });
    const page = await this.#context.newPage();
    await page.goto(path);
    return page;
  }

  /** SIGKILL to the whole browser: nothing gets the chance to tidy up. */
  async kill(): Promise<void> {
    const gone = new Promise(resolve => this.#context?.once("close", resolve));
    killProcesses(withDescendants(processesNaming(this.profile)));
    await gone;
    this.#context = undefined;
  }

  /** Ends the browser in good order. The profile is deleted. */
  async close(): Promise<void> {
    await this.#context?.close();
    this.#context = undefined;
    this.deleteProfile();
  }

  deleteProfile(): void {
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** CPU time of each thread of the browser so far, in milliseconds, by "pid/tid name". */
  cpuTimes(): Map<string, number> {
    const times = new Map<string, number>();
    for (const pid of withDescendants(processesNaming(this.profile))) {
      for (const [thread, ms] of threadTimes(pid)) times.set(thread, ms);
    }
    return times;
  }

  /** The most memory that each process of the browser has had so far, in bytes, the largest first. */
  peakMemory(): readonly ProcessMemory[] {
    return withDescendants(processesNaming(this.profile))
      .map(peakMemoryOf)
      .filter(({ bytes }) => bytes > 0)
      .sort((a, b) => b.bytes - a.bytes);
  }
}
