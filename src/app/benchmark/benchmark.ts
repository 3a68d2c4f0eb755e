/** The benchmark of a page: what was chosen, what runs, what was measured. It goes on while other views are looked at. */
import { dependencies, version } from "../../../package.json";
import type { Machine } from "../../machine/api.ts";
import { addressOf, type Choice, choiceIn, defaultChoice, thoroughnesses } from "./choice.ts";
import { guestOpener } from "./page_guest.ts";
import type { Report } from "./report.ts";
import { type Measured, type Progress, runBenchmark } from "./run.ts";

export class Benchmark {
  readonly machine: Machine;
  choice: Choice;
  /** Whether jobs may overwrite the scratch disk of the page's own guest. No link sets it. */
  mayOverwrite = false;
  /** Of the run that is under way. */
  progress: Progress | undefined;
  /** Why the last run ended early; a sentence. */
  problem: string | undefined;
  /** Of the last run, also while it goes on. */
  report: Report | undefined;
  /** Called after each change. */
  changed: () => void = () => {};
  #abort: AbortController | undefined;

  constructor(machine: Machine, query: string) {
    this.machine = machine;
    this.choice = choiceIn(query) ?? defaultChoice;
  }

  get isRunning(): boolean {
    return this.#abort !== undefined;
  }

  /** An address that carries the choice. */
  get address(): string {
    return addressOf(this.choice, location.href);
  }

  /** Runs what is chosen; resolves when it has ended, however it did. */
  async run(): Promise<void> {
    if (this.#abort) return;
    const abort = new AbortController();
    this.#abort = abort;
    this.problem = undefined;
    const results: Measured[] = [];
    const conditions = {
      at: new Date().toISOString(),
      browser: browserName(),
      cores: navigator.hardwareConcurrency,
      doorbell: version,
      v86: dependencies.v86,
      plan: thoroughnesses[this.choice.thoroughness].plan,
      address: this.address,
    };
    this.report = undefined;
    this.changed();
    try {
      await runBenchmark(
        this.choice,
        guestOpener(this.machine, this.mayOverwrite),
        {
          progress: progress => {
            this.progress = progress;
            this.changed();
          },
          measured: measured => {
            results.push(measured);
            this.report = { conditions, results };
          },
        },
        abort.signal,
      );
    } catch (error) {
      this.problem = abort.signal.aborted
        ? "Cancelled. What was measured before is below."
        : `It could not go on: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      this.#abort = undefined;
      this.progress = undefined;
      this.changed();
    }
  }

  cancel(): void {
    this.#abort?.abort();
  }
}

/** "Chromium 150.0.7871.100 on Linux", as far as the browser tells. */
function browserName(): string {
  const { userAgentData } = navigator as unknown as {
    userAgentData?: { brands: { brand: string; version: string }[]; platform: string };
  };
  const known = userAgentData?.brands.filter(({ brand }) => !/not.?a.?brand/i.test(brand));
  if (!userAgentData || !known || known.length === 0) return navigator.userAgent;
  return `${known.map(({ brand, version }) => `${brand} ${version}`).join(", ")} on ${userAgentData.platform}`;
}
